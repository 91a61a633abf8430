"""Cuts a stream into blocks of one length, however it arrives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

MOST_AT_ONCE = 8  # a second of sound or so: bounds the memory of a long piece


class Blocks:
    """Holds less than one block of samples between calls.

    Parameters
    ----------
    length : int
        Samples in a block.

    Examples
    --------
    >>> blocks = Blocks(4)
    >>> [sum(map(len, blocks.push(np.zeros(3, dtype=np.float32)))) for _ in range(4)]
    [0, 1, 1, 1]
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._pending = np.zeros(0, dtype=np.float32)

    def push(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take the next samples and give the blocks that they complete.

        Parameters
        ----------
        samples : ndarray of float32, shape (n_samples,)
            Any number, even none.

        Yields
        ------
        ndarray of float32, shape (n_blocks, length)
            One to 8 blocks: what is done to many at once costs a fraction of one by one.
        """
        joined = np.concatenate((self._pending, samples)) if len(self._pending) else samples
        last = len(joined) - len(joined) % self.length
        self._pending = joined[last:].copy()
        blocks = joined[:last].reshape(-1, self.length)
        for start in range(0, len(blocks), MOST_AT_ONCE):
            yield blocks[start : start + MOST_AT_ONCE]
