"""Stored results: one JSON file per run, kept in the project and never edited by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError
from train.output_files import write_bytes

Results = dict[str, list[dict[str, Any]]]


def store(result: dict[str, Any], path: Path) -> None:
    """Write a result, whole or not at all.

    Raises
    ------
    SerEdgeError
        When it cannot be written.
    """
    text = json.dumps(result, separators=(",", ":")) + "\n"
    write_bytes(path, text.encode("utf-8"))


def load_all(folder: Path) -> Results:
    """Load every stored result.

    Parameters
    ----------
    folder : Path
        Holds one subfolder per kind of result; those may have subfolders.

    Returns
    -------
    dict of str to list of dict
        Results by kind, in the order of their paths.

    Raises
    ------
    SerEdgeError
        When there is none, or one is damaged.
    """
    results: Results = {}
    for path in sorted(folder.glob("*/**/*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SerEdgeError(f"{path}: cannot be read ({error})") from error
        results.setdefault(path.relative_to(folder).parts[0], []).append(result)
    if not results:
        raise SerEdgeError(f"{folder}: holds no results")
    return results


def of_kind(results: Results, kind: str) -> list[dict[str, Any]]:
    """Give the results of a kind.

    Raises
    ------
    SerEdgeError
        When there is none.
    """
    if kind not in results:
        raise SerEdgeError(f"there is no stored result of the kind {kind!r}")
    return results[kind]
