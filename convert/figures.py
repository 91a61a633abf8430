"""How well a model does on recordings, and how far it departs from another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import recall_score

from convert.datasets import Recordings
from edge_runtime.reliability import expected_calibration_error, reliability_bins

Scores = NDArray[np.float32]


def judged(recordings: Recordings, scores: Scores, temperature: float = 1.0) -> dict[str, Any]:
    """Figures of a model on recordings.

    Parameters
    ----------
    recordings : Recordings
        With their labels.
    scores : ndarray of float32, shape (n_windows, n_labels)
        The model's, of every window.
    temperature : float
        See `edge_runtime.classifier.calibrate`.

    Returns
    -------
    dict
        ``uar``, ``wa`` and ``ece``, shares in [0, 1], and ``reliability``, see
        `edge_runtime.reliability`.
    """
    of_recordings = recordings.scores(scores, temperature)
    bins = reliability_bins(recordings.targets, of_recordings)
    guesses = of_recordings.argmax(axis=1)
    return {
        "uar": _rounded(uar(recordings.targets, guesses)),
        "wa": _rounded(np.mean(guesses == recordings.targets)),
        "ece": _rounded(expected_calibration_error(bins)),
        "reliability": bins,
    }


def uar(targets: NDArray[np.int64], guesses: NDArray[np.int64]) -> float:
    """Unweighted average recall over the classes that occur, 0 to 1."""
    present = np.unique(targets)
    return float(recall_score(targets, guesses, labels=present, average="macro"))


def departure(original: Scores, converted: Scores) -> dict[str, Any]:
    """How far a converted model's scores are from the original's, on the same inputs.

    Parameters
    ----------
    original, converted : ndarray of float32, shape (n, n_labels)
        Probabilities.

    Returns
    -------
    dict
        ``agreement``, the share with the same label; ``mean_difference`` and
        ``largest_difference`` of a probability.
    """
    difference = np.abs(converted - original)
    same = converted.argmax(axis=1) == original.argmax(axis=1)
    return {
        "agreement": _rounded(np.mean(same)),
        "mean_difference": round(float(difference.mean()), 6),
        "largest_difference": round(float(difference.max()), 6),
    }


def _rounded(value: Any) -> float:
    return round(float(value), 4)
