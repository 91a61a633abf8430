"""Turns a stream of sound into a stream of decisions over rolling windows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import Classifier, checked_samples
from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.features import FrameStream
from edge_runtime.sources.clip import SILENCE_DBFS

MAX_HOP_SECONDS = 3600.0


class FrameRing:
    """The newest frames of a stream, oldest first.

    Parameters
    ----------
    length : int
        Number of frames kept.
    width : int
        Number of values in a frame.
    """

    def __init__(self, length: int, width: int) -> None:
        self._frames = np.zeros((length, width), dtype=np.float32)

    @property
    def window(self) -> NDArray[np.float32]:
        """The frames, (length, width); a view that the next push overwrites."""
        return self._frames

    def push(self, frames: NDArray[np.float32]) -> None:
        """Append frames, (T, width), and forget as many of the oldest."""
        newest = frames[-len(self._frames) :]
        kept = len(self._frames) - len(newest)
        self._frames[:kept] = self._frames[len(self._frames) - kept :].copy()
        self._frames[kept:] = newest


class Listener:
    """Classifies a stream, one decision per hop, computing only the frames that are new.

    Parameters
    ----------
    classifier : Classifier
        The model.
    hop_seconds : float, optional
        Time between decisions, in seconds; the model's own by default.

    Raises
    ------
    SerEdgeError
        When the hop is not above zero.
    """

    def __init__(self, classifier: Classifier, hop_seconds: float | None = None) -> None:
        metadata = classifier.metadata
        seconds = metadata.hop_seconds if hop_seconds is None else hop_seconds
        if not 0.0 < seconds <= MAX_HOP_SECONDS:
            raise SerEdgeError(
                f"the hop must be above 0 and at most {MAX_HOP_SECONDS:g} seconds, not {seconds:g}"
            )
        config = metadata.features
        self._classifier = classifier
        self._stream = FrameStream(classifier.extractor)
        self._ring = FrameRing(metadata.window_frames, config.frame_dim + 1)
        self._seconds_per_frame = config.hop_length / config.sample_rate
        self._window_seconds = metadata.window_seconds
        self._hop_frames = max(1, round(seconds / self._seconds_per_frame))
        self._frames_seen = 0
        self._next_decision = metadata.window_frames
        self._last_loud_frame = -metadata.window_frames - 1

    def push(self, chunk: NDArray[Any]) -> list[Event]:
        """Take the next samples and give the decisions that they complete.

        Parameters
        ----------
        chunk : ndarray of float, shape (n_samples,)
            Mono samples in [-1, 1] at the model's rate.

        Returns
        -------
        list of Event
            One for every hop that the chunk completes, once the first window is full, unless the
            whole window is silent.

        Raises
        ------
        SerEdgeError
            When the samples are no mono sound: see `edge_runtime.classifier.checked_samples`.
        """
        arrival = time.perf_counter()
        frames = self._stream.push(checked_samples(chunk))
        events = []
        while len(frames):
            taken = min(len(frames), self._next_decision - self._frames_seen)
            self._ring.push(frames[:taken])
            self._note_loudness(frames[:taken])
            frames = frames[taken:]
            self._frames_seen += taken
            if self._frames_seen == self._next_decision:
                self._next_decision += self._hop_frames
                if not self._window_is_silent():
                    events.append(self._decide(arrival))
                    arrival = time.perf_counter()
        return events

    def _note_loudness(self, frames: NDArray[np.float32]) -> None:
        loud = np.flatnonzero(self._classifier.extractor.level_dbfs(frames) > SILENCE_DBFS)
        if len(loud):
            self._last_loud_frame = self._frames_seen + int(loud[-1])

    def _window_is_silent(self) -> bool:
        return self._frames_seen - self._last_loud_frame > len(self._ring.window)

    def _decide(self, arrival: float) -> Event:
        decision = self._classifier.decide(self._classifier.window_scores(self._ring.window))
        start = (self._frames_seen - len(self._ring.window)) * self._seconds_per_frame
        return Event(
            time=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            start=round(start, 3),
            end=round(start + self._window_seconds, 3),
            label=decision.label,
            score=decision.score,
            scores=decision.scores,
            latency_ms=round((time.perf_counter() - arrival) * 1000.0, 3),
            model=self._classifier.model_id,
        )


def listen(
    chunks: Iterable[NDArray[Any]],
    classifier: Classifier | None = None,
    hop_seconds: float | None = None,
) -> Iterator[Event]:
    """Classify a stream of chunks over rolling windows.

    Parameters
    ----------
    chunks : iterable of ndarray of float, each of shape (n_samples,)
        Mono samples in [-1, 1] at the model's rate, in chunks of any length.
    classifier : Classifier, optional
        The model; the bundled one by default.
    hop_seconds : float, optional
        Time between decisions, in seconds; the model's own by default.

    Yields
    ------
    Event
        One for every hop, once the first window is full.
    """
    listener = Listener(classifier or Classifier(), hop_seconds)
    for chunk in chunks:
        yield from listener.push(chunk)
