"""What is stored of a conversion: enough for the tables, and why it failed where it did."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError

Record = dict[str, Any]
# Folders of an absolute path, up to the file's name. Nodes of ONNX networks look alike.
FOLDERS = re.compile(r"(?<![\w./])/(?P<first>[\w.+@~-]+)/(?:[\w.+@~-]+/)*(?=[\w.])")
BACKEND_FIGURES = ("ran", "why", "backend", "latency_ms_p50", "latency_ms_p90", "agreement")


def made(report: Record, why: str, folders: tuple[Path, ...]) -> Record:
    """Reduce the report of a conversion to what is stored of it.

    Parameters
    ----------
    report : dict
        What `convert.pipeline.convert` gave.
    why : str
        Why it is of another target than the one that was asked for; empty where it is not.
    folders : tuple of Path
        Left out of `why`.

    Returns
    -------
    dict
        As JSON types; ``target`` is what was made, ``why`` the reason where that is another.
    """
    test = report["test"]
    return {
        "target": report["target"],
        "why": without_folders(why, folders),
        "settings": report["settings"],
        "attempts": report["attempts"],
        "size": report["size"],
        "windows": report["windows"],
        "agreement": report["agreement"],
        "validation": {name: report["validation"][name] for name in ("utterances", "uar_drop")},
        "test": {
            **{name: test[name] for name in ("utterances", "agreement", "uar_drop")},
            **{
                f"{figure}_{when}": test[when][figure]
                for figure in ("uar", "ece")
                for when in ("before", "after")
            },
            # Calibration errors of folds cannot be averaged: small ones are larger by chance.
            "bins_after": [_rounded(one) for one in test["after"]["reliability"]],
        },
        "temperature": round(report["calibration"]["temperature"], 4),
        "backends": {name: _backend(ran, folders) for name, ran in report["backends"].items()},
        "versions": report["versions"],
        "machine": platform.machine(),
    }


def _rounded(one: Record) -> Record:
    """A bin of `edge_runtime.reliability`, in as many decimals as tables need."""
    return {name: round(value, 4) if value else value for name, value in one.items()}


def not_made(error: SerEdgeError, folders: tuple[Path, ...]) -> Record:
    """Record of a target that could not be made: ``target`` is empty, ``why`` says why."""
    return {"target": "", "why": without_folders(str(error), folders)}


def line(record: Record) -> str:
    """One line for a person."""
    if not record["target"]:
        return f"not made: {record['why']}"
    test = record["test"]
    parts = [record["why"]] if record["why"] else []
    parts += [
        f"{record['size'] / 1024:.1f} KB",
        f"{record['agreement']:.1%} same label on {record['windows']} windows",
        f"UAR {test['uar_before']:.3f} -> {test['uar_after']:.3f} on {test['utterances']} test "
        "utterances",
        *(
            f"{ran['backend']} {ran['latency_ms_p50']:.2f} ms" if ran["ran"] else f"{name} not run"
            for name, ran in record["backends"].items()
        ),
    ]
    return "; ".join(parts)


def without_folders(text: str, folders: tuple[Path, ...]) -> str:
    """A sentence whose paths are reduced to the names of the files.

    Parameters
    ----------
    text : str
        May name files in `folders`, and others by their absolute paths.
    folders : tuple of Path
        As they are named in the text.
    """
    for folder in folders:
        text = text.replace(f"{folder}{os.sep}", "")
    return FOLDERS.sub(lambda path: "" if Path("/", path["first"]).is_dir() else path[0], text)


def _backend(ran: Record, folders: tuple[Path, ...]) -> Record:
    kept = {
        name: value
        for name, value in ran.items()
        if name in BACKEND_FIGURES or name.startswith("steps_from_")
    }
    return {**kept, **({"why": without_folders(ran["why"], folders)} if "why" in ran else {})}
