"""Cuts a stream into blocks of one length, however it arrives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class Blocks:
    """Holds less than one block of samples between calls.

    Parameters
    ----------
    length : int
        Samples in a block.

    Examples
    --------
    >>> blocks = Blocks(4)
    >>> [len(list(blocks.push(np.zeros(3, dtype=np.float32)))) for _ in range(4)]
    [0, 1, 1, 1]
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._pending = np.zeros(0, dtype=np.float32)

    def push(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take the next samples, (n,), and give the blocks that they complete, (length,) each."""
        joined = np.concatenate((self._pending, samples)) if len(self._pending) else samples
        last = len(joined) - len(joined) % self.length
        self._pending = joined[last:].copy()
        for start in range(0, last, self.length):
            yield joined[start : start + self.length]
