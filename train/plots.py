"""Pictures of a training run, as PNG.

Colours are those of Okabe and Ito, which people with colour-blindness tell apart. The same data
give the same bytes, whatever style the user has configured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, GREY = "#56B4E9", "#CC79A7", "#767676"
DOTS_PER_INCH = 120
LONGEST_LABEL = 24
STYLE = {
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "grid.alpha": 0.35,
    "legend.frameon": False,
    "font.size": 10,
    # Labels are people's own: a $ in one is no formula.
    "text.parse_math": False,
}

# Panels of the curves: title, and key, name and colour of each line.
Lines = tuple[tuple[str, str, str], ...]
PANELS: tuple[tuple[str, Lines], ...] = (
    ("Loss", (("loss", "training", BLUE), ("validation_loss", "validation", VERMILLION))),
    (
        "On the validation part",
        (("validation_uar", "UAR", VERMILLION), ("validation_accuracy", "WA", BLUE)),
    ),
    ("Learning rate", (("learning_rate", "learning rate", GREEN),)),
)
SELECTED_BY = "validation_uar"

Drawing = TypeVar("Drawing", bound=Callable[..., bytes])


def in_house_style(draw: Drawing) -> Drawing:
    """Make a drawing function independent of the user's matplotlib configuration."""
    decorated: Drawing = style.context(["default", STYLE])(draw)
    return decorated


def to_png(figure: Figure) -> bytes:
    """Render a figure; the same figure gives the same bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def short(label: str) -> str:
    """Return a label as it fits beside an axis."""
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


@in_house_style
def training_curves(history: list[dict[str, Any]]) -> bytes:
    """Draw what was looked at while a network was fitted.

    Parameters
    ----------
    history : list of dict
        One for each look, in order. Any of ``step`` or ``epoch`` (else they are counted from 1),
        ``loss``, ``validation_loss``, ``validation_uar``, ``validation_accuracy`` and
        ``learning_rate``; what a look lacks is left out.

    Returns
    -------
    bytes
        A PNG with a panel for each kind of curve, and the best validation UAR marked.
    """
    panels = [panel for panel in PANELS if any(_values(history, key)[1] for key, *_ in panel[1])]
    if not panels:
        return _note("No history of the training was kept.")
    figure = Figure(figsize=(7.5, 0.6 + 2.3 * len(panels)))
    rows = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, (title, lines) in zip(rows, panels):
        for key, name, colour in lines:
            steps, values = _values(history, key)
            if values:
                mark = "o" if len(values) <= 40 else ""
                axes.plot(steps, values, color=colour, label=name, marker=mark, markersize=3.5)
                if key == SELECTED_BY:
                    _mark_best(axes, steps, values)
        axes.set_title(title)
        axes.grid(True)
        if len(axes.get_lines()) > 1 or axes.get_legend_handles_labels()[1] == ["UAR"]:
            axes.legend(loc="best")
    rows[-1].set_xlabel(_clock(history))
    return to_png(figure)


@in_house_style
def confusion_matrix(matrix: list[list[int]], labels: list[str]) -> bytes:
    """Draw who was taken for whom.

    Parameters
    ----------
    matrix : list of list of int, shape (n_labels, n_labels)
        Number of utterances; rows are the truth, columns the guess.
    labels : list of str
        The classes.

    Returns
    -------
    bytes
        A PNG; every cell has its share of the row, which is its colour, and its count.
    """
    counts, names = np.asarray(matrix), [short(label) for label in labels]
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    side = max(3.2, 0.78 * len(labels))
    figure = Figure(figsize=(side + 2.2, side + 1.2))
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            _write_cell(axes, row, column, float(share), int(counts[row, column]))
    axes.set_xticks(range(len(labels)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), [f"{label} ({n})" for label, n in zip(names, totals[:, 0])])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("taken for")
    axes.set_ylabel("truth (utterances)")
    bar = figure.colorbar(image, ax=axes, shrink=0.75, format=lambda share, _: f"{share:.0%}")
    bar.set_label("share of the utterances of the row")
    bar.outline.set_visible(False)
    return to_png(figure)


@in_house_style
def reliability_diagram(bins: list[dict[str, Any]], ece: float) -> bytes:
    """Draw how often the guesses of each confidence are right.

    Parameters
    ----------
    bins : list of dict
        What `edge_runtime.reliability.reliability_bins` gave.
    ece : float
        Expected calibration error, 0 to 1.

    Returns
    -------
    bytes
        A PNG: above, accuracy over confidence; below, the share of guesses in each bin.
    """
    width = 1.0 / len(bins)
    middles = (np.arange(len(bins)) + 0.5) * width
    counts = np.array([one["count"] for one in bins])
    accuracy = np.array([one["accuracy"] or 0.0 for one in bins])
    filled = counts > 0
    confidence = np.array([one["confidence"] or 0.0 for one in bins])
    figure = Figure(figsize=(5.2, 6.0))
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], "--", color=GREY, label="as often right as confident")
    upper.bar(
        middles, accuracy, 0.92 * width, color=SKY, edgecolor=BLUE, label="share that is right"
    )
    upper.vlines(
        confidence[filled],
        accuracy[filled],
        confidence[filled],
        color=VERMILLION,
        linewidth=2.5,
        label="gap to the mean confidence",
    )
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
    upper.set_title(f"Expected calibration error {ece:.3f}")
    upper.legend(loc="upper left")
    lower.bar(middles, counts / max(1, counts.sum()), 0.92 * width, color=GREY)
    lower.set(xlabel="confidence (score of the guess)", ylabel="share of guesses")
    for axes in (upper, lower):
        axes.grid(True)
    return to_png(figure)


@in_house_style
def class_bars(figures: dict[str, Any], labels: list[str]) -> bytes:
    """Draw precision, recall and F1 of every class.

    Parameters
    ----------
    figures : dict
        What `train.figures.figures_of` gave.
    labels : list of str
        The classes, from the top; one that does not occur has no bars.

    Returns
    -------
    bytes
        A PNG.
    """
    kinds = (("precision", ORANGE), ("recall", BLUE), ("f1", GREEN))
    height = 0.26
    figure = Figure(figsize=(7.0, 1.4 + 0.62 * len(labels)))
    axes = figure.subplots()
    for place, (kind, colour) in enumerate(kinds):
        rows = [row for row, label in enumerate(labels) if label in figures[kind]]
        values = [figures[kind][labels[row]] for row in rows]
        positions = [row + (place - 1) * height for row in rows]
        name = "F1" if kind == "f1" else kind
        bars = axes.barh(positions, values, 0.9 * height, color=colour, label=name)
        blank = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=7.5, bbox=blank)
    axes.axvline(
        figures["uar"], color=GREY, linestyle="--", label=f"UAR {figures['uar']:.3f}", zorder=0
    )
    absent = " (does not occur)"
    axes.set_yticks(
        range(len(labels)),
        [short(label) + ("" if label in figures["recall"] else absent) for label in labels],
    )
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, 1.08)
    axes.grid(True, axis="x")
    figure.legend(loc="outside lower center", ncols=4)
    return to_png(figure)


def _clock(history: list[dict[str, Any]]) -> str:
    """What the looks are counted in: a key that every one has."""
    for key in ("step", "epoch"):
        if all(look.get(key) is not None for look in history):
            return key
    return "look"


def _values(history: list[dict[str, Any]], key: str) -> tuple[list[float], list[float]]:
    """Steps and values of one curve, where it has a finite one."""
    clock = _clock(history)
    points = [
        (float(look.get(clock, number)), float(look[key]))
        for number, look in enumerate(history, start=1)
        if look.get(key) is not None and math.isfinite(look[key])
    ]
    return [step for step, _ in points], [value for _, value in points]


def _mark_best(axes: Axes, steps: list[float], values: list[float]) -> None:
    # Of equals the last, as the training takes it.
    best = max(range(len(values)), key=lambda place: (values[place], place))
    axes.plot(
        steps[best],
        values[best],
        "*",
        color=VERMILLION,
        markersize=13,
        label=f"best UAR, {values[best]:.3f}",
    )


def _write_cell(axes: Axes, row: int, column: int, share: float, count: int) -> None:
    colour = "white" if share > 0.55 else "black"
    axes.text(column, row - 0.12, f"{share:.0%}", ha="center", va="center", color=colour)
    axes.text(column, row + 0.22, str(count), ha="center", va="center", color=colour, fontsize=7.5)


def _note(text: str) -> bytes:
    figure = Figure(figsize=(6.0, 1.0))
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY)
    return to_png(figure)
