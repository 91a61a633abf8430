"""The fundamental frequency of a frame and how strongly it is voiced, in numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_PITCH = 2
LOWEST_HZ = 60
HIGHEST_HZ = 500
PERIODS_PER_FRAME = 1.5  # of the lowest pitch: at 60 Hz, frames of 25 ms
# The first peak this near to the highest is the period; its multiples are about as high.
NEAR_HIGHEST = 0.9
VOICED_FROM = 0.5
# Per sample, on top of the energy that correlations are divided by: less than noise of one
# 16 bit step has, so that silence and rounding are unvoiced.
ENERGY_FLOOR = 1e-10
FRAMES_PER_BLOCK = 32  # keeps the transforms, twice as long as a frame, near the cache


def least_frame_length(sample_rate: int) -> int:
    """Return the fewest samples in which the lowest pitch, 60 Hz, can be found.

    Parameters
    ----------
    sample_rate : int
        Samples per second.

    Returns
    -------
    int
        One and a half periods of 60 Hz, rounded up. (What has sharp edges may be missed at 60 Hz
        itself in less than two.)

    Examples
    --------
    >>> least_frame_length(16000)
    400
    """
    return int(np.ceil(PERIODS_PER_FRAME * sample_rate / LOWEST_HZ))


def pitch(frames: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Fundamental frequency and strength of voicing of each frame.

    The normalised autocorrelation ``2 sum x[j] x[j + t] / sum (x[j]**2 + x[j + t]**2)`` of the
    frame less its mean, over all ``j`` for which both samples lie in the frame, is 1 at the period
    of a periodic sound whatever its level [1]_. The period is the first peak that reaches 0.9 of
    the highest peak between 60 and 500 Hz, refined by a parabola through it and its neighbours.

    Parameters
    ----------
    frames : ndarray of float64, shape (T, frame_length)
        The samples of each frame, as they were recorded: no window, no pre-emphasis. At least
        `least_frame_length` samples.
    sample_rate : int
        Samples per second.

    Returns
    -------
    ndarray of float64, shape (T, 2)
        The frequency in Hz, 60 to 500, or 0 where the frame is unvoiced; and the strength of
        voicing, 0 to 1: the height of the peak. A frame is voiced from a strength of 0.5.

    References
    ----------
    .. [1] P. McLeod, G. Wyvill, "A smarter way to find pitch", Proc. ICMC, 2005, eq. 9 and
       section 5. It is 1 less the difference function of YIN, over a window that shrinks with the
       lag, by the energy in it.
    .. [2] A. de Cheveigné, H. Kawahara, "YIN, a fundamental frequency estimator for speech and
       music", J. Acoust. Soc. Am. 111(4), 2002, eq. 6.

    Examples
    --------
    >>> sine = np.sin(2 * np.pi * 200 * np.arange(512) / 16000)
    >>> pitch(sine[None], 16000).round(1).tolist()
    [[200.0, 1.0]]
    """
    values = np.empty((len(frames), N_PITCH))
    for first in range(0, len(frames), FRAMES_PER_BLOCK):
        block = slice(first, first + FRAMES_PER_BLOCK)
        values[block] = _pitch_of_block(frames[block], sample_rate)
    return values


def _pitch_of_block(frames: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    # A peak needs a neighbour on either side.
    shortest = int(np.floor(sample_rate / HIGHEST_HZ)) - 1
    longest = int(np.ceil(sample_rate / LOWEST_HZ)) + 1
    correlation = _normalised_autocorrelation(frames, shortest, longest)
    peak = _first_high_peak(correlation)
    offset, height = _refine(correlation, peak)
    strength = np.clip(height, 0.0, 1.0)
    hz = np.clip(sample_rate / (shortest + peak + offset), LOWEST_HZ, HIGHEST_HZ)
    return np.stack((np.where(strength >= VOICED_FROM, hz, 0.0), strength), axis=1)


def _normalised_autocorrelation(
    frames: NDArray[np.float64], shortest: int, longest: int
) -> NDArray[np.float64]:
    """From -1 to 1 at the lags from shortest to longest, both included, (T, lags)."""
    # Contiguous, that a frame sums in the same order however many stand beside it.
    frames = np.ascontiguousarray(frames)
    frames = frames - frames.mean(axis=1, keepdims=True)
    n_samples = frames.shape[1]
    fft_size = _fft_size(n_samples + longest)
    spectrum = np.fft.rfft(frames, fft_size)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    products = np.fft.irfft(power, fft_size)[:, shortest : longest + 1]
    energy = np.cumsum(np.square(frames), axis=1)
    of_both = energy[:, n_samples - 1 - longest : n_samples - shortest][:, ::-1]
    of_both = of_both + (energy[:, -1:] + ENERGY_FLOOR * n_samples)
    of_both -= energy[:, shortest - 1 : longest]
    return np.asarray(2.0 * products / of_both)


def _fft_size(least: int) -> int:
    """Return a length that the FFT is quick at: 5/8, 3/4 or the whole of a power of two."""
    power_of_two = 1 << (least - 1).bit_length()
    sizes = (power_of_two * 5 // 8, power_of_two * 3 // 4, power_of_two)
    return next(size for size in sizes if size >= least)


def _first_high_peak(correlation: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index of the first peak near the highest one, (T,); 0 where there is no peak."""
    inner = correlation[:, 1:-1]
    is_peak = (inner > correlation[:, :-2]) & (inner >= correlation[:, 2:])
    heights = np.where(is_peak, inner, 0.0)
    highest = heights.max(axis=1, keepdims=True)
    is_high = (heights >= NEAR_HIGHEST * highest) & (highest > 0.0)
    return np.where(is_high.any(axis=1), is_high.argmax(axis=1) + 1, 0)


def _refine(
    correlation: NDArray[np.float64], peak: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offset and height of the parabola through each peak, (T,); 0 where there is no peak."""
    rows = np.arange(len(peak))
    found = peak > 0
    middle = np.where(found, peak, 1)
    before, at, after = (correlation[rows, middle + step] for step in (-1, 0, 1))
    bend = np.where(found, before - 2.0 * at + after, -1.0)
    offset = np.where(found, 0.5 * (before - after) / bend, 0.0)
    return offset, np.where(found, at - 0.25 * (before - after) * offset, 0.0)
