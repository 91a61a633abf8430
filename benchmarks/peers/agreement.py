"""Whether two runs of ``peers`` come to the same ratios."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.contenders import OURS
from edge_runtime.errors import SerEdgeError

WITHIN = 0.15


def agreement(result: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """Compare the medians of all ratios that two results have in common.

    Parameters
    ----------
    result, earlier : dict
        What `benchmarks.peers.bench.bench_peers` gave.

    Returns
    -------
    dict
        As JSON types: ``apart``, by contender (and "classify", the whole program) by how much the
        larger ratio exceeds the smaller; ``largest``, the largest of them; ``within`` and whether
        all are, ``agrees``; ``only_in_one``, the names that only one of them has.

    Raises
    ------
    SerEdgeError
        When they have none in common.
    """
    now, before = _ratios(result), _ratios(earlier)
    apart = {
        name: round(max(now[name], before[name]) / min(now[name], before[name]) - 1.0, 4)
        for name in now
        if name in before
    }
    if not apart:
        raise SerEdgeError("the two results have no ratio in common")
    largest = max(apart.values())
    return {
        "apart": apart,
        "largest": largest,
        "within": WITHIN,
        "agrees": largest <= WITHIN,
        "only_in_one": sorted(set(now) ^ set(before)),
    }


def judged(against: dict[str, Any]) -> dict[str, str]:
    """What `agreement` gave, as a target and what came of it."""
    outcome = "met" if against["agrees"] else "missed"
    return {
        f"every ratio within {against['within']:.0%} of another run's": (
            f"{outcome}, {against['largest']:.1%}"
        )
    }


def _ratios(result: dict[str, Any]) -> dict[str, float]:
    """Medians by name, but for that of ours to itself."""
    ratios = {
        name: float(one["ratio"]["p50"])
        for name, one in result["contenders"].items()
        if name != OURS
    }
    if result["clips"]:
        ratios["classify"] = float(result["clips"]["ratio"]["p50"])
    return ratios
