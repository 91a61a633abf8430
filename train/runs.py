"""What a training run leaves behind in its folder.

``model.keras``, ``ser_edge.json`` (the metadata that conversion puts into the file),
``representative.npz`` and ``held_out.npz`` (see `train.conversion_data`), ``run.json`` (recipe,
split, seed, versions, figures, history and every test prediction), the report with its plots and,
where the recipe asks to keep more, the network as JSON and H5, the arrays and the list of test
recordings.
"""

from __future__ import annotations

import importlib
import json
import platform
import subprocess
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import ENTRY, ModelMetadata
from train.corpora import Utterance, to_frame
from train.dataset import ClipInputs, labelled
from train.fingerprint import fingerprint
from train.fit import FittedModel
from train.lineage import INHERITED, Start, start_of
from train.recipe import Recipe
from train.splits import Split

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
    start : Start
        What it started from.
    warnings : list of str
        What the figures do not tell, in whole sentences.
    others : dict of str to list of str
        Who of other corpora was trained on, under the name that provenance has for them.
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
    start: Start
    warnings: list[str]
    others: dict[str, list[str]]
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
        with replacing(folder / "model.keras") as temporary:
            run.fitted.model.save(temporary)
        _write(folder / ENTRY, metadata.to_json())
        keep(folder, run)
        stored = {
            "recipe": run.recipe.to_dict(),
            "split": run.split.name,
            "protocol": run.protocol,
            "warnings": run.warnings,
            "seed": run.seed,
            "fingerprint": fingerprint(run.recipe, run.split, run.seed),
            "start": run.start.digest,
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
        _write(folder / "run.json", json.dumps(stored, allow_nan=False))
    except OSError as error:
        raise SerEdgeError(f"{folder}: cannot be written ({error.strerror or error})") from error


def keep(folder: Path, run: Run) -> None:
    """Write what else the recipe asks to keep, beside ``model.keras``."""
    if "json-h5" in run.recipe.keep:
        _write(folder / "model.json", run.fitted.model.to_json())
        # Keras writes H5 by a library that a full disk makes end the whole program.
        with ZipFile(folder / "model.keras") as archive:
            weights = archive.read("model.weights.h5")
        with replacing(folder / "model.weights.h5") as temporary:
            temporary.write_bytes(weights)
    if "features" in run.recipe.keep:
        parts = {**run.fitted.parts, "test": run.test}
        arrays = {
            f"{part}_{kind}": getattr(clips, kind)
            for part, clips in parts.items()
            for kind in ("inputs", "targets")
        }
        write_arrays(folder / "features.npz", **arrays)
    if "test-set" in run.recipe.keep:
        with replacing(folder / "test.csv") as temporary:
            to_frame(run.utterances).to_csv(temporary, index=False)


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write an .npz file whole or not at all."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]


def stored_figures(folder: Path, recipe: Recipe, split: Split, seed: int) -> dict[str, Any] | None:
    """Figures of the run that a folder holds, or None when it holds none.

    Raises
    ------
    SerEdgeError
        When the folder holds a run of something else, or a damaged one.
    """
    done = folder / "run.json"
    if not done.is_file():
        return None
    try:
        run = json.loads(done.read_text(encoding="utf-8"))
        figures, other = dict(run["figures"]), _difference(run, recipe, split, seed)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SerEdgeError(f"{done}: is damaged ({error}); delete it to train again") from error
    if other:
        raise SerEdgeError(f"{folder}: holds a run of {other}; delete it or choose another --out")
    return figures


def stored_metadata(folder: Path) -> ModelMetadata:
    """Metadata of the model that a folder holds.

    Raises
    ------
    SerEdgeError
        When it is missing or damaged.
    """
    path = folder / ENTRY
    try:
        return ModelMetadata.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise SerEdgeError(f"{path}: is damaged ({error}); train again") from error
    except SerEdgeError as error:
        raise SerEdgeError(f"{path}: {error}") from error


def _difference(run: dict[str, Any], recipe: Recipe, split: Split, seed: int) -> str:
    """What a stored run is of, where it is not of these; empty where it is."""
    start = start_of(recipe.transfer).digest
    if run["recipe"] != json.loads(json.dumps(recipe.to_dict())):
        return f"another version of the recipe {recipe.name}"
    if run["seed"] != seed:
        return "another seed"
    # The model that it started from need not be there any more.
    if start and run.get("start", start) != start:
        return "another model to start from"
    same = (
        run["fingerprint"] == fingerprint(recipe, split, seed)
        if "fingerprint" in run
        else _is_judged_alike(run, recipe, split)
    )
    return "" if same else "other recordings or of another split"


def _is_judged_alike(run: dict[str, Any], recipe: Recipe, split: Split) -> bool:
    """Whether a run that was stored without a fingerprint has the same test part."""
    tested, targets = labelled(split.test, split.labels, recipe)
    stored = [(one["name"], one["target"]) for one in run["predictions"]]
    return run["split"] == split.name and stored == [(u.name, t) for u, t in zip(tested, targets)]


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
        **({INHERITED: list(run.start.speakers)} if run.start.speakers else {}),
        **run.others,
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
    """The checkout's commit, "-dirty" when files were changed since; empty outside a checkout."""
    # Installed, it may lie in a repository that is not its own.
    if not _git("ls-files", Path(__file__).name):
        return ""
    return _git("describe", "--always", "--abbrev=12", "--exclude=*", "--dirty")


def _git(*arguments: str) -> str:
    """What git says of the folder of this file; nothing where there is no git."""
    try:
        result = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return result.stdout.strip()
