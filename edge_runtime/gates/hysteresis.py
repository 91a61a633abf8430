"""Opens and closes a gate on scores: with memory, hysteresis and hang-over."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_runtime.gates.blocks import Blocks
from edge_runtime.gates.gate import Detector
from edge_runtime.gates.loudness import Loudness

HANGOVER_SHARE = 0.5  # of the time since the gate opened
# Time in which the mean over the scores forgets all but a third of what it was.
MEMORY_SECONDS = 0.2


class HysteresisGate:
    """Opens and closes on a detector's scores, with hysteresis and a hang-over.

    Works in blocks of a fixed length, and keeps less than one between calls: what it says
    depends on the samples, not on how they are cut into chunks. A block that does not stand out
    from the noise is not judged at all.

    Parameters
    ----------
    detector : Detector
        Tells speech.
    sample_rate : int
        Samples per second.
    hangover_seconds : float
        For how long the gate stays open after the last speech, over the pauses between words; at
        most half as long as the speech was, so that a moment's error ends in a moment.

    Attributes
    ----------
    is_open, open_seconds, level_dbfs, noise_dbfs
        See `Gate`.
    """

    def __init__(self, detector: Detector, sample_rate: int, hangover_seconds: float) -> None:
        self._detector = detector
        self._blocks = Blocks(detector.block_length)
        self._loudness = Loudness(detector.block_length, sample_rate)
        self._block_seconds = detector.block_length / sample_rate
        self._keep = math.exp(-self._block_seconds / MEMORY_SECONDS)
        self._hangover_blocks = round(hangover_seconds / self._block_seconds)
        self.reset()

    def reset(self) -> None:
        """Forget all samples, as at the start of a stream."""
        self._detector.reset()
        self._blocks.reset()
        self._loudness.reset()
        self._evidence = 0.0
        self._blocks_left = self._blocks_of_speech = self._blocks_open = 0
        self._note()

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples.

        Parameters
        ----------
        samples : ndarray of float32, shape (n_samples,)
            Mono samples in [-1, 1]; any number, even none.
        """
        for blocks in self._blocks.push(samples):
            heard = self._loudness.push(blocks)
            for score in self._detector.scores(blocks, heard):
                self._take(score)
        self._note()

    def _note(self) -> None:
        self.is_open = self._blocks_left > 0
        self.open_seconds = self._blocks_open * self._block_seconds
        self.level_dbfs = self._loudness.level_dbfs
        self.noise_dbfs = self._loudness.noise_dbfs

    def _take(self, score: float) -> None:
        """Take note of the score of the next block."""
        self._evidence = self._keep * self._evidence + (1.0 - self._keep) * score
        detector = self._detector
        if self._evidence >= (detector.close_below if self._blocks_left else detector.open_from):
            self._blocks_of_speech += 1
            earned = int(HANGOVER_SHARE * self._blocks_of_speech)
            self._blocks_left = 1 + min(earned, self._hangover_blocks)
        elif self._blocks_left:
            self._blocks_left -= 1
            if not self._blocks_left:
                self._blocks_of_speech = 0
        self._blocks_open = self._blocks_open + 1 if self._blocks_left else 0
