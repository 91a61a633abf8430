"""Figures of merit of a classifier on test utterances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score


def figures_of(
    targets: NDArray[np.int64], scores: NDArray[np.float32], labels: tuple[str, ...]
) -> dict[str, Any]:
    """UAR, WA, recall of every class and the confusion matrix.

    Parameters
    ----------
    targets : ndarray of int, shape (n,)
        Index of each utterance's label.
    scores : ndarray of float32, shape (n, n_labels)
        Scores, in the order of the labels.
    labels : tuple of str
        The classes.

    Returns
    -------
    dict
        ``utterances``, ``uar`` (mean recall over the classes that occur), ``wa`` (accuracy),
        ``recall`` by label and ``confusion`` (rows are the truth), as JSON types.
    """
    guesses = scores.argmax(axis=1)
    present = np.unique(targets)
    recalls = recall_score(targets, guesses, labels=present, average=None)
    matrix = confusion_matrix(targets, guesses, labels=range(len(labels)))
    return {
        "utterances": len(targets),
        "uar": round(float(np.mean(recalls)), 4),
        "wa": round(float(accuracy_score(targets, guesses)), 4),
        "recall": {labels[i]: round(float(r), 4) for i, r in zip(present, recalls)},
        "confusion": matrix.tolist(),
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
