"""Draws the trials of a search."""

from __future__ import annotations

import json

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from optuna.distributions import CategoricalDistribution

from train.plots import BLUE, GREY, VERMILLION, in_house_style, short, to_png
from train.search.space import Distribution, Space
from train.search.trial import Trial, best_of, text_of

COLUMNS = 3


@in_house_style
def picture_of(space: Space, done: list[Trial]) -> bytes:
    """Draw the UAR over the trials, and over each value."""
    judged = [trial for trial in done if trial.uar is not None]
    columns = min(COLUMNS, 1 + len(space))
    rows = -(-(1 + len(space)) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.8 * rows))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    _draw_progress(panels[0], judged)
    for axes, (key, distribution) in zip(panels[1:], space.items()):
        _draw_value(axes, key, distribution, judged)
    for axes in panels[1 + len(space) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel("validation UAR")
    return to_png(figure)


def _draw_progress(axes: Axes, judged: list[Trial]) -> None:
    numbers, uars = [t.number for t in judged], np.array([t.uar for t in judged], dtype=float)
    axes.plot(numbers, uars, "o", color=BLUE, markersize=4)
    best = np.maximum.accumulate(uars)
    axes.step(numbers, best, where="post", color=VERMILLION, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("trial")
    axes.grid(True)
    axes.legend(loc="best")


def _draw_value(axes: Axes, key: str, distribution: Distribution, judged: list[Trial]) -> None:
    uars = np.array([trial.uar for trial in judged], dtype=float)
    values = [trial.values[key] for trial in judged]
    if isinstance(distribution, CategoricalDistribution):
        choices = [str(choice) for choice in distribution.choices]
        axes.set_xticks(range(len(choices)), [short(text_of(json.loads(c))) for c in choices])
        axes.set_xlim(-0.5, len(choices) - 0.5)
        values = [choices.index(json.dumps(value)) for value in values]
    else:
        if distribution.log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            # The default writes formulas, which the house style does not.
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.tick_params(axis="x", labelrotation=40)
        axes.set_xlim(distribution.low, distribution.high)
    axes.plot(values, uars, "o", color=BLUE, markersize=4, clip_on=False)
    best = best_of(judged)
    if best is not None:
        axes.axvline(values[judged.index(best)], color=GREY, linestyle="--", zorder=0)
    axes.set_title(key)
    axes.grid(True)
