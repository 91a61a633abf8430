"""Draws a result of ``peers``: how long one decision takes, on a logarithmic scale."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from train.plots import in_house_style, to_png

OURS_COLOUR, PEERS_COLOUR = "tab:blue", "0.6"


@in_house_style
def decisions(result: dict[str, Any]) -> bytes:
    """Draw how long one decision takes.

    Parameters
    ----------
    result : dict
        What `benchmarks.peers.bench.bench_peers` gave.

    Returns
    -------
    bytes
        A PNG.
    """
    rows = sorted(result["contenders"].items(), key=lambda item: -float(item[1]["ratio"]["p50"]))
    names = [name for name, _ in rows]
    medians = [one["milliseconds"]["p50"] for _, one in rows]
    beyond = [one["milliseconds"]["p90"] - one["milliseconds"]["p50"] for _, one in rows]
    colours = [OURS_COLOUR if name.startswith("ser-edge") else PEERS_COLOUR for name in names]
    height = 1.2 + 0.32 * len(rows)
    figure = Figure(figsize=(9.0, height), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(
        names, medians, xerr=[[0.0] * len(rows), beyond], color=colours, ecolor="0.2", capsize=2
    )
    axes.bar_label(bars, [f"{one['ratio']['p50']:.3g}x" for _, one in rows], padding=18)
    axes.set(xscale="log", xlabel="ms for one decision, median; the line ends at p90")
    axes.margins(x=0.15)
    axes.set_title(f"{result['machine']['processor']}, one thread; x: times ser-edge-int8")
    return to_png(figure)
