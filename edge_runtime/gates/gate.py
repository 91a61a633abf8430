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
    """What tells speech in one block of sound after the other.

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

    def score(self, block: NDArray[np.float32]) -> float:
        """Say how much a block, (block_length,), sounds like speech: 0 to 1."""
        ...

    def skip(self, block: NDArray[np.float32]) -> None:
        """Take note of a block too quiet to be judged."""
        ...

    def reset(self) -> None:
        """Forget all blocks."""
        ...
