"""Stored results: one JSON file per run, kept in the project and never edited by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError


def store(result: dict[str, Any], path: Path) -> None:
    """Write a result, whole or not at all.

    Raises
    ------
    SerEdgeError
        When it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(result, separators=(",", ":")) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_all(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Load every stored result.

    Parameters
    ----------
    folder : Path
        Holds one subfolder per kind of result.

    Returns
    -------
    dict of str to list of dict
        Results by subfolder, in the order of their file names.

    Raises
    ------
    SerEdgeError
        When there is none, or one is damaged.
    """
    results: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*/**/*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SerEdgeError(f"{path}: cannot be read ({error})") from error
        results.setdefault(path.relative_to(folder).parts[0], []).append(result)
    if not results:
        raise SerEdgeError(f"{folder}: holds no results")
    return results
