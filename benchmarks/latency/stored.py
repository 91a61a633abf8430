"""Reads a stored result of ``ser-bench latency``, and trusts nothing in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.latency.stages import STAGES
from edge_runtime.errors import SerEdgeError

KIND = "latency"
FORMAT = 1
SPREADS = ("whole", *STAGES)
TEXTS = ("model", "backend", "sha256", "backend_version", "python", "numpy")
COMPARED = ("p25", "p50", "p75", "p90")


def read_latency(path: Path) -> dict[str, Any]:
    """Read a result that ``ser-bench latency --store`` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        See `benchmarks.latency.measure.bench_latency`.

    Raises
    ------
    SerEdgeError
        When it cannot be read, is damaged, is something else, or is of another version.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise SerEdgeError(f"{path}: is no JSON, or damaged ({error})") from error
    if not isinstance(stored, dict) or stored.get("kind") != KIND:
        raise SerEdgeError(
            f"{path}: is no result of ser-bench latency; store one with: ser-bench latency "
            "--store FILE.json"
        )
    if stored.get("format") != FORMAT:
        raise SerEdgeError(
            f"{path}: is of format {stored.get('format')}, and this ser-bench reads {FORMAT}: "
            "measure again with one version of ser-edge"
        )
    try:
        _check(stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SerEdgeError(f"{path}: is damaged ({error!r}): measure again") from error
    return stored


def _check(stored: dict[str, Any]) -> None:
    """Touch all that is compared or shown; what is not as it must be raises."""
    _require(isinstance(stored["machine"]["model"], str), "machine")
    _require(isinstance(stored["made"], str), "made")
    _require(all(isinstance(one, str) for one in stored["warnings"]), "warnings")
    configurations = stored["configurations"]
    _require(isinstance(configurations, list) and len(configurations) > 0, "configurations")
    for one in configurations:
        _require(all(isinstance(one[name], str) for name in TEXTS), "model or back end")
        _require(_is_time(one["hop_seconds"]), "hop_seconds")
        _require(type(one["threads"]) is int, "threads")
        for name in SPREADS:
            _require(all(_is_time(one["milliseconds"][name][p]) for p in COMPARED), name)
        ready = one["ready_seconds"]
        _require(all(_is_time(ready[name]) for name in ("min", "p50", "max")), "ready_seconds")
        for name in ("steady_mib", "peak_mib"):
            _require(one[name] is None or _is_time(one[name]), name)


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"its {what} is not as ser-bench writes it")
