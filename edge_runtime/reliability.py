"""Whether scores mean what they say: that 80 % of the answers with a score of 0.8 are right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RELIABILITY_BINS = 15  # as in Guo et al.


def reliability_bins(
    targets: NDArray[np.int64], scores: NDArray[np.float32], n_bins: int = RELIABILITY_BINS
) -> list[dict[str, Any]]:
    """How often guesses of similar confidence are right.

    Parameters
    ----------
    targets : ndarray of int, shape (n,)
        Index of each utterance's label.
    scores : ndarray of float32, shape (n, n_labels)
        Probabilities; the largest is the confidence.
    n_bins : int
        Number of bins of equal width over confidences from 0 to 1; bin m of M holds those in
        ((m - 1) / M, m / M].

    Returns
    -------
    list of dict
        For each bin, from the lowest: ``confidence`` and ``accuracy``, the means over its
        utterances, None where it has none, and ``count``.

    References
    ----------
    .. [1] C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, eq. 1 and 2.
    """
    confidence = scores.max(axis=1).astype(np.float64)
    right = scores.argmax(axis=1) == targets
    inner_edges = np.arange(1, n_bins) / n_bins
    bin_of = np.digitize(confidence, inner_edges, right=True)
    bins = []
    for number in range(n_bins):
        inside = bin_of == number
        count = int(np.count_nonzero(inside))
        bins.append(
            {
                "confidence": float(confidence[inside].mean()) if count else None,
                "accuracy": float(right[inside].mean()) if count else None,
                "count": count,
            }
        )
    return bins


def expected_calibration_error(bins: list[dict[str, Any]]) -> float:
    """Mean difference of confidence and accuracy, each bin weighted with its utterances.

    Parameters
    ----------
    bins : list of dict
        What `reliability_bins` gave.

    Returns
    -------
    float
        0 (a confidence of 0.8 is right in 80 % of the cases) to 1.

    References
    ----------
    .. [1] C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, eq. 3.
    """
    total = sum(one["count"] for one in bins)
    gaps = (one["count"] * abs(one["accuracy"] - one["confidence"]) for one in bins if one["count"])
    return float(sum(gaps) / total)
