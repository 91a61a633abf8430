"""What every source of sound offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Source(Protocol):
    """Sound as a sequence of chunks; a context manager that closes itself.

    Attributes
    ----------
    sample_rate : int
        Samples per second of the chunks: the rate that the model asks for.
    """

    sample_rate: int

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Give the sound from where it stands, once.

        Yields
        ------
        ndarray of float32, shape (n_samples,)
            Mono samples at `sample_rate`, nominally in [-1, 1]; n_samples >= 1 varies.

        Raises
        ------
        SerEdgeError
            When the sound cannot be read on, or would be wrong.
        """
        ...

    def close(self) -> None:
        """Release the device or file; may be called more than once."""
        ...

    def __enter__(self) -> Source: ...

    def __exit__(self, *exception: object) -> None: ...
