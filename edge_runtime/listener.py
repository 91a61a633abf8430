"""Turns a stream of sound into emotions that begin, go on and end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.adaptation import Adaptation
from edge_runtime.classifier import Classifier, checked_samples
from edge_runtime.decisions import DecisionMaker, DecisionSettings, Verdict
from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event, Hop
from edge_runtime.features import FrameStream
from edge_runtime.gates import Gate, make_gate
from edge_runtime.sources.clip import SILENCE_DBFS

MAX_HOP_SECONDS = 3600.0
LEAST_SPEECH_SECONDS = 0.5
LONGEST_PIECE_SECONDS = 1.0  # bounds the memory of a long hop


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


@dataclass(frozen=True)
class Step:
    """One hop of the stream.

    Attributes
    ----------
    hop : Hop
        What was heard.
    events : tuple of Event
        What it led to.
    """

    hop: Hop
    events: tuple[Event, ...]


class Listener:
    """Classifies a stream hop by hop, computing only the frames that are new.

    Parameters
    ----------
    classifier : Classifier
        The model.
    hop_seconds : float, optional
        Time between decisions, in seconds; the model's own by default.
    gate : Gate, optional
        Tells when there is speech: windows are classified only then. The energy gate by default.
    settings : DecisionSettings, optional
        How much it takes to say something.
    least_speech_seconds : float
        For how long the gate must have been open before windows are classified: what only sounds
        like speech, as a bark does, mostly is over by then.
    adapt : bool
        Whether to get used to the voice that is heard, see `edge_runtime.adaptation`. With a
        profile in use nothing is adapted: it knows the voice.

    Attributes
    ----------
    hop_seconds : float
        Time between decisions: a whole number of frames.

    Raises
    ------
    SerEdgeError
        When the hop is not above zero.
    """

    def __init__(
        self,
        classifier: Classifier,
        hop_seconds: float | None = None,
        gate: Gate | None = None,
        settings: DecisionSettings | None = None,
        least_speech_seconds: float = LEAST_SPEECH_SECONDS,
        adapt: bool = False,
    ) -> None:
        metadata = classifier.metadata
        seconds = metadata.hop_seconds if hop_seconds is None else hop_seconds
        if not 0.0 < seconds <= MAX_HOP_SECONDS:
            raise SerEdgeError(
                f"the hop must be above 0 and at most {MAX_HOP_SECONDS:g} seconds, not {seconds:g}"
            )
        config = metadata.features
        self._classifier = classifier
        self._config = config
        self._least_speech_seconds = least_speech_seconds
        self._gate = gate or make_gate("energy", config.sample_rate)
        self._decisions = DecisionMaker(
            metadata.labels, metadata.rejection_threshold, settings or DecisionSettings()
        )
        seconds_per_frame = config.hop_length / config.sample_rate
        self._hop_frames = max(1, round(seconds / seconds_per_frame))
        self.hop_seconds = self._hop_frames * seconds_per_frame
        self._adaptation = Adaptation(metadata.labels) if adapt else None
        self._samples_before = 0
        self._begin()

    def push(self, chunk: NDArray[Any], arrival: float | None = None) -> list[Step]:
        """Take the next samples and give the hops that they complete.

        Parameters
        ----------
        chunk : ndarray of float, shape (n_samples,)
            Mono samples in [-1, 1] at the model's rate.
        arrival : float, optional
            When they arrived, by `time.monotonic`; now by default.

        Returns
        -------
        list of Step
            One for every hop that the chunk completes, once the first window is full.

        Raises
        ------
        SerEdgeError
            When the samples are no mono sound: see `edge_runtime.classifier.checked_samples`.
        """
        since = time.monotonic() if arrival is None else arrival
        samples = checked_samples(chunk)
        steps = []
        # Cut where hops end, so that the gate is asked about no later sample; and worked on
        # there, all at once, which costs a fraction of what many small pieces do.
        while len(samples):
            piece = samples[: self._n_wanted - self._n_pending]
            samples = samples[len(piece) :]
            self._pending.append(piece)
            self._n_pending += len(piece)
            if self._n_pending < self._n_wanted:
                break
            self._take_pending()
            if self._n_frames == self._next_frame:
                self._next_frame += self._hop_frames
                steps.append(self._step(since))
                since = time.monotonic()
        return steps

    @property
    def adapts(self) -> bool:
        """Whether scores are adapted: asked for, and no profile is in use."""
        return self._adaptation is not None and self._classifier.profile is None

    @property
    def n_samples(self) -> int:
        """How many samples it was given: places in the stream are counted from the first."""
        return self._samples_before + self._n_samples + self._n_pending

    def reset(self) -> list[Event]:
        """Forget what was heard: what comes next does not follow on from it.

        What it got used to stays: after a gap, or with the microphone back, the room is the same.

        Returns
        -------
        list of Event
            The end of the emotion that was going on, if any.
        """
        events = self._events(self._decisions.end(), time.monotonic())
        self._samples_before = self.n_samples
        self._gate.reset()
        self._begin()
        return events

    def _begin(self) -> None:
        metadata = self._classifier.metadata
        self._stream: FrameStream | None = FrameStream(self._classifier.extractor)
        self._unread: list[NDArray[np.float32]] = []  # sound that no frames were computed of yet
        self._n_unread = 0
        self._ring = FrameRing(metadata.window_frames, self._config.frame_dim + 1)
        self._pending: list[NDArray[np.float32]] = []
        self._n_samples = self._n_frames = self._n_pending = 0
        self._next_frame = metadata.window_frames

    @property
    def _n_wanted(self) -> int:
        """How many samples are worked on next: up to the end of the hop, if that is near."""
        until_hop = self._config.samples_for(self._next_frame) - self._n_samples
        return min(until_hop, int(LONGEST_PIECE_SECONDS * self._config.sample_rate))

    def _take_pending(self) -> None:
        samples = np.concatenate(self._pending)  # a copy: whoever gave them may use them again
        self._pending, self._n_pending = [], 0
        self._gate.push(samples)
        self._unread.append(samples)
        self._n_unread += len(samples)
        self._n_samples += len(samples)
        self._n_frames = self._config.frames_in(self._n_samples)
        if self._gate.is_open:
            self._compute_frames()
        else:
            self._forget_old_sound()

    def _compute_frames(self) -> None:
        """Compute the frames of all sound that was not looked at yet."""
        is_new = self._stream is None
        stream = self._stream or FrameStream(self._classifier.extractor)
        frames = stream.push(_joined(self._unread))
        # A stream's first frame does not know the sample before it, which pre-emphasis looks at.
        self._ring.push(frames[1:] if is_new else frames)
        self._stream, self._unread, self._n_unread = stream, [], 0

    def _forget_old_sound(self) -> None:
        """Keep what a window may still need: in a quiet room no frames are computed at all."""
        hop = self._config.hop_length
        needed = self._config.samples_for(len(self._ring.window) + 1) + hop
        if self._n_unread < 2 * needed:
            return
        # Frames begin at multiples of the hop, whatever is forgotten.
        start = (self._n_samples - needed) // hop * hop
        kept = np.concatenate(self._unread)[start - self._n_samples :]
        self._stream, self._unread, self._n_unread = None, [kept], len(kept)

    def _step(self, since: float) -> Step:
        gate = self._gate
        is_open = gate.is_open and gate.open_seconds >= self._least_speech_seconds
        is_open = is_open and not self._window_is_silent()
        scores = self._window_scores() if is_open else None
        start, end = self._window_place()
        decisions = self._decisions
        verdicts = decisions.end() if scores is None else decisions.push(scores, start, end)
        labels = self._classifier.metadata.labels
        events = self._events(verdicts, since)
        hop = Hop(
            time=events[-1].time if events else _utc_now(),
            end=round(end, 3),
            is_open=is_open,
            level_dbfs=round(self._gate.level_dbfs, 1),
            noise_dbfs=round(self._gate.noise_dbfs, 1),
            scores=None if scores is None else _by_label(labels, scores),
            label=self._decisions.label,
            latency_ms=round((time.monotonic() - since) * 1000.0, 3),
        )
        return Step(hop, tuple(events))

    def _window_scores(self) -> NDArray[np.float32]:
        scores = self._classifier.window_scores(self._ring.window)
        if self._adaptation is None or not self.adapts:
            return scores
        return self._adaptation.push(scores, self.hop_seconds)

    def _window_place(self) -> tuple[float, float]:
        """Where in the stream the window lies, in seconds."""
        rate, window_frames = self._config.sample_rate, len(self._ring.window)
        first = self._samples_before + (self._n_frames - window_frames) * self._config.hop_length
        return first / rate, (first + self._config.samples_for(window_frames)) / rate

    def _window_is_silent(self) -> bool:
        window = self._ring.window
        loudest = window[:, -1].argmax()
        (level,) = self._classifier.extractor.level_dbfs(window[loudest : loudest + 1])
        return bool(level <= SILENCE_DBFS)

    def _events(self, verdicts: list[Verdict], since: float) -> list[Event]:
        if not verdicts:
            return []
        now, utc_now = time.monotonic(), _utc_now()
        return [
            Event(
                kind=verdict.kind,
                time=utc_now,
                monotonic=round(now, 3),
                start=round(verdict.start, 3),
                end=round(verdict.end, 3),
                label=verdict.label,
                score=verdict.score,
                scores=_by_label(self._classifier.metadata.labels, verdict.scores),
                level_dbfs=round(self._gate.level_dbfs, 1),
                latency_ms=round((now - since) * 1000.0, 3),
                model=self._classifier.model_id,
                profile=self._classifier.profile_name,
            )
            for verdict in verdicts
        ]


def listen(
    chunks: Iterable[NDArray[Any]],
    classifier: Classifier | None = None,
    hop_seconds: float | None = None,
    gate: str = "energy",
    settings: DecisionSettings | None = None,
    adapt: bool = False,
) -> Iterator[Event]:
    """Tell the emotions in a stream of chunks.

    Parameters
    ----------
    chunks : iterable of ndarray of float, each of shape (n_samples,)
        Mono samples in [-1, 1] at the model's rate, in chunks of any length.
    classifier : Classifier, optional
        The model; the bundled one by default.
    hop_seconds : float, optional
        Time between decisions, in seconds; the model's own by default.
    gate : {"energy", "silero", "webrtc", "off"}
        What tells when there is speech.
    settings : DecisionSettings, optional
        How much it takes to say something.
    adapt : bool
        Whether to get used to the voice that is heard, see `edge_runtime.adaptation`.

    Yields
    ------
    Event
        As an emotion begins, at each hop while it goes on, and as it ends.

    Examples
    --------
    >>> from edge_runtime.sources import AudioFile
    >>> for event in listen(AudioFile("examples/demo.wav", 16000).chunks()):
    ...     print(event.kind, event.label)  # doctest: +SKIP
    """
    model = classifier or Classifier()
    made = make_gate(gate, model.metadata.features.sample_rate)
    listener = Listener(model, hop_seconds, made, settings, adapt=adapt)
    for chunk in chunks:
        for step in listener.push(chunk):
            yield from step.events
    yield from listener.reset()


def _joined(pieces: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _by_label(labels: tuple[str, ...], scores: NDArray[np.float32]) -> dict[str, float]:
    return dict(zip(labels, scores.tolist()))


def _utc_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
