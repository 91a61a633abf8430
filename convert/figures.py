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


def embedding_departure(original: Scores, converted: Scores) -> dict[str, Any]:
    """How far a converted model's embeddings are from the original's, on the same inputs.

    Parameters
    ----------
    original, converted : ndarray of float32, shape (n, size)
        Embeddings.

    Returns
    -------
    dict
        ``size``; ``correlation``, that of all values about their own mean over the inputs, and
        ``least_correlation`` of an input: 1 where they tell inputs apart alike, 0 where they have
        nothing in common.
    """
    one, other = original - original.mean(axis=0), converted - converted.mean(axis=0)
    by_input = np.sum(one * other, axis=1) / _lengths(one, other)
    return {
        "size": original.shape[1],
        "correlation": _rounded(np.sum(one * other) / _lengths(one.ravel(), other.ravel())),
        "least_correlation": _rounded(by_input.min()),
    }


def _lengths(one: Scores, other: Scores) -> Any:
    product = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.maximum(product, np.finfo(np.float32).tiny)


def _rounded(value: Any) -> float:
    return round(float(value), 4)
