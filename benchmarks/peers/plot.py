"""Draws a result of ``peers``: how long one decision takes, on a logarithmic scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from edge_runtime.errors import SerEdgeError

OURS_COLOUR, PEERS_COLOUR = "tab:blue", "0.6"


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw a result into a PNG file.

    Parameters
    ----------
    result : dict
        What `benchmarks.peers.bench.bench_peers` gave.
    path : Path
        The file to write.

    Raises
    ------
    SerEdgeError
        When it cannot be written.
    """
    rows = sorted(result["contenders"].items(), key=lambda item: -float(item[1]["ratio"]["p50"]))
    names = [name for name, _ in rows]
    medians = [one["milliseconds"]["p50"] for _, one in rows]
    beyond = [one["milliseconds"]["p90"] - one["milliseconds"]["p50"] for _, one in rows]
    colours = [OURS_COLOUR if name.startswith("ser-edge") else PEERS_COLOUR for name in names]
    height = 1.2 + 0.32 * len(rows)
    figure, axes = plt.subplots(figsize=(9.0, height), constrained_layout=True)
    bars = axes.barh(
        names, medians, xerr=[[0.0] * len(rows), beyond], color=colours, ecolor="0.2", capsize=2
    )
    axes.bar_label(bars, [f"{one['ratio']['p50']:.3g}x" for _, one in rows], padding=18)
    axes.set(xscale="log", xlabel="ms for one decision, median; the line ends at p90")
    axes.margins(x=0.15)
    axes.set_title(f"{result['machine']['processor']}, one thread; x: times ser-edge-int8")
    try:
        figure.savefig(path, format="png", dpi=110)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        plt.close(figure)
