"""Refuses samples that are no sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError

# Float files may pass full scale a little; 40 dB over it is a file in another scale, such as
# 16 bit integers stored as floats.
HIGHEST_SAMPLE = 100.0


def require_sound(samples: NDArray[np.float32], first: int, sample_rate: int, name: str) -> None:
    """Check that every sample is a finite number in the scale of sound.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,) or (n_samples, n_channels)
        What was read, full scale 1.
    first : int
        Number of samples (per channel) before these.
    sample_rate : int
        Samples per second.
    name : str
        What is being read, for messages.

    Raises
    ------
    SerEdgeError
        On NaN, infinity or a sample beyond 100 times full scale, saying where.

    Examples
    --------
    >>> import numpy as np
    >>> require_sound(np.array([0.5, -1.0], dtype=np.float32), 0, 16000, "speech.wav")
    """
    # A NaN is the least and the greatest of its array, and passes no comparison.
    if not samples.size:
        return
    if samples.min() >= -HIGHEST_SAMPLE and samples.max() <= HIGHEST_SAMPLE:
        return
    where = tuple(np.argwhere(~(np.abs(samples) <= HIGHEST_SAMPLE))[0])
    value, seconds = samples[where], (first + int(where[0])) / sample_rate
    if np.isfinite(value):
        raise SerEdgeError(
            f"{name}: holds a sample of {value:g} at {seconds:.2f} s where full scale is 1; "
            "scale its samples to -1..1"
        )
    raise SerEdgeError(
        f"{name}: holds samples that are not numbers (NaN or infinity) at {seconds:.2f} s; "
        "export it again"
    )
