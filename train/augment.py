"""Random variation of log-mel windows: other rooms, throats, speeds and microphones.

`random_windows` cuts a whole batch at once, in dB, and draws from the generator that it is given,
so that a seed fixes a whole training run. `spec_augment` takes any features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import ACTIVE_RANGE_DB
from edge_runtime.mel import dct_matrix

# What is quieter counts as silence, and silence surrounds every utterance.
SILENCE_DB = np.float32(-100.0)
# Steady noise fluctuates from frame to frame and band to band; as many values as do not repeat
# within a window.
RIPPLES = 1 << 20
LEAST_RIPPLE = 1e-3
# Quefrencies of the envelope, of all: harmonics of voices below 400 Hz are finer.
ENVELOPE_SHARE = 0.225
# What is quieter than a recording's loudest band by more is as good as silent in its mean.
SPECTRUM_RANGE_DB = 70.0
BORROWERS = 0.7  # of the windows; the others keep their own spectrum
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
    pitch : float
        Largest relative shift along the mel axis of what is finer than formants, the harmonics,
        beside what `warp` shifts both by; 0 to below 1.
    borrowed_spectrum : float
        Largest share of a voice's mean spectrum that gives way to that of another recording of the
        same class, 0 to 1.

    References
    ----------
    .. [1] K. Zhou et al., "Domain generalization with MixStyle", ICLR 2021, eq. 4 to 6 (of the mean
       alone, here of the inputs).
    """

    tempo: float = 0.0
    warp: float = 0.0
    tilt_db: float = 0.0
    gain_db: float = 0.0
    noise_db: tuple[float, float] = (0.0, 0.0)
    time_mask: float = 0.0
    band_mask: float = 0.0
    mixup: float = 0.0
    pitch: float = 0.0
    borrowed_spectrum: float = 0.0


class Packed:
    """Log-mel frames of many recordings in one array, to cut windows out of many at once.

    Parameters
    ----------
    clips : sequence of ndarray of float32, each (T >= 2, n_mels)
        The recordings, in dB. What is below -100 dB counts as silence.

    Attributes
    ----------
    frames : ndarray of float32, shape (sum of T, n_mels)
        All frames, one recording after the other.
    first, length : ndarray of int, shape (n,)
        Where each recording begins, and its number of frames.
    loud : ndarray of int, shape (n, 2)
        Its first and its last frame that come within 40 dB of the loudest.
    spectrum : ndarray of float32, shape (n, n_mels)
        Mean over its frames that do, about the mean of all bands: what its voice and its microphone
        sound like on the whole.
    """

    def __init__(self, clips: Sequence[Frames]) -> None:
        self.frames = np.maximum(np.concatenate(clips), SILENCE_DB)
        self.length = np.array([len(clip) for clip in clips])
        self.first = np.cumsum(self.length) - self.length
        self.loud = np.array([_loud_frames(clip) for clip in clips])
        self.spectrum = np.array([_mean_spectrum(clip) for clip in clips])


def _loud_frames(clip: Frames) -> tuple[int, int]:
    peaks = clip.max(axis=1)
    active = np.flatnonzero(peaks > peaks.max() - ACTIVE_RANGE_DB)
    return int(active[0]), int(active[-1])


def _mean_spectrum(clip: Frames) -> Frames:
    peaks = clip.max(axis=1)
    active = np.maximum(
        clip[peaks > peaks.max() - ACTIVE_RANGE_DB], peaks.max() - SPECTRUM_RANGE_DB
    )
    mean = active.mean(axis=0)
    return np.asarray(mean - mean.mean(), np.float32)


def random_windows(
    packed: Packed,
    chosen: NDArray[np.int64],
    length: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
    lenders: NDArray[np.int64] | None = None,
) -> Frames:
    """Cut a window at random out of each of some recordings and vary it.

    Parameters
    ----------
    packed : Packed
        The recordings.
    chosen : ndarray of int, shape (n,)
        Which of them.
    length : int
        Frames in a window.
    augmentation : Augmentation
        How far to vary.
    rng : numpy.random.Generator
        Where chance comes from.
    lenders : ndarray of int, shape (n,), optional
        Whose spectrum each borrows; needed where the augmentation says so.

    Returns
    -------
    ndarray of float32, shape (n, length, n_mels)
        The windows, in dB.
    """
    count = len(chosen)
    rate = 1.0 + augmentation.tempo * rng.uniform(-1.0, 1.0, count)
    windows = _cut(packed, chosen, length, rate, rng)
    if augmentation.borrowed_spectrum:
        if lenders is None:
            raise ValueError("borrowed_spectrum needs lenders")
        share = augmentation.borrowed_spectrum * rng.uniform(size=count)
        share *= rng.uniform(size=count) < BORROWERS
        windows = _borrow(windows, packed.spectrum[chosen], packed.spectrum[lenders], share)
    if augmentation.warp or augmentation.pitch:
        throat = 1.0 + augmentation.warp * rng.uniform(-1.0, 1.0, count)
        windows = _other_voice(windows, throat, augmentation.pitch, rng)
    gain = augmentation.gain_db * rng.uniform(-1.0, 1.0, (count, 1, 1))
    slope = augmentation.tilt_db * rng.uniform(-1.0, 1.0, (count, 1, 1))
    windows += (gain + slope * np.linspace(-0.5, 0.5, windows.shape[2])).astype(np.float32)
    if augmentation.noise_db[0] != augmentation.noise_db[1]:
        windows = _add_noise(windows, augmentation.noise_db, rng)
    if augmentation.time_mask or augmentation.band_mask:
        for window in windows:
            _blank(window, augmentation.time_mask, augmentation.band_mask, rng)
    return windows


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
    masked: Frames = window.copy()
    _blank(masked, time_mask, band_mask, rng)
    return masked


def _blank(window: Frames, time_mask: float, band_mask: float, rng: np.random.Generator) -> None:
    length, n_bands = window.shape
    blank = window.mean()
    width = int(rng.uniform(0.0, time_mask) * length)
    first = rng.integers(0, length - width + 1)
    window[first : first + width] = blank
    height = int(rng.uniform(0.0, band_mask) * n_bands)
    lowest = rng.integers(0, n_bands - height + 1)
    window[:, lowest : lowest + height] = blank


def _cut(
    packed: Packed,
    chosen: NDArray[np.int64],
    length: int,
    rate: NDArray[np.float64],
    rng: np.random.Generator,
) -> Frames:
    """Take `length` frames, at `rate` times the speed, about a random moment of the speech.

    As on a stream, a window may begin before the utterance or end after it; there is silence.
    """
    earliest, latest = packed.loud[chosen].T
    start = rng.uniform(earliest, latest) - (length - 1) * rate / 2.0
    times = start[:, None] + rate[:, None] * np.arange(length)
    last = packed.length[chosen, None] - 1
    before = np.clip(np.floor(times).astype(np.int64), 0, last - 1)
    share = np.clip(times - before, 0.0, 1.0).astype(np.float32)[..., None]
    rows = packed.first[chosen, None] + before
    windows: Frames = packed.frames[rows]
    windows += share * (packed.frames[rows + 1] - windows)
    windows[(times < 0) | (times > last)] = SILENCE_DB
    return windows


def _borrow(windows: Frames, own: Frames, other: Frames, share: NDArray[np.float64]) -> Frames:
    """Let a share of each window's mean spectrum give way to another's; silence stays silence."""
    change = share[:, None].astype(np.float32) * (other - own)
    changed = np.maximum(windows + change[:, None], SILENCE_DB)
    return np.asarray(np.where(windows > SILENCE_DB, changed, SILENCE_DB))


def _other_voice(
    windows: Frames, throat: NDArray[np.float64], pitch: float, rng: np.random.Generator
) -> Frames:
    """Stretch each window's mel axis, and that of its harmonics by another factor.

    Formants are the envelope of the bands, harmonics what is finer.
    """
    if not pitch:
        return _warp(windows, throat)
    voice = throat * (1.0 + pitch * rng.uniform(-1.0, 1.0, len(windows)))
    envelope = windows @ _smoothing(windows.shape[2])
    return _warp(envelope, throat) + _warp(windows - envelope, voice)


@lru_cache(maxsize=1)
def _smoothing(n_mels: int) -> Frames:
    """What bands, as a row, are multiplied by to give their envelope: their lowest quefrencies."""
    lowest = dct_matrix(n_mels, max(1, round(ENVELOPE_SHARE * n_mels)))
    return np.asarray(lowest @ lowest.T, np.float32)


def _warp(windows: Frames, factor: NDArray[np.float64]) -> Frames:
    """Stretch each window's mel axis by a factor, the last band repeated beyond the end."""
    count, _, n_mels = windows.shape
    bands = np.clip(np.arange(n_mels) * factor[:, None], 0, n_mels - 1)
    below = np.minimum(bands.astype(np.int64), n_mels - 2)
    share = (bands - below).astype(np.float32)
    # A matrix product is faster than to pick the bands.
    interpolation = np.zeros((count, n_mels, n_mels), np.float32)
    window, band = np.ogrid[:count, :n_mels]
    interpolation[window, below, band] = 1.0 - share
    interpolation[window, below + 1, band] = share
    return np.asarray(windows @ interpolation)


def _add_noise(windows: Frames, range_db: tuple[float, float], rng: np.random.Generator) -> Frames:
    """Add steady noise of random level and colour to each window, in the power domain."""
    count, _, n_mels = windows.shape
    level = windows.max(axis=(1, 2)) - rng.uniform(*range_db, count)
    colour = rng.uniform(-10.0, 10.0, (count, 1, 1)) * np.linspace(-1.0, 1.0, n_mels)
    first = rng.integers(RIPPLES)
    noise = np.take(_ripples(), np.arange(first, first + windows.size), mode="wrap")
    noise = noise.reshape(windows.shape)
    noise += (level[:, None, None] + colour).astype(np.float32)
    to_nepers = np.float32(np.log(10.0) / 10.0)
    louder = np.maximum(windows, noise)
    return np.asarray(louder + np.log1p(np.exp(-np.abs(windows - noise) * to_nepers)) / to_nepers)


@lru_cache(maxsize=1)
def _ripples() -> NDArray[np.float32]:
    """Band powers of steady noise about their mean, in dB, (RIPPLES,); a gamma of shape 4."""
    power = np.random.default_rng(0).gamma(4.0, 0.25, RIPPLES)
    return np.asarray(10.0 * np.log10(power + LEAST_RIPPLE), dtype=np.float32)
