"""What the listener needs of a gate, and a gate of whatever tells speech."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Gate(Protocol):
    """What the listener needs of a gate.

    Attributes
    ----------
    is_open : bool
        Whether the sound up to now holds speech, or did until a moment ago.
    open_seconds : float
        For how long it has been open: 0 while it is closed, infinity when it always is open.
    level_dbfs : float
        Level of the newest half second relative to a full-scale sine, at least -120.
    noise_dbfs : float
        The level of the noise that it has adapted to, at least -120.
    """

    is_open: bool
    open_seconds: float
    level_dbfs: float
    noise_dbfs: float

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples, (n,), mono in [-1, 1]; any number, even none."""
        ...

    def reset(self) -> None:
        """Forget all samples, as at the start of a stream."""
        ...


class Detector(Protocol):
    """What tells speech in blocks of sound.

    Attributes
    ----------
    block_length : int
        Samples in a block.
    open_from, close_below : float
        The gate opens when the mean score of about the newest fifth of a second reaches the
        first, and begins to close when it falls below the second.
    """

    block_length: int
    open_from: float
    close_below: float

    def scores(self, blocks: NDArray[np.float32], heard: list[bool]) -> list[float]:
        """Say how much blocks that follow on each other sound like speech.

        Parameters
        ----------
        blocks : ndarray of float32, shape (n_blocks, block_length)
            1 to 8 blocks.
        heard : list of bool
            For each, whether it is to be judged; the others are too quiet.

        Returns
        -------
        list of float
            For each block 0 to 1; 0 for those that are not judged.
        """
        ...

    def reset(self) -> None:
        """Forget all blocks."""
        ...
