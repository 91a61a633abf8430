"""Reads an utterance of a corpus whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import AudioFile

# Longer than nearly every utterance, which is so read at once.
CHUNK_SECONDS = 10.0


def read_utterance(path: Path, sample_rate: int, channel: int | None = None) -> NDArray[np.float32]:
    """Read a sound file, however quiet or clipped: a corpus is judged as it is.

    Parameters
    ----------
    path : Path
        The sound file.
    sample_rate : int
        Samples per second of the result.
    channel : int, optional
        Which channel to read, counted from 0; the mean of all by default.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Mono samples in [-1, 1].

    Raises
    ------
    SerEdgeError
        When the file cannot be read or holds no sound.
    """
    with AudioFile(path, sample_rate, False, channel, CHUNK_SECONDS) as source:
        chunks = list(source.chunks())
    if not chunks:
        raise SerEdgeError(f"{path}: is too short to hold a sample")
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
