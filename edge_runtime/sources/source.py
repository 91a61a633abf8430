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
    gaps : int
        Rises by one when the chunk that was just given does not follow on from the one before:
        sound was lost between them. What was computed from earlier sound, such as a window,
        must then be begun anew. Stays 0 where sound cannot be lost.
    """

    sample_rate: int
    gaps: int

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Give the sound from where it stands, once.

        Yields
        ------
        ndarray of float32, shape (n_samples,)
            Mono samples at `sample_rate`, nominally in [-1, 1]; n_samples varies. A source that
            waits for its device gives an empty chunk about every 0.5 s, so that whoever iterates
            can do other things or stop; otherwise n_samples >= 1.

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
