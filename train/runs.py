"""What a training run leaves behind in its folder.

``model.keras``, ``ser_edge.json`` (the metadata that conversion puts into the file),
``representative.npz`` (windows to calibrate quantisation with) and ``run.json`` (recipe, split,
seed, versions, figures, history and every test prediction).
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from train.fit import Clips, FittedModel
from train.recipe import Recipe
from train.splits import Split

# By module: TensorFlow is published as several packages.
RECORDED_MODULES = ("numpy", "tensorflow", "keras", "sklearn", "soxr")
SCORE_DECIMALS = 6


def save_run(
    folder: Path,
    recipe: Recipe,
    split: Split,
    protocol: str,
    seed: int,
    fitted: FittedModel,
    test: Clips,
    scores: NDArray[np.float32],
    figures: dict[str, Any],
) -> None:
    """Write one run into its folder, ``run.json`` last and whole: its presence means complete.

    Parameters
    ----------
    folder : Path
        Made when absent.
    recipe, split, seed
        What was run.
    protocol : str
        One sentence that stands beside the figures.
    fitted : FittedModel
        The result.
    test : Clips
        The test utterances.
    scores : ndarray of float32, shape (n_clips, n_labels)
        Their scores.
    figures : dict
        What `train.figures` computed from them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    metadata = replace(
        fitted.metadata, provenance=provenance(recipe, split, protocol, seed, figures)
    )
    fitted.model.save(folder / "model.keras")
    (folder / "ser_edge.json").write_text(metadata.to_json(), encoding="utf-8")
    np.savez_compressed(folder / "representative.npz", windows=fitted.representative)
    run = {
        "recipe": recipe.to_dict(),
        "split": split.name,
        "protocol": protocol,
        "seed": seed,
        "labels": list(split.labels),
        "speakers": {
            part: _speakers(getattr(split, part)) for part in ("train", "validation", "test")
        },
        "versions": _versions(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "figures": figures,
        "history": fitted.history,
        "predictions": predictions(test, scores),
    }
    temporary = folder / f".run.{os.getpid()}.json"
    temporary.write_text(json.dumps(run), encoding="utf-8")
    temporary.replace(folder / "run.json")


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


def provenance(
    recipe: Recipe, split: Split, protocol: str, seed: int, figures: dict[str, Any]
) -> dict[str, Any]:
    """Where a model comes from, for its metadata."""
    return {
        "recipe": recipe.name,
        "corpora": list(recipe.corpora),
        "protocol": protocol,
        "split": split.name,
        "seed": seed,
        "speakers": {
            part: _speakers(getattr(split, part)) for part in ("train", "validation", "test")
        },
        "figures": figures,
        "licence": recipe.licence,
        "created": datetime.now(timezone.utc).date().isoformat(),
        "commit": _commit(),
    }


def predictions(test: Clips, scores: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Corpus, file name, true label's index and scores of every test utterance."""
    return [
        {
            "corpus": u.corpus,
            "name": u.name,
            "target": int(target),
            "scores": [round(float(score), SCORE_DECIMALS) for score in row],
        }
        for u, target, row in zip(test.utterances, test.targets, scores)
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
