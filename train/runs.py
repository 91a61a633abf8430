"""What a training run leaves behind in its folder.

``model.keras``, ``ser_edge.json`` (the metadata that conversion puts into the file),
``representative.npz`` (inputs to calibrate quantisation with), ``run.json`` (recipe, split, seed,
versions, figures, history and every test prediction), the report with its plots and, where the
recipe asks to keep more, the network as JSON and H5, the arrays and the list of test recordings.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from train.corpora import Utterance, to_frame
from train.dataset import ClipInputs
from train.fit import FittedModel
from train.recipe import Recipe
from train.splits import Split, warnings_of

# By module: TensorFlow is published as several packages.
RECORDED_MODULES = ("numpy", "tensorflow", "keras", "sklearn", "soxr")
SCORE_DECIMALS = 6


@dataclass(frozen=True)
class Run:
    """One training and its judgement.

    Attributes
    ----------
    recipe, split, seed
        What was run.
    protocol : str
        One sentence that stands beside the figures.
    fitted : FittedModel
        The result.
    test : ClipInputs
        What it was judged on.
    utterances : list of Utterance
        The test utterances, in that order.
    scores : ndarray of float32, shape (n, n_labels)
        Their scores.
    figures : dict
        What `train.figures` computed from them.
    """

    recipe: Recipe
    split: Split
    protocol: str
    seed: int
    fitted: FittedModel
    test: ClipInputs
    utterances: list[Utterance]
    scores: NDArray[np.float32]
    figures: dict[str, Any]


def save_run(folder: Path, run: Run) -> None:
    """Write one run into its folder, ``run.json`` last and whole: its presence means complete.

    Raises
    ------
    SerEdgeError
        When the folder cannot be written.
    """
    described = provenance(run)
    try:
        metadata = replace(run.fitted.metadata, provenance=described)
        run.fitted.model.save(folder / "model.keras")
        (folder / "ser_edge.json").write_text(metadata.to_json(), encoding="utf-8")
        np.savez_compressed(folder / "representative.npz", windows=run.fitted.representative)
        keep(folder, run)
        stored = {
            "recipe": run.recipe.to_dict(),
            "split": run.split.name,
            "protocol": run.protocol,
            "warnings": warnings_of(run.split, run.recipe.merge),
            "seed": run.seed,
            "labels": list(run.split.labels),
            "speakers": described["speakers"],
            "versions": _versions(),
            "commit": described["commit"],
            "parameters": run.fitted.model.count_params(),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "figures": run.figures,
            "history": run.fitted.history,
            "predictions": predictions(run),
        }
        temporary = folder / f".run.{os.getpid()}.json"
        temporary.write_text(json.dumps(stored, allow_nan=False), encoding="utf-8")
        temporary.replace(folder / "run.json")
    except OSError as error:
        raise SerEdgeError(f"{folder}: cannot be written ({error.strerror or error})") from error


def keep(folder: Path, run: Run) -> None:
    """Write what else the recipe asks to keep."""
    if "json-h5" in run.recipe.keep:
        (folder / "model.json").write_text(run.fitted.model.to_json(), encoding="utf-8")
        run.fitted.model.save_weights(folder / "model.weights.h5")
    if "features" in run.recipe.keep:
        parts = {**run.fitted.parts, "test": run.test}
        arrays = {
            f"{part}_{kind}": getattr(clips, kind)
            for part, clips in parts.items()
            for kind in ("inputs", "targets")
        }
        np.savez_compressed(folder / "features.npz", **arrays)
    if "test-set" in run.recipe.keep:
        to_frame(run.utterances).to_csv(folder / "test.csv", index=False)


def stored_figures(folder: Path, recipe: Recipe) -> dict[str, Any] | None:
    """Figures of the run that a folder holds, or None when it holds none.

    Raises
    ------
    SerEdgeError
        When the folder holds a run of another recipe, or a damaged one.
    """
    done = folder / "run.json"
    if not done.is_file():
        return None
    try:
        run = json.loads(done.read_text(encoding="utf-8"))
        figures, stored = dict(run["figures"]), run["recipe"]
    except (ValueError, KeyError, TypeError) as error:
        raise SerEdgeError(f"{done}: is damaged ({error}); delete it to train again") from error
    if stored != json.loads(json.dumps(recipe.to_dict())):
        raise SerEdgeError(
            f"{folder}: holds a run of another version of the recipe {recipe.name}; "
            "delete it or choose another --out"
        )
    return figures


def provenance(run: Run) -> dict[str, Any]:
    """Where a model comes from, for its metadata."""
    recipe = run.recipe
    return {
        "recipe": recipe.name,
        "corpora": list(recipe.corpora),
        "protocol": run.protocol,
        "split": run.split.name,
        "seed": run.seed,
        "speakers": {
            part: _speakers(getattr(run.split, part)) for part in ("train", "validation", "test")
        },
        "preprocess": [dict(step) for step in recipe.preprocess],
        "figures": {name: run.figures[name] for name in ("utterances", "uar", "wa", "recall")},
        "licence": recipe.licence,
        "created": datetime.now(timezone.utc).date().isoformat(),
        "commit": _commit(),
    }


def predictions(run: Run) -> list[dict[str, Any]]:
    """Corpus, file name, true label's index and scores of every test utterance."""
    return [
        {
            "corpus": u.corpus,
            "name": u.name,
            "target": int(target),
            "scores": [round(float(score), SCORE_DECIMALS) for score in row],
        }
        for u, target, row in zip(run.utterances, run.test.targets, run.scores)
    ]


def _speakers(utterances: list[Any]) -> list[str]:
    return sorted({u.speaker for u in utterances})


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{name: importlib.import_module(name).__version__ for name in RECORDED_MODULES},
    }


def _commit() -> str:
    """The checkout's commit, or an empty string outside one."""
    result = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip()
