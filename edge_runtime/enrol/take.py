"""Records one utterance: from the first word to the pause after the last, and judges it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.gates import Gate
from edge_runtime.sources.audio_file import CLIPPED
from edge_runtime.sources.clip import SILENCE_DBFS

HANGOVER_SECONDS = 0.8  # a pause that long ends the utterance
WAIT_SECONDS = 10.0  # for the first word
LONGEST_SECONDS = 15.0
LEAST_SPEECH_SECONDS = 0.5
# The gate opens on a second of speech that is under way, and closes after the pause.
BEFORE_SECONDS, AFTER_SECONDS = 1.0, 0.2
QUIET_DBFS = -50.0  # a peak below it leaves converters little to work with
LEAST_SNR_DB = 10.0
MAX_CLIPPED_SHARE = 0.01
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Take:
    """What was recorded.

    Attributes
    ----------
    samples : ndarray of float32, shape (n_samples,)
        The utterance with a moment around it; empty where none was heard.
    seconds : float
        How long the gate heard speech.
    peak_dbfs : float
        Of the utterance, or of all sound where there was none.
    fault : str
        What is wrong with it and what to do; empty when it is good.
    """

    samples: Samples
    seconds: float
    peak_dbfs: float
    fault: str


def record_take(
    chunks: Iterable[Samples], gate: Gate, sample_rate: int, show: Callable[[float, bool], None]
) -> Take:
    """Record until an utterance is over, or none has come.

    Parameters
    ----------
    chunks : iterable of ndarray of float32, each (n_samples,)
        The sound as it comes; no more of it is taken than is needed.
    gate : Gate
        Tells speech; at the start of a stream.
    sample_rate : int
        Samples per second.
    show : callable
        Told the level in dBFS and whether there is speech, at every chunk.

    Returns
    -------
    Take
        The utterance, judged.
    """
    heard = _Heard(sample_rate)
    for chunk in chunks:
        gate.push(chunk)
        heard.take(chunk, gate)
        show(gate.level_dbfs, gate.is_open)
        if heard.is_over:
            break
    return _judged(heard)


class _Heard:
    """The sound of a take so far, without what lies long before the first word."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.peak = 0.0
        self.noise_dbfs = -120.0
        self.n_open = 0
        self.is_over = self.is_cut = False
        self._n_waited = 0
        self._kept: deque[Samples] = deque()
        self._n_kept = 0

    @property
    def samples(self) -> Samples:
        return np.concatenate(self._kept) if self._kept else np.zeros(0, np.float32)

    def take(self, chunk: Samples, gate: Gate) -> None:
        self._kept.append(chunk)
        self._n_kept += len(chunk)
        if gate.is_open:
            self.n_open += len(chunk)
            self.is_over = self.is_cut = self.n_open > LONGEST_SECONDS * self.sample_rate
        elif self.n_open:
            self.is_over = True
        else:
            self._wait(chunk, gate)

    def _wait(self, chunk: Samples, gate: Gate) -> None:
        self._n_waited += len(chunk)
        self.peak = max(self.peak, float(np.abs(chunk).max(initial=0.0)))
        self.noise_dbfs = gate.noise_dbfs
        self.is_over = self._n_waited > WAIT_SECONDS * self.sample_rate
        while self._n_kept - len(self._kept[0]) >= BEFORE_SECONDS * self.sample_rate:
            self._n_kept -= len(self._kept.popleft())


def _judged(heard: _Heard) -> Take:
    if not heard.n_open:
        return Take(np.zeros(0, np.float32), 0.0, _dbfs(heard.peak), _nothing_heard(heard.peak))
    rate = heard.sample_rate
    pause = 0.0 if heard.is_cut else HANGOVER_SECONDS
    surplus = round(max(0.0, pause - AFTER_SECONDS) * rate)
    samples = heard.samples
    samples = samples[: max(rate // 2, len(samples) - surplus)]
    seconds = max(0.0, heard.n_open / rate - pause)
    peak = float(np.abs(samples).max())
    return Take(samples, seconds, _dbfs(peak), _fault(heard, samples, seconds, peak))


def _nothing_heard(peak: float) -> str:
    if peak == 0.0:
        return "silent: nothing but zeros; is the microphone muted?"
    if _dbfs(peak) < SILENCE_DBFS:
        return f"silent: its peak is {_dbfs(peak):.0f} dBFS; is it the right microphone?"
    return f"no speech in {WAIT_SECONDS:g} s; say it louder, or nearer to the microphone"


def _fault(heard: _Heard, samples: Samples, seconds: float, peak: float) -> str:
    clipped = float(np.mean(np.abs(samples) >= CLIPPED))
    if clipped >= MAX_CLIPPED_SHARE:
        return f"clipped: {clipped:.0%} of it is at full scale; turn the gain down, or step back"
    if heard.is_cut:
        return f"longer than {LONGEST_SECONDS:g} s; say the sentence alone, then be silent"
    if seconds < LEAST_SPEECH_SECONDS:
        return f"too short: {seconds:.1f} s; say the whole sentence"
    if _dbfs(peak) < QUIET_DBFS:
        return f"too quiet: its peak is {_dbfs(peak):.0f} dBFS; turn the gain up, or come nearer"
    if _dbfs(peak) - heard.noise_dbfs < LEAST_SNR_DB:
        return "hardly louder than the room; come nearer to the microphone"
    return ""


def _dbfs(peak: float) -> float:
    return 20.0 * float(np.log10(max(peak, 1e-6)))
