"""What a run's model says about sound files, by the way it was trained: with Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge_runtime.errors import SerEdgeError
from edge_runtime.quiet import quiet_libraries
from train.dataset import example_frames, extraction_of, inputs_of, score_of
from train.recipe import Recipe, recipe_of
from train.runs import stored_metadata


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
        self._metadata = stored_metadata(run)
        self._model = _model(run / "model.keras")

    def scores(self, path: Path) -> dict[str, float]:
        """Score of each class for a sound file that holds one utterance.

        Raises
        ------
        SerEdgeError
            When the file cannot be read.
        """
        frames = self._extraction(path)
        frames = example_frames(frames, self._recipe)
        inputs, weights = inputs_of(frames, self._recipe, self._metadata)
        scores = score_of(np.asarray(self._model(inputs, training=False)), weights)
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
    path = run / "run.json"
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return recipe_of(stored["recipe"])
    except FileNotFoundError as error:
        raise SerEdgeError(f"{run}: holds no complete run (no run.json)") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except SerEdgeError as error:
        raise SerEdgeError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SerEdgeError(f"{path}: is damaged ({error}); train again") from error


def _model(path: Path) -> keras.Model:
    if not path.is_file():
        raise SerEdgeError(f"{path}: is missing; train again")
    try:
        with quiet_libraries():
            return keras.models.load_model(path, compile=False)
    except Exception as error:  # a damaged archive fails in any way
        raise SerEdgeError(f"{path}: is damaged; train again") from error


def _unreadable(path: Path, error: OSError) -> SerEdgeError:
    return SerEdgeError(f"{path}: cannot be read ({error.strerror or error})")
