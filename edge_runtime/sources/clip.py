"""One short recording, whole, for one answer."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.audio_file import CLIPPED, AudioFile

MAX_CLIP_SECONDS = 600.0
SILENCE_DBFS = -60.0
MAX_CLIPPED_SHARE = 0.05


def read_clip(path: str | os.PathLike[str], sample_rate: int) -> NDArray[np.float32]:
    """Read a recording that is to be classified as one.

    Parameters
    ----------
    path : str or path-like
        The sound file; see `AudioFile` for what can be read.
    sample_rate : int
        Samples per second of the result.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Mono samples, nominally in [-1, 1], of at most 10 minutes.

    Raises
    ------
    SerEdgeError
        When the file cannot be read, is longer than 10 minutes, is silent (its peak, about its
        mean, is below -60 dBFS) or is heavily clipped (5 % of the samples or more at or beyond
        0.999 of full scale).
    """
    with AudioFile(path, sample_rate) as file:
        if file.duration is not None and file.duration > MAX_CLIP_SECONDS:
            raise _too_long(file.name)
        chunks = []
        seconds = 0.0
        for chunk in file.chunks():
            chunks.append(chunk)
            seconds += len(chunk) / sample_rate
            if seconds > MAX_CLIP_SECONDS + 1.0:  # a resampler may round up
                raise _too_long(file.name)
        if not chunks:
            raise SerEdgeError(f"{file.name}: is too short to hold one sample at {sample_rate} Hz")
        clip = np.concatenate(chunks)
        _require_sound_level(clip, file.name)
        if file.clipped_share >= MAX_CLIPPED_SHARE:
            raise SerEdgeError(
                f"{file.name}: is clipped: {file.clipped_share:.0%} of its samples are at or "
                f"beyond {CLIPPED:g} of full scale; record it again at a lower level"
            )
    return clip


def _too_long(name: str) -> SerEdgeError:
    return SerEdgeError(
        f"{name}: is longer than {MAX_CLIP_SECONDS / 60:g} minutes; for its course over time use: "
        "ser-edge listen --source FILE"
    )


def _require_sound_level(clip: NDArray[np.float32], name: str) -> None:
    # About the mean: a constant offset of the converter is no sound.
    peak = float(np.abs(clip - clip.mean(dtype=np.float64)).max())
    if peak < 10.0 ** (SILENCE_DBFS / 20.0):
        level = f"{20.0 * np.log10(peak):.1f} dBFS" if peak > 0.0 else "digital zero"
        raise SerEdgeError(
            f"{name}: is silent: its peak is {level}, below {SILENCE_DBFS:g} dBFS; "
            "check the microphone and record it again"
        )
