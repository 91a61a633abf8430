"""From the scores of rolling windows to emotions that begin, go on and end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.metadata import UNSURE

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class DecisionSettings:
    """How much it takes to say something.

    Attributes
    ----------
    smoothing : float
        Weight of the newest window against all before it, above 0, at most 1 (no smoothing).
    minimum_count : int
        How many windows in a row must agree before an emotion starts, and how many that do not
        bear it out end it.
    hysteresis : float
        By how much the score of the emotion that is going on may fall below the best one, or below
        the threshold, before it ends; 0 to 1.
    refractory_seconds : float
        How long after one emotion started no other one starts.
    threshold : float or None
        The least score that is called by its name, and not "unsure"; the model's own when None.
    """

    smoothing: float = 0.5
    minimum_count: int = 2
    hysteresis: float = 0.1
    refractory_seconds: float = 1.0
    threshold: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What a window changed.

    Attributes
    ----------
    kind : {"start", "update", "end"}
        Of the emotion.
    label : str
        The class, or "unsure".
    score : float
        Its smoothed probability; of "unsure", that of the likeliest class.
    scores : ndarray of float32, shape (n_labels,)
        The smoothed probabilities.
    start, end : float
        Where in the stream its first window began and its latest ended, in seconds.
    """

    kind: str
    label: str
    score: float
    scores: Scores
    start: float
    end: float


class DecisionMaker:
    """Smooths scores over windows and decides when an emotion starts and ends.

    Parameters
    ----------
    labels : tuple of str
        Of the scores, in their order.
    threshold : float
        The model's rejection threshold.
    settings : DecisionSettings
        How much it takes.

    Examples
    --------
    >>> maker = DecisionMaker(("calm", "angry"), 0.0, DecisionSettings(minimum_count=2))
    >>> angry = np.array([0.1, 0.9], dtype=np.float32)
    >>> [len(maker.push(angry, start, start + 2.0)) for start in (0.0, 0.5)]
    [0, 1]
    >>> maker.label
    'angry'
    >>> [verdict.kind for verdict in maker.end()]
    ['end']
    """

    def __init__(
        self, labels: tuple[str, ...], threshold: float, settings: DecisionSettings
    ) -> None:
        self._labels = labels
        self._settings = settings
        self._threshold = threshold if settings.threshold is None else settings.threshold
        self._scores: Scores | None = None
        self._latest: Verdict | None = None  # of the emotion that is going on
        self._candidate: str | None = None
        self._candidate_start = 0.0
        self._count = 0
        self._n_against = 0  # windows in a row that do not bear out what is going on
        self._last_start = -float("inf")

    @property
    def label(self) -> str | None:
        """The emotion that is going on, "unsure", or None."""
        return self._latest.label if self._latest else None

    def push(self, scores: Scores, start: float, end: float) -> list[Verdict]:
        """Take the scores of the next window.

        Parameters
        ----------
        scores : ndarray of float32, shape (n_labels,)
            Calibrated probabilities, summing to 1.
        start, end : float
            The window's place in the stream, in seconds.

        Returns
        -------
        list of Verdict
            An update of the emotion that is going on; or its end, with or without the start of
            another; or nothing.
        """
        smoothed = self._smooth(scores)
        self._count_candidate(self._candidate_of(smoothed.tolist()), start)
        if self._may_start(end):
            return [*self._end_of_emotion(), self._start(end)]
        if self.label is None:
            return []
        self._n_against = 0 if self._candidate == self.label else self._n_against + 1
        if self._n_against >= self._settings.minimum_count:
            return self._end_of_emotion()
        return [self._tell("update", end)]

    def end(self) -> list[Verdict]:
        """Take note that there is no more speech: the end of the emotion that is going on, if any.

        The next window stands for itself, without the scores of those before.
        """
        self._scores = None
        self._candidate = None
        return self._end_of_emotion()

    def _end_of_emotion(self) -> list[Verdict]:
        """End the emotion that is going on, if any."""
        latest, self._latest = self._latest, None
        if latest is None:
            return []
        return [Verdict("end", latest.label, latest.score, latest.scores, latest.start, latest.end)]

    def _smooth(self, scores: Scores) -> Scores:
        if self._scores is None:
            self._scores = scores
        else:
            newest = self._settings.smoothing
            self._scores = newest * scores + (1.0 - newest) * self._scores
        return self._scores

    def _candidate_of(self, scores: list[float]) -> str:
        best = max(scores)
        if self.label is not None and self._holds(self.label, scores, best):
            return self.label
        return self._labels[scores.index(best)] if best >= self._threshold else UNSURE

    def _holds(self, label: str, scores: list[float], best: float) -> bool:
        """Whether what is going on goes on, by hysteresis."""
        if label == UNSURE:
            return False
        own = scores[self._labels.index(label)]
        margin = self._settings.hysteresis
        return own >= best - margin and own >= self._threshold - margin

    def _count_candidate(self, candidate: str, start: float) -> None:
        if candidate != self._candidate:
            self._candidate, self._candidate_start, self._count = candidate, start, 0
        self._count += 1

    def _may_start(self, end: float) -> bool:
        if self._candidate == self.label:
            return False
        settings = self._settings
        rested = end - self._last_start >= settings.refractory_seconds
        return self._count >= settings.minimum_count and rested

    def _start(self, end: float) -> Verdict:
        self._last_start = end
        self._n_against = 0
        label = str(self._candidate)
        self._latest = self._verdict("start", label, self._candidate_start, end)
        return self._latest

    def _tell(self, kind: str, end: float) -> Verdict:
        """Say how the emotion that is going on does."""
        assert self._latest is not None
        self._latest = self._verdict(kind, self._latest.label, self._latest.start, end)
        return self._latest

    def _verdict(self, kind: str, label: str, start: float, end: float) -> Verdict:
        assert self._scores is not None
        scores = self._scores
        own = scores.max() if label == UNSURE else scores[self._labels.index(label)]
        return Verdict(kind, label, float(own), scores, start, end)
