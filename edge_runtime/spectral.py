"""The shape of a spectrum in four numbers: centroid, bandwidth, roll-off, flatness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_SPECTRAL = 4
ROLL_OFF = 0.85  # share of the magnitudes that lies at or below the roll-off
FLATNESS_FLOOR = 1e-10  # of each bin's power


def spectral_shape(
    power: NDArray[np.float32], sample_rate: int, fft_size: int
) -> NDArray[np.float64]:
    """Spectral centroid, bandwidth, roll-off and flatness of each frame.

    With the magnitudes scaled to a sum of one, ``p[k]``, at the bins' frequencies ``f[k]``:

    - centroid ``c = sum p[k] f[k]``, in kHz;
    - bandwidth ``sqrt(sum p[k] (f[k] - c)**2)``, in kHz;
    - roll-off, the frequency of the first bin up to which ``p`` sums to 0.85, in kHz;
    - flatness, the geometric mean of the power over its arithmetic mean, each bin raised to
      1e-10 before; from 0 (a tone) to 1 (white).

    Kilohertz keep the four within the same order of magnitude.

    Parameters
    ----------
    power : ndarray of float32, shape (T, fft_size // 2 + 1)
        Power spectra ``|X|**2``.
    sample_rate : int
        Samples per second.
    fft_size : int
        Length of the FFT in samples.

    Returns
    -------
    ndarray of float64, shape (T, 4)
        Digital silence is (0, 0, 0, 1): no frequency stands out.

    References
    ----------
    .. [1] G. Peeters, "A large set of audio features for sound description", IRCAM, 2004,
       section 6; ``librosa.feature`` gives the same, the frequencies in Hz.

    Examples
    --------
    >>> power = np.zeros((1, 5), dtype=np.float32)
    >>> power[0, 1:4] = 1.0
    >>> spectral_shape(power, 8000, 8).round(3).tolist()
    [[2.0, 0.816, 3.0, 0.0]]
    """
    khz = np.arange(power.shape[1]) * (sample_rate / 1000.0 / fft_size)
    # In double precision: the bandwidth is a difference of squares.
    magnitude = np.sqrt(power).astype(np.float64)
    cumulative = np.cumsum(magnitude, axis=1)
    total = cumulative[:, -1]
    moments = magnitude @ np.stack((khz, khz**2), axis=1)
    moments /= np.where(total > 0.0, total, 1.0)[:, None]
    shape = np.empty((len(power), N_SPECTRAL))
    shape[:, 0] = moments[:, 0]
    shape[:, 1] = np.sqrt(np.maximum(moments[:, 1] - moments[:, 0] ** 2, 0.0))
    below = np.count_nonzero(cumulative < ROLL_OFF * total[:, None], axis=1)
    shape[:, 2] = khz[below]
    shape[:, 3] = _flatness(power)
    return shape


def _flatness(power: NDArray[np.float32]) -> NDArray[np.float64]:
    raised = np.maximum(power, np.float32(FLATNESS_FLOOR))
    geometric = np.exp(np.log(raised).mean(axis=1, dtype=np.float64))
    # Single precision may put a flat spectrum a little above one.
    return np.asarray(np.minimum(geometric / raised.mean(axis=1, dtype=np.float64), 1.0))
