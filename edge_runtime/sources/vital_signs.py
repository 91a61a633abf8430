"""Tells a microphone that hears from one that only seems to."""

from __future__ import annotations

from collections import deque
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SPAN_SECONDS = 2.25  # judged at a time
CHECK_SECONDS = 0.5
# The sound buffers that a stuck driver repeats are shorter. At least two rounds fit the span.
LONGEST_LOOP_SECONDS = 1.0
MOST_PEAKS = 64  # of one loop; bounds the work on clipped sound
PROBE = 64  # samples that tell most lags wrong

Verdict = Literal["alive", "silent", "frozen"]


class VitalSigns:
    """Judges the newest sound of a device by its exact sample values.

    The noise of a converter never repeats itself and is never without a break exactly zero, so
    that a quiet room is not taken for a dead microphone.

    Parameters
    ----------
    sample_rate : int
        Samples per second that the device gives.
    """

    def __init__(self, sample_rate: int) -> None:
        self._span = round(SPAN_SECONDS * sample_rate)
        self._check_every = round(CHECK_SECONDS * sample_rate)
        self._longest_loop = round(LONGEST_LOOP_SECONDS * sample_rate)
        self._blocks: deque[NDArray[np.float32]] = deque()
        self._held = 0
        self._unchecked = 0

    def push(self, block: NDArray[np.float32]) -> Verdict | None:
        """Take the next sound as it comes from the device, before it is resampled.

        Parameters
        ----------
        block : ndarray of float32, shape (n_samples,)
            Mono samples, which must not change later.

        Returns
        -------
        {"alive", "silent", "frozen"} or None
            A verdict on the last 2.25 s, about every 0.5 s: "silent" when they are exactly zero,
            "frozen" when they are constant or repeat a piece of at most 1 s. None in between, and
            before there are 2.25 s.
        """
        self._blocks.append(block)
        self._held += len(block)
        self._unchecked += len(block)
        while self._held - len(self._blocks[0]) >= self._span:
            self._held -= len(self._blocks.popleft())
        if self._held < self._span or self._unchecked < self._check_every:
            return None
        self._unchecked = 0
        return self._judge(np.concatenate(self._blocks)[-self._span :])

    def _judge(self, sound: NDArray[np.float32]) -> Verdict:
        peak = sound.max()
        if peak == 0.0 and sound.min() == 0.0:
            return "silent"
        # A loop has its greatest value again after one round.
        peaks = np.flatnonzero(sound == peak)[: MOST_PEAKS + 1]
        lags = peaks[1:] - peaks[0]
        if any(_repeats(sound, int(lag)) for lag in lags[lags <= self._longest_loop]):
            return "frozen"
        return "alive"


def _repeats(sound: NDArray[np.float32], lag: int) -> bool:
    if not np.array_equal(sound[:PROBE], sound[lag : lag + PROBE]):
        return False
    return np.array_equal(sound[:-lag], sound[lag:])
