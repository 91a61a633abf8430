"""Draws what becomes of a recording: features, scores, events, and what quantisation changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image  # which matplotlib brings

from benchmarks.walkthrough import Walkthrough
from edge_runtime.metadata import UNSURE
from train.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    in_house_style,
    to_png,
)

INK = "#333333"
COLOURS = (INK, ORANGE, BLUE, VERMILLION, PURPLE, GREEN, SKY)  # of the labels in their order
CLOSED = "#EDEDED"  # behind where the gate was closed
WIDTH = 8.2  # inches
# Of the colours of features: what is further from the mean looks alike.
DEVIATIONS = 3.0
PALETTE = 64  # colours of a picture of many shades, which would be large otherwise


@in_house_style
def features_figure(walkthrough: Walkthrough) -> bytes:
    """Draw the sound, its mel bands, and one window as the network reads it.

    Returns
    -------
    bytes
        A PNG.
    """
    figure = Figure(figsize=(WIDTH, 6.4))
    sound, bands, window = figure.subplots(3, height_ratios=(1.0, 1.7, 1.7))
    _draw_sound(sound, walkthrough)
    length = walkthrough.log_mel.shape[0] * walkthrough.frame_seconds
    image = bands.imshow(
        walkthrough.log_mel.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        extent=(0.0, length, 0.0, walkthrough.log_mel.shape[1]),
        vmin=walkthrough.log_mel.max() - 60.0,
    )
    figure.colorbar(image, ax=bands, label="dB", pad=0.01)
    bands.set(title="Energy in mel bands", ylabel="band", xlim=sound.get_xlim())
    end = walkthrough.clearest_end
    start = end - walkthrough.window_seconds
    for axes in (sound, bands):
        axes.axvspan(start, end, facecolor="none", edgecolor=SKY, linewidth=2.0)
    image = window.imshow(
        walkthrough.clearest_window.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="RdBu_r",
        vmin=-DEVIATIONS,
        vmax=DEVIATIONS,
        extent=(start, end, 0.0, walkthrough.clearest_window.shape[1]),
    )
    figure.colorbar(image, ax=window, label="standard deviations", pad=0.01)
    window.set(title="The framed window, as the network reads it", ylabel="MFCC")
    window.set_xlabel("seconds")
    return _with_palette(to_png(figure))


@in_house_style
def decisions_figure(walkthrough: Walkthrough) -> bytes:
    """Draw the scores of each hop's window and the events that they led to.

    Returns
    -------
    bytes
        A PNG.
    """
    figure = Figure(figsize=(WIDTH, 6.0))
    sound, scores, said = figure.subplots(3, sharex=True, height_ratios=(1.0, 2.2, 0.8))
    _draw_sound(sound, walkthrough)
    ends = [hop.end for hop in walkthrough.hops]
    for label, colour in zip(walkthrough.labels, COLOURS):
        values = [np.nan if hop.scores is None else hop.scores[label] for hop in walkthrough.hops]
        scores.plot(ends, values, color=colour, marker="o", markersize=3.5, label=label)
    scores.axhline(walkthrough.threshold, color=GREY, linestyle="--", linewidth=1.0)
    scores.set(title="Scores of the window that ends here (dashed: below it, unsure)", ylim=(0, 1))
    scores.set_ylabel("score")
    scores.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=len(walkthrough.labels))
    for axes in (sound, scores):
        for start, end in _closed(walkthrough):
            axes.axvspan(start, end, color=CLOSED, zorder=0)
    colours = {**dict(zip(walkthrough.labels, COLOURS)), UNSURE: GREY}
    for label, start, end in _said(walkthrough):
        said.barh(0.0, end - start, 0.6, left=start, color=colours[label])
        said.text((start + end) / 2.0, 0.0, label, ha="center", va="center", color="white")
    said.set(title="What was said, from start to end", yticks=[], ylim=(-0.5, 0.5))
    said.set_xlabel("seconds (grey: the gate was closed, or not yet open for long enough)")
    said.spines["left"].set_visible(False)
    return to_png(figure)


@in_house_style
def quantised_figure(walkthrough: Walkthrough) -> bytes:
    """Draw the int8 model's scores against those of the float model.

    Returns
    -------
    bytes
        A PNG.
    """
    before, after = walkthrough.float_scores, walkthrough.int8_scores
    figure = Figure(figsize=(5.6, 5.4))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1.0, zorder=1)
    for column, label in enumerate(walkthrough.labels):
        axes.scatter(
            before[:, column], after[:, column], s=7, color=COLOURS[column], alpha=0.6, label=label
        )
    same = float(np.mean(before.argmax(axis=1) == after.argmax(axis=1)))
    apart = np.abs(before - after)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set(xlabel="score of the float model", ylabel="score of the int8 model")
    axes.set_title(
        f"{len(before)} windows: the same label in {same:.1%},\n"
        f"{apart.mean():.3f} apart on average, at most {apart.max():.3f}"
    )
    axes.legend(loc="upper left", markerscale=2.0)
    axes.grid(True)
    return to_png(figure)


def _with_palette(png: bytes) -> bytes:
    buffer = BytesIO()
    with Image.open(BytesIO(png)) as image:
        image.convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE).save(
            buffer, format="png", optimize=True
        )
    return buffer.getvalue()


def _draw_sound(axes: Axes, walkthrough: Walkthrough) -> None:
    times = np.arange(len(walkthrough.samples)) / walkthrough.sample_rate
    axes.plot(times, walkthrough.samples, color=INK, linewidth=0.4, zorder=2)
    axes.set(title="Sound", yticks=[], xlim=(0.0, times[-1]))
    axes.spines["left"].set_visible(False)


def _closed(walkthrough: Walkthrough) -> Iterator[tuple[float, float]]:
    """The hops that were not classified, from and to."""
    before = 0.0
    for hop in walkthrough.hops:
        if not hop.is_open:
            yield before, hop.end
        before = hop.end


def _said(walkthrough: Walkthrough) -> Iterator[tuple[str, float, float]]:
    """Label, start and end of each emotion, by the hops at which they were told."""
    # An event names its windows, which overlap with those of the one before.
    told, label = 0.0, None
    for hop in walkthrough.hops:
        if hop.label != label:
            if label is not None:
                yield label, told, hop.end
            told, label = hop.end, hop.label
    if label is not None:
        yield label, told, walkthrough.hops[-1].end


FIGURES: dict[str, Callable[[Walkthrough], bytes]] = {
    "features.png": features_figure,
    "decisions.png": decisions_figure,
    "quantised.png": quantised_figure,
}
