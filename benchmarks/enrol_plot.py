"""Draws what enrolment gains."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmarks.enrol_tables import KIND, by_corpus, by_run, general_counts_of
from benchmarks.results import Results, of_kind
from train.plots import in_house_style, to_png


@in_house_style
def enrolment_curves(results: Results) -> bytes:
    """Draw UAR against clips of each emotion, for every corpus, with the deviation over draws.

    As far as half of its speakers have so many clips.

    Parameters
    ----------
    results : dict
        What `benchmarks.results.load_all` gave.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    SerEdgeError
        When nothing is stored.
    """
    stored = of_kind(results, KIND)
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.subplots()
    for corpus, of_corpus in by_corpus(stored).items():
        counts = general_counts_of(of_corpus)
        after = [by_run(of_corpus, count, "uar after") for count in counts]
        before = [np.mean(by_run(of_corpus, count, "uar before")) for count in counts]
        mean = np.array([np.mean(values) for values in after])
        deviation = np.array([_deviation(values) for values in after])
        (line,) = axes.plot([0, *counts], [before[0], *mean], marker="o", label=corpus)
        low, high = mean - deviation, mean + deviation
        axes.fill_between(counts, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        axes.plot(counts, before, linestyle=":", color=line.get_color())
    axes.set(title="A model that never heard the corpus learns a voice of it")
    axes.set(xlabel="enrolled clips of each emotion", ylabel="UAR on the speaker's other clips")
    axes.set(xlim=(0, None), ylim=(0, 1))
    axes.legend(loc="upper right", title="dotted: without a profile")
    return to_png(figure)


def _deviation(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
