"""Draws how sure models are of what is right."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.coverage import coverage_curve
from train.plots import in_house_style, to_png


@in_house_style
def sureness(result: dict[str, Any]) -> bytes:
    """Draw what scores mean: reliability, and accuracy against coverage.

    Parameters
    ----------
    result : dict
        See `benchmarks.accuracy.judge`.

    Returns
    -------
    bytes
        A PNG.
    """
    figure = Figure(figsize=(10.0, 4.4), layout="constrained")
    reliability, coverage = figure.subplots(1, 2)
    for name, model in result["models"].items():
        bins = [one for one in model["figures"]["reliability"] if one["count"]]
        reliability.plot(
            [one["confidence"] for one in bins],
            [one["accuracy"] for one in bins],
            marker="o",
            markersize=4,
            label=f"{name}, ECE {model['figures']['ece']:.3f}",
        )
        _coverage(coverage, name, result["targets"], model)
    reliability.plot([0, 1], [0, 1], color="0.7", linestyle="--", zorder=0)
    reliability.set(title="Reliability", xlabel="score", ylabel="share that is right")
    reliability.set(xlim=(0, 1), ylim=(0, 1))
    coverage.set(title="What is left of unsure answers", xlabel="share that is answered")
    coverage.set(ylabel="share of it that is right", xlim=(0, 1), ylim=(0, 1.01))
    for axes in (reliability, coverage):
        axes.legend(loc="lower right")
    figure.supxlabel(result["protocol"], fontsize="small", wrap=True)
    return to_png(figure)


def _coverage(axes: Axes, name: str, targets: list[int], model: dict[str, Any]) -> None:
    curve = coverage_curve(targets, model["scores"])
    (line,) = axes.plot(curve.coverage, curve.accuracy, label=name)
    threshold = model["conversion"].get("calibration", {}).get("rejection_threshold")
    if threshold is not None and (curve.threshold >= threshold).any():
        last = int((curve.threshold >= threshold).sum()) - 1
        axes.plot(
            curve.coverage[last],
            curve.accuracy[last],
            "o",
            color=line.get_color(),
            label=f"its threshold, {threshold:.2f}",
        )
