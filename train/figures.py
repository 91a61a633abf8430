"""Figures of merit of a classifier on test utterances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.reliability import expected_calibration_error, reliability_bins

AVERAGED = ("uar", "wa", "macro_f1", "ece")
DECIMALS = 4


def figures_of(
    targets: NDArray[np.int64], scores: NDArray[np.float32], labels: tuple[str, ...]
) -> dict[str, Any]:
    """Figures of merit over all utterances and for each class that occurs.

    Parameters
    ----------
    targets : ndarray of int, shape (n,)
        Index of each utterance's label, n >= 1.
    scores : ndarray of float32, shape (n, n_labels)
        Probabilities, in the order of the labels; the largest is the guess, the first of equals.
    labels : tuple of str
        The classes.

    Returns
    -------
    dict
        As JSON types, shares in [0, 1] rounded to four decimals:

        - ``utterances``: their number;
        - ``uar`` (mean recall), ``wa`` (accuracy) and ``macro_f1`` (mean F1), the means over the
          classes that occur;
        - ``recall``, ``precision``, ``f1`` and ``class_accuracy`` by label, of the classes that
          occur. The precision of a class that is never guessed is 0. ``class_accuracy`` is the
          share of all utterances that are judged right about this class against the rest: those
          of the class that are taken for it and the others that are not;
        - ``confusion``: number of utterances, rows are the truth and columns the guess;
        - ``ece`` and ``reliability``: see `edge_runtime.reliability`.

    Raises
    ------
    SerEdgeError
        When there is no utterance.
    """
    if not len(targets):
        raise SerEdgeError("there are no utterances to judge")
    guesses = scores.argmax(axis=1)
    present = np.unique(targets)
    names = [labels[index] for index in present]
    from sklearn.metrics import precision_recall_fscore_support  # late, to begin training sooner

    precision, recall, f1, _ = precision_recall_fscore_support(
        targets, guesses, labels=present, average=None, zero_division=0.0
    )
    matrix = _confusion(targets, guesses, len(labels))
    bins = reliability_bins(targets, scores)
    return {
        "utterances": len(targets),
        "uar": _rounded(np.mean(recall)),
        "wa": _rounded(np.trace(matrix) / len(targets)),
        "macro_f1": _rounded(np.mean(f1)),
        "recall": _by_label(names, recall),
        "precision": _by_label(names, precision),
        "f1": _by_label(names, f1),
        "class_accuracy": _by_label(names, _one_against_rest(matrix)[present]),
        "confusion": matrix.tolist(),
        "ece": _rounded(expected_calibration_error(bins)),
        "reliability": [
            {key: value if key == "count" else _rounded(value) for key, value in one.items()}
            for one in bins
        ],
    }


def figures_by_corpus(
    corpora: list[str],
    targets: NDArray[np.int64],
    scores: NDArray[np.float32],
    labels: tuple[str, ...],
) -> dict[str, Any]:
    """`figures_of` all utterances and, where they are of several corpora, ``by_corpus``."""
    figures = figures_of(targets, scores, labels)
    names = np.array(corpora)
    if len(set(corpora)) > 1:
        figures["by_corpus"] = {
            corpus: figures_of(targets[names == corpus], scores[names == corpus], labels)
            for corpus in sorted(set(corpora))
        }
    return figures


def over_seeds(figures: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Mean and standard deviation over several runs.

    Parameters
    ----------
    figures : list of dict
        What `figures_of` gave for each run, at least one.

    Returns
    -------
    dict
        For each of ``uar``, ``wa``, ``macro_f1`` and ``ece`` the ``mean`` and the ``std``, the
        sample's standard deviation (n - 1 in its denominator), None for a single run.

    Raises
    ------
    SerEdgeError
        When there is no run.
    """
    if not figures:
        raise SerEdgeError("there are no runs to average")
    table = {name: [float(one[name]) for one in figures] for name in AVERAGED}
    return {
        name: {
            "mean": _rounded(np.mean(values)),
            "std": _rounded(np.std(values, ddof=1)) if len(values) > 1 else None,
        }
        for name, values in table.items()
    }


def _confusion(
    targets: NDArray[np.int64], guesses: NDArray[np.int64], n_labels: int
) -> NDArray[np.int64]:
    if n_labels == 1:  # scikit-learn warns of it
        return np.array([[len(targets)]])
    from sklearn.metrics import confusion_matrix

    matrix: NDArray[np.int64] = confusion_matrix(targets, guesses, labels=range(n_labels))
    return matrix


def _one_against_rest(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of utterances right about each class, (n_labels,)."""
    wrong = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    return np.asarray(1.0 - wrong / matrix.sum())


def _by_label(names: list[str], values: NDArray[np.float64]) -> dict[str, float | None]:
    return {name: _rounded(value) for name, value in zip(names, values)}


def _rounded(value: float | np.floating[Any] | None) -> float | None:
    return None if value is None else round(float(value), DECIMALS)
