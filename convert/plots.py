"""Draws a conversion's report: reliability before and after, layers, back ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

MOST_LAYERS = 15


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw a report into a PNG file.

    Parameters
    ----------
    report : dict
        What `convert.pipeline.convert` made.
    path : Path
        The file to write.
    """
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), constrained_layout=True)
    _reliability(axes[0], report.get("test"))
    _layers(axes[1], report["layers"])
    _latency(axes[2], report["backends"])
    figure.suptitle(f"{Path(report['file']).name}, {report['target']}")
    figure.savefig(path, format="png", dpi=110)
    plt.close(figure)


def _reliability(axes: Axes, test: dict[str, Any] | None) -> None:
    axes.set(title="Reliability on test utterances", xlabel="score", ylabel="share that is right")
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    if test is None:
        _say(axes, "no labelled recordings held out")
        return
    for key, name in (("before", "float"), ("after", "converted, calibrated")):
        bins = [one for one in test[key]["reliability"] if one["count"]]
        axes.plot(
            [one["confidence"] for one in bins],
            [one["accuracy"] for one in bins],
            marker="o",
            markersize=4,
            label=f"{name}, ECE {test[key]['ece']:.3f}",
        )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")


def _layers(axes: Axes, layers: list[dict[str, Any]]) -> None:
    axes.set(title="Noisiest layers in int8", xlabel="signal to quantisation noise, dB")
    if not layers:
        _say(axes, "measured for int8 only")
        return
    worst = layers[:MOST_LAYERS][::-1]
    axes.barh([row["layer"][-28:] for row in worst], [row["sqnr_db"] for row in worst])
    axes.tick_params(axis="y", labelsize=7)


def _latency(axes: Axes, backends: dict[str, dict[str, Any]]) -> None:
    axes.set(title="Latency here, one thread", ylabel="ms, p50 and p90")
    ran = [one for one in backends.values() if one["ran"]]
    names = [one["backend"] for one in ran]
    middles = [one["latency_ms_p50"] for one in ran]
    above = [max(0.0, one["latency_ms_p90"] - one["latency_ms_p50"]) for one in ran]
    axes.bar(names, middles, yerr=[[0.0] * len(ran), above], width=0.5, capsize=4)


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color="0.4")
