"""Says what is the fastest here, and whether that is more than noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Figures = dict[str, Any]


def fastest(configurations: Sequence[Figures]) -> dict[str, Any]:
    """Name the configuration with the least median of a whole decision.

    Returns
    -------
    dict
        Its ``model``, ``backend`` and ``threads``.
    """
    best = min(configurations, key=lambda one: one["milliseconds"]["whole"]["p50"])
    return {name: best[name] for name in ("model", "backend", "threads")}


def verdicts(configurations: Sequence[Figures]) -> list[str]:
    """Say of each network, by inference alone, which form of it is the fastest here.

    Parameters
    ----------
    configurations : sequence of dict
        See `benchmarks.latency.figures.figures`.

    Returns
    -------
    list of str
        One sentence for each network of which several forms were measured, on the least number of
        threads. Each form counts in the back end that is the fastest for it. Two differ when
        their interquartile ranges do not overlap.
    """
    networks = dict.fromkeys(one["network"] for one in configurations)
    sentences = [
        _sentence(network, [one for one in configurations if one["network"] == network])
        for network in networks
    ]
    return [sentence for sentence in sentences if sentence]


def differ(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether the interquartile ranges of two spreads lie apart.

    Examples
    --------
    >>> differ({"p25": 1.0, "p75": 2.0}, {"p25": 2.0, "p75": 3.0})
    False
    """
    return one["p75"] < other["p25"] or other["p75"] < one["p25"]


def _sentence(network: str, configurations: list[Figures]) -> str:
    threads = min(one["threads"] for one in configurations)
    ranked = _best_by_format([one for one in configurations if one["threads"] == threads])
    if len(ranked) < 2:
        return ""
    best, *others = ranked
    level = [one for one in others if not differ(_inference(best), _inference(one))]
    slower = [one for one in others if one not in level]
    on = f"by inference alone, on {threads} thread{'s' if threads > 1 else ''}"
    if level:
        names = " and ".join(_name(one) for one in (best, *level))
        beginning = f"{network}: no difference beyond the noise between {names} here, {on}"
    else:
        beginning = f"{network}: {_name(best)} is the fastest here {on}"
    parts = [f"{beginning}: {', '.join(map(_time, (best, *level)))}"]
    parts += [
        f"{_name(one)} takes {_ratio(one, best):.2f} times as long ({_time(one)})" for one in slower
    ]
    return "; ".join(parts)


def _best_by_format(configurations: list[Figures]) -> list[Figures]:
    """Of each form the fastest, the fastest of all first."""
    ranked = sorted(configurations, key=lambda one: _inference(one)["p50"])
    best: dict[str, Figures] = {}
    for one in ranked:
        best.setdefault(_name(one), one)
    return list(best.values())


def _inference(one: Figures) -> dict[str, float]:
    spread: dict[str, float] = one["milliseconds"]["inference"]
    return spread


def _ratio(one: Figures, best: Figures) -> float:
    return _inference(one)["p50"] / max(_inference(best)["p50"], 1e-9)


def _name(one: Figures) -> str:
    return str(one["number_format"] or one["model"])


def _time(one: Figures) -> str:
    return f"{_inference(one)['p50']:.3f} ms in {one['backend']}"
