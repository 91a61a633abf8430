"""Keeps training runs as stored results: each test prediction, and the figures of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.results import store
from edge_runtime.errors import SerEdgeError
from train.figures import figures_by_corpus

SCORE_DECIMALS = 4
KIND = "systems"
# RECIPE-seedN, as ser-train evaluate names the folder of a protocol's splits.
RUN_NAME = re.compile(r".+-seed\d+")


@dataclass(frozen=True)
class Collected:
    """What became of the runs below a folder.

    Attributes
    ----------
    added, replaced : list of Path
        Files that were written: of runs not stored before, and of runs that are newer than what
        was stored.
    unchanged : list of Path
        Files that hold the run already.
    kept : list of Path
        Files that hold something else than the run, which is no newer.
    incomplete : list of Path
        Run folders that are not done.
    """

    added: list[Path] = field(default_factory=list)
    replaced: list[Path] = field(default_factory=list)
    unchanged: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    incomplete: list[Path] = field(default_factory=list)


def collect(runs: Path, results: Path) -> Collected:
    """Store every complete run of ``ser-train evaluate`` below a folder.

    Parameters
    ----------
    runs : Path
        Holds ``PROTOCOL/RECIPE-seedN/SPLIT/run.json``. A folder of a split without ``run.json``
        is a run that is not done.
    results : Path
        Stored results; a run goes to ``systems/PROTOCOL/RECIPE-seedN-SPLIT.json``. A run that is
        stored already is left alone, another one is replaced by a newer one only.

    Returns
    -------
    Collected
        The files, by what became of them.

    Raises
    ------
    SerEdgeError
        When there is no run, a run or what is stored of it is damaged, or it cannot be written.
        What was stored until then stays.
    """
    collected = Collected()
    folders = sorted(
        folder
        for folder in runs.glob("*/*/*")
        if folder.is_dir() and RUN_NAME.fullmatch(folder.parent.name)
    )
    if not folders:
        raise SerEdgeError(
            f"{runs}: holds no run of a protocol; ser-train evaluate writes them there with --out"
        )
    for folder in tqdm(folders, desc="runs", unit="run", disable=None):
        if (folder / "run.json").is_file():
            _keep(folder, results, collected)
        else:
            collected.incomplete.append(folder)
    return collected


def compact(folder: Path) -> dict[str, Any]:
    """Reduce a run to what is stored of it.

    Parameters
    ----------
    folder : Path
        ``PROTOCOL/RECIPE-seedN/SPLIT`` with its ``run.json``.

    Returns
    -------
    dict
        As JSON types: what was run by which protocol, every test utterance as CORPUS/NAME with its
        label's index and its scores, rounded, and the figures (`train.figures`) of those scores.

    Raises
    ------
    SerEdgeError
        When the run is damaged.
    """
    path = folder / "run.json"
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        return _compact(run, folder.parent.parent.name)
    except (OSError, ValueError, KeyError, TypeError, SerEdgeError) as error:
        raise SerEdgeError(
            f"{path}: is damaged ({_reason(error)}); delete it and run ser-train evaluate again"
        ) from error


def _compact(run: dict[str, Any], protocol: str) -> dict[str, Any]:
    predictions = run["predictions"]
    labels = tuple(run["labels"])
    targets = [int(prediction["target"]) for prediction in predictions]
    scores = np.round([prediction["scores"] for prediction in predictions], SCORE_DECIMALS)
    corpora = [prediction["corpus"] for prediction in predictions]
    return {
        "recipe": run["recipe"]["name"],
        "architecture": run["recipe"]["architecture"],
        "parameters": run["parameters"],
        "examples": run["recipe"]["examples"],
        "rounds": len(run["history"]),
        "protocol_name": protocol,
        "protocol": run["protocol"],
        "warnings": run["warnings"],
        "split": run["split"],
        "seed": run["seed"],
        "labels": list(labels),
        "speakers": {"test": run["speakers"]["test"]},
        "versions": run["versions"],
        "commit": run["commit"],
        "finished": datetime.fromisoformat(run["finished"]).isoformat(),
        "figures": figures_of_stored(corpora, targets, scores.tolist(), labels),
        "utterances": [f"{corpus}/{p['name']}" for corpus, p in zip(corpora, predictions)],
        "targets": targets,
        # A network that is sure gives hundreds of zeros and ones: one character each.
        "scores": [[int(s) if s.is_integer() else s for s in row] for row in scores.tolist()],
    }


def figures_of_stored(
    corpora: list[str], targets: list[int], scores: list[list[float]], labels: tuple[str, ...]
) -> dict[str, Any]:
    """Figures of merit of scores as they are stored; see `train.figures.figures_by_corpus`."""
    return figures_by_corpus(corpora, np.array(targets), np.array(scores, dtype=np.float32), labels)


def _keep(folder: Path, results: Path, collected: Collected) -> None:
    run = compact(folder)
    name = f"{run['recipe']}-seed{run['seed']}-{run['split']}.json"
    path = results / KIND / run["protocol_name"] / name
    stored = _stored(path)
    if stored == run:
        collected.unchanged.append(path)
        return
    if stored is not None and not _is_newer(run, stored, path):
        collected.kept.append(path)
        return
    store(run, path)
    (collected.added if stored is None else collected.replaced).append(path)


def _stored(path: Path) -> Any:
    """What a file of results holds; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _stored_damage(path, error) from error


def _is_newer(run: dict[str, Any], stored: Any, path: Path) -> bool:
    try:
        before = datetime.fromisoformat(stored["finished"])
        return datetime.fromisoformat(run["finished"]) > before
    except (ValueError, KeyError, TypeError) as error:
        raise _stored_damage(path, error) from error


def _stored_damage(path: Path, error: Exception) -> SerEdgeError:
    return SerEdgeError(f"{path}: is damaged ({_reason(error)}); delete it and collect again")


def _reason(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
