"""Chroma: how the energy of a frame spreads over the twelve pitch classes, in numpy alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

N_CHROMA = 12
C1_HZ = 440.0 * 2.0 ** (-45 / 12)  # 45 semitones below A4
C1_OCTAVES_ABOVE_A0 = 3 / 12
# Octaves count from A0 (27.5 Hz): the weights are largest at A5, 880 Hz.
CENTRE_OCTAVE = 5.0
OCTAVE_WIDTH = 2.0
# The DC bin lies at no pitch; it is put this far below the first bin, broad and nearly mute.
OCTAVES_TO_DC = 1.5
# Of a frame's largest chroma. One step of 16 bits gives more, even where the window is near zero.
CHROMA_FLOOR = 1e-20


@lru_cache(maxsize=8)
def chroma_filter_bank(sample_rate: int, fft_size: int) -> NDArray[np.float32]:
    """Weights of the bins of a real FFT in the twelve pitch classes.

    A bin at ``s`` semitones above C1 and ``w`` semitones wide (at least one) weighs
    ``exp(-2 (d / w)**2)`` in a class that is ``d`` semitones away, -6 <= d < 6. The weights of a
    bin are scaled to a Euclidean norm of one, then by ``exp(-((o - 5) / 2)**2 / 2)``, where ``o``
    are the bin's octaves above A0.

    Parameters
    ----------
    sample_rate : int
        Samples per second.
    fft_size : int
        Length of the FFT in samples, >= 2.

    Returns
    -------
    ndarray of float32, shape (12, fft_size // 2 + 1)
        The filters, C first, for A4 = 440 Hz; read-only because the result is cached.

    References
    ----------
    .. [1] D. Ellis, "Chroma feature analysis and synthesis", LabROSA, Columbia University, 2007;
       ``librosa.filters.chroma`` with ``tuning=0`` gives the same.
    """
    n_bins = fft_size // 2 + 1
    hz = np.arange(1, n_bins + 1) * (sample_rate / fft_size)
    octaves = np.log2(hz / C1_HZ)
    octaves = np.concatenate(([octaves[0] - OCTAVES_TO_DC], octaves))
    widths = np.maximum(N_CHROMA * np.diff(octaves), 1.0)
    octaves = octaves[:-1]
    classes = np.arange(N_CHROMA)[:, None]
    half = N_CHROMA / 2
    distances = np.remainder(N_CHROMA * octaves - classes + half, N_CHROMA) - half
    weights = np.exp(-2.0 * (distances / widths) ** 2)
    weights /= np.sqrt(np.sum(weights**2, axis=0))
    from_centre = octaves + C1_OCTAVES_ABOVE_A0 - CENTRE_OCTAVE
    weights *= np.exp(-0.5 * (from_centre / OCTAVE_WIDTH) ** 2)
    result: NDArray[np.float32] = weights.astype(np.float32)
    result.setflags(write=False)
    return result


def chroma(power: NDArray[np.float32], filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Chroma of each frame, its largest value one.

    Parameters
    ----------
    power : ndarray of float32, shape (T, fft_size // 2 + 1)
        Power spectra ``|X|**2``.
    filters : ndarray of float32, shape (12, fft_size // 2 + 1)
        What `chroma_filter_bank` gave.

    Returns
    -------
    ndarray of float32, shape (T, 12)
        From 0 to 1, C first. Digital silence is all zeros, and a frame whose largest value before
        the division is below 1e-20 fades towards them.

    Examples
    --------
    >>> filters = chroma_filter_bank(16000, 4096)
    >>> power = np.zeros((1, 2049), dtype=np.float32)
    >>> power[0, round(440 * 4096 / 16000)] = 1.0
    >>> int(chroma(power, filters).argmax())  # A
    9
    """
    values: NDArray[np.float32] = power @ filters.T
    values /= np.maximum(values.max(axis=1, keepdims=True), np.float32(CHROMA_FLOOR))
    return values
