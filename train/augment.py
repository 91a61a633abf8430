"""Random variation of log-mel windows: other rooms, throats, speeds and microphones.

Every function takes and gives log-mel frames in dB, (T, n_mels), and draws from the generator
that it is given, so that a seed fixes a whole training run. `spec_augment` takes any features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import ACTIVE_RANGE_DB

# What is quieter counts as silence, and silence surrounds every utterance.
SILENCE_DB = np.float32(-100.0)
Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Augmentation:
    """How far to vary; the defaults vary nothing.

    Attributes
    ----------
    tempo : float
        Largest relative change of speed, 0 to below 1.
    warp : float
        Largest relative shift along the mel axis (vocal-tract length), 0 to below 1.
    tilt_db : float
        Largest rise or fall over the whole mel axis, in dB.
    gain_db : float
        Largest change of level, in dB.
    noise_db : tuple of two floats
        Range of the level of added noise below the window's peak, in dB; equal values add none.
    time_mask, band_mask : float
        Largest share of the window's time, and of its bands, that is blanked out.
    mixup : float
        Parameter of the beta distribution that pairs of a batch are mixed by; 0 mixes none.
    """

    tempo: float = 0.0
    warp: float = 0.0
    tilt_db: float = 0.0
    gain_db: float = 0.0
    noise_db: tuple[float, float] = (0.0, 0.0)
    time_mask: float = 0.0
    band_mask: float = 0.0
    mixup: float = 0.0


def random_window(
    log_mel: Frames, length: int, augmentation: Augmentation, rng: np.random.Generator
) -> Frames:
    """Cut a window at random out of an utterance and vary it.

    Parameters
    ----------
    log_mel : ndarray of float32, shape (T, n_mels)
        The utterance, in dB.
    length : int
        Frames in the window.
    augmentation : Augmentation
        How far to vary.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    ndarray of float32, shape (length, n_mels)
        One window, in dB.
    """
    rate = 1.0 + augmentation.tempo * rng.uniform(-1.0, 1.0)
    window = _cut(np.maximum(log_mel, SILENCE_DB), length, rate, rng)
    window = _warp(window, 1.0 + augmentation.warp * rng.uniform(-1.0, 1.0))
    window += augmentation.gain_db * rng.uniform(-1.0, 1.0)
    slope = augmentation.tilt_db * rng.uniform(-1.0, 1.0)
    window += np.linspace(-slope / 2, slope / 2, window.shape[1], dtype=np.float32)
    if augmentation.noise_db[0] != augmentation.noise_db[1]:
        window = _add_noise(window, augmentation.noise_db, rng)
    return spec_augment(window, augmentation.time_mask, augmentation.band_mask, rng)


def spec_augment(
    window: Frames, time_mask: float, band_mask: float, rng: np.random.Generator
) -> Frames:
    """Blank out a stretch of time and a stretch of bands with the window's mean (SpecAugment).

    Parameters
    ----------
    window : ndarray of float, shape (T, D)
        Any features over time: log-mel bands in dB, or other columns of one scale.
    time_mask, band_mask : float
        Largest share of the rows, and of the columns, that is blanked out, 0 to 1. The stretch's
        width and its place are drawn evenly.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    ndarray of float, shape (T, D)
        A copy with at most one blank stretch along either axis.

    References
    ----------
    D. Park et al., "SpecAugment: A simple data augmentation method for automatic speech
    recognition", Interspeech 2019, section 2 (without its time warping).
    """
    length, n_bands = window.shape
    masked: Frames = window.copy()
    blank = window.mean()
    width = int(rng.uniform(0.0, time_mask) * length)
    first = rng.integers(0, length - width + 1)
    masked[first : first + width] = blank
    height = int(rng.uniform(0.0, band_mask) * n_bands)
    lowest = rng.integers(0, n_bands - height + 1)
    masked[:, lowest : lowest + height] = blank
    return masked


def _cut(log_mel: Frames, length: int, rate: float, rng: np.random.Generator) -> Frames:
    """Take `length` frames, at `rate` times the speed, about a random moment of the speech.

    As on a stream, the window may begin before the utterance or end after it; there is silence.
    """
    peaks = log_mel.max(axis=1)
    active = np.flatnonzero(peaks > peaks.max() - ACTIVE_RANGE_DB)
    start = rng.uniform(active[0], active[-1]) - (length - 1) * rate / 2.0
    times = start + rate * np.arange(length)
    before = np.clip(np.floor(times).astype(int), 0, len(log_mel) - 2)
    share = np.clip(times - before, 0.0, 1.0).astype(np.float32)[:, None]
    window: Frames = log_mel[before] * (1.0 - share) + log_mel[before + 1] * share
    window[(times < 0) | (times > len(log_mel) - 1)] = SILENCE_DB
    return window


def _warp(window: Frames, factor: float) -> Frames:
    """Stretch the mel axis by a factor, the last band repeated beyond the end."""
    n_mels = window.shape[1]
    bands = np.clip(np.arange(n_mels) * factor, 0, n_mels - 1)
    below = np.minimum(bands.astype(int), n_mels - 2)
    share = (bands - below).astype(np.float32)
    return np.asarray(window[:, below] * (1.0 - share) + window[:, below + 1] * share)


def _add_noise(window: Frames, range_db: tuple[float, float], rng: np.random.Generator) -> Frames:
    """Add steady noise of random level and colour, in the power domain."""
    n_mels = window.shape[1]
    level = window.max() - rng.uniform(*range_db)
    colour = rng.uniform(-10.0, 10.0) * np.linspace(-1.0, 1.0, n_mels)
    # Band power of noise fluctuates from frame to frame; a gamma of shape 4 is near enough.
    ripple = 10.0 * np.log10(rng.gamma(4.0, 0.25, window.shape) + 1e-3)
    noise = level + colour + ripple
    louder = np.maximum(window, noise)
    sum_db = louder + 10.0 * np.log10(1.0 + 10.0 ** (-np.abs(window - noise) / 10.0))
    return np.asarray(sum_db, dtype=np.float32)
