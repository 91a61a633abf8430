"""The gate that is always open."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_runtime.gates.blocks import Blocks
from edge_runtime.gates.loudness import PARTS_PER_BLOCK, Loudness

PART_SECONDS = 0.032


class OpenGate:
    """Measures the level, and lets everything pass.

    Parameters
    ----------
    sample_rate : int
        Samples per second.

    Attributes
    ----------
    is_open, open_seconds, level_dbfs, noise_dbfs
        See `edge_runtime.gates.gate.Gate`.
    """

    def __init__(self, sample_rate: int) -> None:
        self.is_open = True
        self.open_seconds = math.inf
        length = PARTS_PER_BLOCK * round(PART_SECONDS * sample_rate)
        self._blocks = Blocks(length)
        self._loudness = Loudness(length, sample_rate)
        self.reset()

    def reset(self) -> None:
        """Forget all samples, as at the start of a stream."""
        self._blocks.reset()
        self._loudness.reset()
        self._note_levels()

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples, (n,), mono in [-1, 1]; any number, even none."""
        for blocks in self._blocks.push(samples):
            self._loudness.push(blocks)
        self._note_levels()

    def _note_levels(self) -> None:
        self.level_dbfs = self._loudness.level_dbfs
        self.noise_dbfs = self._loudness.noise_dbfs
