"""Pictures of a collection of labelled recordings, as PNG."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from edge_runtime.features import FeatureConfig, FeatureExtractor
from train.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    in_house_style,
    short,
    to_png,
)

CORPUS_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY)
HATCHES = ("", "//", "..", "xx")
MOST_ROWS = 40  # speakers in a heat map
BINS = 40
DECIBELS_SHOWN = 70.0  # below the loudest band

ByClass = dict[str, list[float]]


@in_house_style
def class_counts(counts: dict[str, dict[str, int]], emotions: list[str]) -> bytes:
    """Draw how many utterances each class has.

    Parameters
    ----------
    counts : dict of str to dict
        For each corpus the number of utterances by emotion.
    emotions : list of str
        The classes, from the top.

    Returns
    -------
    bytes
        A PNG with a bar for each class, stacked by corpus.
    """
    figure = Figure(figsize=(7.0, 1.2 + 0.36 * len(emotions) + 0.2 * (len(counts) > 1)))
    axes = figure.subplots()
    left = np.zeros(len(emotions), dtype=int)
    for number, (corpus, by_emotion) in enumerate(counts.items()):
        widths = np.array([by_emotion.get(emotion, 0) for emotion in emotions])
        colour = CORPUS_COLOURS[number % len(CORPUS_COLOURS)]
        hatch = HATCHES[number // len(CORPUS_COLOURS) % len(HATCHES)]
        bars = axes.barh(
            range(len(emotions)),
            widths,
            0.75,
            left,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=short(corpus),
        )
        left += widths
    axes.bar_label(bars, [str(total) for total in left], padding=3)
    axes.set_yticks(range(len(emotions)), [short(emotion) for emotion in emotions])
    axes.invert_yaxis()
    axes.set_xlabel("utterances")
    axes.margins(x=0.1)
    axes.grid(True, axis="x")
    if len(counts) > 1:
        figure.legend(loc="outside lower center", ncols=min(6, len(counts)))
    return to_png(figure)


@in_house_style
def durations(seconds: ByClass) -> bytes:
    """Draw how long the recordings are.

    Parameters
    ----------
    seconds : dict of str to list of float
        Lengths by emotion.

    Returns
    -------
    bytes
        A PNG with a histogram and a box for each class.
    """
    figure = Figure(figsize=(9.0, 3.4))
    left, right = figure.subplots(1, 2)
    everything = np.concatenate([np.asarray(values) for values in seconds.values()])
    limit = 1.1 * float(np.quantile(everything, 0.995))
    left.hist(np.minimum(everything, limit), BINS, range=(0.0, limit), color=BLUE)
    longer = int(np.count_nonzero(everything > limit))
    left.set_xlabel("seconds" + (f" ({longer} longer ones in the last bar)" if longer else ""))
    left.set_ylabel("recordings")
    left.set_title("Length of the recordings")
    left.grid(True, axis="y")
    _boxes(right, seconds, "seconds", "Length by class")
    return to_png(figure)


@in_house_style
def levels(level_dbfs: ByClass, peak_dbfs: list[float], silence: ByClass) -> bytes:
    """Draw how loud the recordings are.

    Parameters
    ----------
    level_dbfs : dict of str to list of float
        Root mean square levels by emotion, dB relative to a full-scale sine.
    peak_dbfs : list of float
        Peaks of all recordings, dB relative to full scale.
    silence : dict of str to list of float
        Share of silence by emotion, 0 to 1.

    Returns
    -------
    bytes
        A PNG with boxes of the levels, a histogram of the peaks and boxes of the silence.
    """
    figure = Figure(figsize=(9.0, 3.6))
    first, second, third = figure.subplots(1, 3)
    _boxes(first, level_dbfs, "dBFS (RMS, full-scale sine is 0)", "Level by class")
    lowest = min(-40.0, float(np.quantile(peak_dbfs, 0.005)))
    second.hist(np.clip(peak_dbfs, lowest, 0.0), BINS, range=(lowest, 0.0), color=BLUE)
    second.set(xlabel="dBFS (full scale is 0)", ylabel="recordings", title="Peak")
    second.grid(True, axis="y")
    _boxes(third, silence, "share of the recording", "Silence by class")
    third.yaxis.set_major_formatter(PercentFormatter(1.0))
    third.set_ylim(0.0, None)
    return to_png(figure)


@in_house_style
def speaker_balance(counts: dict[str, dict[str, int]], emotions: list[str]) -> bytes:
    """Draw how the classes are spread over the speakers.

    Parameters
    ----------
    counts : dict of str to dict
        For each speaker the number of utterances by emotion.
    emotions : list of str
        The classes.

    Returns
    -------
    bytes
        A PNG: a heat map of speakers and classes, or a bar for each of more than 40 speakers.
    """
    if len(counts) > MOST_ROWS:
        return _speaker_bars(counts)
    matrix = np.array([[row.get(emotion, 0) for emotion in emotions] for row in counts.values()])
    figure = Figure(figsize=(3.2 + 0.62 * len(emotions), 1.3 + 0.3 * len(counts)))
    axes = figure.subplots()
    edges = [np.arange(size + 1) - 0.5 for size in matrix.T.shape]
    image = axes.pcolormesh(*edges, matrix, cmap="Blues", vmin=0, edgecolors="white", linewidth=1)
    axes.invert_yaxis()
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if count > 0.55 * matrix.max() else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    _name_columns(axes, range(len(emotions)), emotions)
    axes.set_yticks(range(len(counts)), [short(speaker) for speaker in counts])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label="utterances")
    bar.outline.set_visible(False)
    return to_png(figure)


@in_house_style
def example(audio: NDArray[np.float32], sample_rate: int, title: str) -> bytes:
    """Draw one recording: waveform, log-mel spectrogram and MFCC.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1], at least 25 ms.
    sample_rate : int
        Samples per second, 4000 to 16000.
    title : str
        What it is.

    Returns
    -------
    bytes
        A PNG of three panels over the same time. Decibels are relative to the recording's loudest
        band.
    """
    config = example_features(sample_rate)
    frames = FeatureExtractor(config).frames(audio)
    cepstrum, log_mel = frames[:, : config.n_mfcc - 1], frames[:, config.n_mfcc - 1 : -1]
    seconds = len(audio) / sample_rate
    figure = Figure(figsize=(5.6, 5.6))
    wave, mel, mfcc = figure.subplots(3, sharex=True, height_ratios=(1, 1.6, 1.4))
    figure.suptitle(title, x=0.02, ha="left")
    wave.plot(np.arange(len(audio)) / sample_rate, audio, color=BLUE, linewidth=0.5)
    top = max(0.01, 1.05 * float(np.abs(audio).max()))
    wave.set(ylim=(-top, top), xlim=(0, seconds), ylabel="amplitude")
    image = _over_time(mel, log_mel - log_mel.max(), config, "magma", (-DECIBELS_SHOWN, 0.0))
    figure.colorbar(image, ax=mel, label="dB", pad=0.01)
    bands, hertz = _band_ticks(config)
    mel.set_yticks(bands, hertz)
    mel.set_ylabel("mel band, Hz")
    reach = max(1.0, float(np.quantile(np.abs(cepstrum), 0.97)))
    image = _over_time(mfcc, cepstrum, config, "RdBu_r", (-reach, reach), first=1)
    figure.colorbar(image, ax=mfcc, label="MFCC", pad=0.01)
    mfcc.set(ylabel="coefficient", xlabel="seconds")
    return to_png(figure)


def example_features(sample_rate: int) -> FeatureConfig:
    """Features of an example: frames of 25 ms every 10 ms, 64 mel bands, 19 MFCC without C0."""
    return FeatureConfig(
        kinds=("mfcc", "log_mel"),
        sample_rate=sample_rate,
        frame_length=sample_rate // 40,
        hop_length=sample_rate // 100,
        fft_size=512,
        n_mels=64,
        n_mfcc=20,
        first_coefficient="none",
    )


def _over_time(
    axes: Axes,
    frames: NDArray[np.float32],
    config: FeatureConfig,
    colours: str,
    limits: tuple[float, float],
    first: int = 0,
) -> AxesImage:
    """Show frames, (T, D), over seconds, the lowest column below and counted from `first`."""
    hop = config.hop_length / config.sample_rate
    start = (config.frame_length - config.hop_length) / 2 / config.sample_rate
    extent = (start, start + len(frames) * hop, first - 0.5, first + frames.shape[1] - 0.5)
    return axes.imshow(
        frames.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        extent=extent,
    )


def _band_ticks(config: FeatureConfig) -> tuple[list[int], list[str]]:
    """Some bands and the frequencies of their peaks."""
    peaks = config.filter_bank().argmax(axis=1) * config.sample_rate / config.fft_size
    wanted = [hertz for hertz in (250, 500, 1000, 2000, 4000) if hertz < config.sample_rate / 2.2]
    return [int(np.abs(peaks - hertz).argmin()) for hertz in wanted], [str(h) for h in wanted]


def _boxes(axes: Axes, values: ByClass, unit: str, title: str) -> None:
    """Median, quartiles and the middle 90 % of each class."""
    axes.boxplot(
        list(values.values()),
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        widths=0.6,
        boxprops={"facecolor": SKY, "edgecolor": BLUE},
        medianprops={"color": VERMILLION, "linewidth": 2},
        whiskerprops={"color": BLUE},
        capprops={"color": BLUE},
    )
    _name_columns(axes, range(1, len(values) + 1), values)
    axes.set(ylabel=unit, title=title)
    axes.grid(True, axis="y")


def _name_columns(axes: Axes, places: Iterable[int], names: Iterable[str]) -> None:
    texts = [short(name) for name in names]
    axes.set_xticks(list(places), texts, rotation=40, ha="right", rotation_mode="anchor")


def _speaker_bars(counts: dict[str, dict[str, int]]) -> bytes:
    totals = sorted((sum(row.values()) for row in counts.values()), reverse=True)
    figure = Figure(figsize=(9.0, 3.0))
    axes = figure.subplots()
    axes.bar(range(1, len(totals) + 1), totals, 0.85, color=BLUE)
    middle = float(np.median(totals))
    axes.axhline(middle, color=GREY, linestyle="--", label=f"median {middle:g}")
    axes.set(xlabel="speakers, from the one with most utterances", ylabel="utterances")
    axes.margins(x=0.01)
    axes.grid(True, axis="y")
    axes.legend()
    return to_png(figure)
