"""The range of values that eight bits are spread over, for each activation of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

N_BINS = 2048
LEVELS = 255  # steps of an int8 tensor
SHRINKS = np.linspace(1.0, 0.3, 71)  # of equally good ones the widest
PERCENTILE = 99.99
METHODS = ("minmax", "percentile", "mse")
Range = tuple[float, float]


class Histogram:
    """How often the values of a tensor lie where, in memory that does not grow.

    Parameters
    ----------
    low, high : float
        Least and largest value that occurs.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.counts: NDArray[np.int64] = np.zeros(N_BINS, dtype=np.int64)

    @property
    def centres(self) -> NDArray[np.float64]:
        """The value in the middle of every bin."""
        edges = np.linspace(self.low, self.high, N_BINS + 1)
        return np.asarray((edges[:-1] + edges[1:]) / 2)

    def add(self, values: NDArray[Any]) -> None:
        """Count values."""
        inside = np.clip(values.astype(np.float64).ravel(), self.low, self.high)
        self.counts += np.histogram(inside, bins=N_BINS, range=(self.low, self.high))[0]


def range_of(histogram: Histogram, method: str) -> Range:
    """The range that an activation is quantised over.

    Parameters
    ----------
    histogram : Histogram
        Its values over the representative dataset.
    method : {"minmax", "percentile", "mse"}
        All that occurs; all but 0.01 % at either end; or the range, shrunk first from above and
        then from below, for which the mean squared error of quantisation, clipping included, is
        least.

    Returns
    -------
    low, high : float
        Zero lies between them, so that it is represented exactly.

    References
    ----------
    .. [1] H. Wu et al., "Integer Quantization for Deep Learning Inference: Principles and
       Empirical Evaluation", arXiv:2004.09602, section 3.4 (max, percentile and MSE calibration).
    """
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    if method == "minmax" or not histogram.counts.any():
        return low, high
    if method == "percentile":
        return _percentiles(histogram)
    centres, counts = histogram.centres, histogram.counts
    highs = [float(high * share) for share in SHRINKS]
    high = min(highs, key=lambda end: squared_error(centres, counts, low, end))
    lows = [float(low * share) for share in SHRINKS]
    return min(lows, key=lambda end: squared_error(centres, counts, end, high)), high


def squared_error(
    values: NDArray[np.float64], counts: NDArray[np.int64], low: float, high: float
) -> float:
    """Mean squared error of quantising values to 256 steps from `low` to `high`.

    Parameters
    ----------
    values, counts : ndarray, shape (n,)
        The values and how often each occurs.
    low, high : float
        The range; values beyond it are clipped to it.
    """
    step = max((high - low) / LEVELS, np.finfo(np.float64).tiny)
    steps = np.clip(np.rint((values - low) / step), 0, LEVELS)
    quantised = low + steps * step
    return float(np.sum(counts * (values - quantised) ** 2) / counts.sum())


def _percentiles(histogram: Histogram) -> Range:
    share = np.cumsum(histogram.counts) / histogram.counts.sum()
    edges = np.linspace(histogram.low, histogram.high, N_BINS + 1)
    tail = 1.0 - PERCENTILE / 100.0
    low = edges[np.searchsorted(share, tail, side="right")]
    high = edges[min(N_BINS, int(np.searchsorted(share, 1.0 - tail)) + 1)]
    return min(float(low), 0.0), max(float(high), 0.0)
