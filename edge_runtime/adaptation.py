"""Getting used to a voice: what a model leans to, whatever is said, is taken off what it says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

MEMORY_SECONDS = 600.0  # of emotional speech, after which what was heard counts 1 / e
# At so much of it half of the leaning is taken off: what little was heard may be one emotion.
HALF_STRENGTH_SECONDS = 10.0
# Scores of an int8 model step by 1/256: what is 0 there may be nearly half a step.
LEAST_PROBABILITY = 1e-3
# Most of what is said in a home is neutral. A mean over that is no leaning: to take it off would
# push away what is mostly right, and what sounds nearly neutral, as sadness does.
RESTING = ("neutral", "calm")


class Adaptation:
    """Takes off the emotional classes what the model gives them whatever is said.

    On a voice, a language or a room that a model does not know, its outputs are shifted by about
    the same for whatever is said. The mean of the logarithms of its own probabilities tells that
    shift without anybody saying what was right. Only the differences among the emotional classes
    are taken off: how likely they are together, against the resting ones, stays the model's. And
    only what the model takes for emotional is learnt from.

    Parameters
    ----------
    labels : tuple of str
        Of the scores, in their order. "neutral" and "calm" are the resting ones; of a model that
        has neither, all are emotional.

    Notes
    -----
    Of the probabilities ``p`` of a window, no less than 0.001 each,

        adapted = softmax(log p - strength * (mean - mean over the emotional classes of mean))

    where ``mean`` is that of ``log p`` over the windows before whose likeliest class is emotional,
    each weighing its seconds, and less by ``exp(-s / 600)`` for ``s`` seconds of such windows
    since; ``strength`` is
    ``w / (w + 10)`` with ``w`` the sum of these weights; and nothing is taken off resting classes.
    A classifier's outputs are adjusted to other priors by such an offset for each class, too [1]_;
    there the priors are estimated, and here it is the mean of the outputs themselves.

    The state is as large after a year as at the start, and in memory alone.

    References
    ----------
    .. [1] M. Saerens, P. Latinne and C. Decaestecker, "Adjusting the outputs of a classifier to
       new a priori probabilities: a simple procedure", Neural Computation 14(1), 2002.

    Examples
    --------
    >>> adaptation = Adaptation(("neutral", "happy", "angry"))
    >>> leaning = np.array([0.2, 0.2, 0.6], np.float32)
    >>> for _ in range(1000):
    ...     adapted = adaptation.push(leaning, seconds=0.5)
    >>> adapted.astype(float).round(1).tolist()
    [0.2, 0.4, 0.4]
    """

    def __init__(self, labels: tuple[str, ...]) -> None:
        resting = np.array([label in RESTING for label in labels])
        emotional = ~resting
        # One alone has none to be compared with.
        self._emotional = emotional if emotional.sum() > 1 else np.zeros_like(emotional)
        self._mean = np.zeros(len(labels))
        self._weight = 0.0

    @property
    def seconds(self) -> float:
        """How much emotional speech it remembers; what is long ago counts less."""
        return self._weight

    @property
    def offset(self) -> NDArray[np.float64]:
        """What is taken off the logarithm of each probability now, (n_labels,)."""
        offset = np.zeros(len(self._mean))
        if self._emotional.any():
            means = self._mean[self._emotional]
            strength = self._weight / (self._weight + HALF_STRENGTH_SECONDS)
            offset[self._emotional] = strength * (means - means.mean())
        return offset

    def push(self, scores: NDArray[Any], seconds: float) -> NDArray[np.float32]:
        """Judge a window by what was heard before it, and remember it.

        Parameters
        ----------
        scores : ndarray of float, shape (n_labels,)
            The model's calibrated probabilities, summing to 1.
        seconds : float
            How much new speech the window stands for, above 0: the hop.

        Returns
        -------
        ndarray of float32, shape (n_labels,)
            Probabilities, summing to 1.
        """
        adapted = self.adapted(scores)
        self.learn(scores, seconds)
        return adapted

    def adapted(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Judge windows by what was heard so far; nothing is remembered.

        Parameters
        ----------
        scores : ndarray of float, shape (..., n_labels)
            See `push`.

        Returns
        -------
        ndarray of float32, shape (..., n_labels)
            Probabilities, summing to 1; the scores themselves where nothing was heard yet.
        """
        if self._weight == 0.0 or not self._emotional.any():
            return np.asarray(scores, dtype=np.float32)
        logits = _log(scores) - self.offset
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)

    def learn(self, scores: NDArray[Any], seconds: float) -> None:
        """Remember a window, see `push`; one that the model takes for resting is left out."""
        if not self._emotional[int(np.argmax(scores))]:
            return
        self._weight = self._weight * math.exp(-seconds / MEMORY_SECONDS) + seconds
        self._mean += seconds / self._weight * (_log(scores) - self._mean)


def _log(scores: NDArray[Any]) -> NDArray[np.float64]:
    return np.log(np.maximum(np.asarray(scores, dtype=np.float64), LEAST_PROBABILITY))
