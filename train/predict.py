"""What a run's model says about sound files, by the way it was trained: with Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import ENTRY, ModelMetadata
from edge_runtime.quiet import quiet_libraries
from train.dataset import extraction_of, inputs_of
from train.recipe import Recipe, recipe_of


class Predictor:
    """The model of a run, ready to score recordings.

    Parameters
    ----------
    run : Path
        Folder that ser-train wrote.

    Raises
    ------
    SerEdgeError
        When it holds no complete run, or a damaged one.
    """

    def __init__(self, run: Path) -> None:
        self._recipe = _recipe(run)
        self._extraction = extraction_of(self._recipe)
        try:
            text = (run / ENTRY).read_text(encoding="utf-8")
            with quiet_libraries():
                self._model = keras.models.load_model(run / "model.keras", compile=False)
        except (OSError, ValueError) as error:
            raise SerEdgeError(f"{run}: its model cannot be read ({error})") from error
        self._metadata = ModelMetadata.from_json(text)

    def scores(self, path: Path) -> dict[str, float]:
        """Score of each class for a sound file that holds one utterance.

        Raises
        ------
        SerEdgeError
            When the file cannot be read or holds too little.
        """
        frames = self._extraction(path)
        if len(frames) == 0:
            raise SerEdgeError(f"{path}: is too short for one frame")
        if self._recipe.examples == "windows":
            frames = frames[:, :-1]
        inputs, weights = inputs_of(frames, self._recipe, self._metadata)
        scores = weights @ np.asarray(self._model(inputs, training=False))
        return {label: float(score) for label, score in zip(self._metadata.labels, scores)}


def latest_run(folder: Path) -> Path:
    """The run below a folder that was finished last.

    Raises
    ------
    SerEdgeError
        When there is none.
    """
    runs = sorted(folder.glob("**/run.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise SerEdgeError(f"{folder}: holds no run; train one with ser-train fit, or give --run")
    return runs[-1].parent


def _recipe(run: Path) -> Recipe:
    try:
        stored: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
        return recipe_of(stored["recipe"])
    except FileNotFoundError as error:
        raise SerEdgeError(f"{run}: holds no complete run (no run.json)") from error
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise SerEdgeError(f"{run / 'run.json'}: is damaged ({error})") from error
