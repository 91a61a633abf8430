"""Mel scale, mel filter bank and discrete cosine transform, in numpy alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Slaney's Auditory Toolbox: linear below 1 kHz, logarithmic above.
SLANEY_HZ_PER_MEL = 200.0 / 3.0
SLANEY_BREAK_HZ = 1000.0
SLANEY_BREAK_MEL = SLANEY_BREAK_HZ / SLANEY_HZ_PER_MEL
SLANEY_LOG_STEP = np.log(6.4) / 27.0

# O'Shaughnessy's formula as HTK writes it.
HTK_MEL_FACTOR = 2595.0
HTK_CORNER_HZ = 700.0


def hz_to_mel(hz: NDArray[Any] | float, scale: str) -> NDArray[np.float64]:
    """Convert frequency to mel.

    Parameters
    ----------
    hz : array_like of float
        Frequencies in hertz, >= 0.
    scale : {"slaney", "htk"}
        Slaney's Auditory Toolbox scale [1]_, or the HTK formula [2]_.

    Returns
    -------
    ndarray of float64
        Mel values, of the shape of `hz`.

    References
    ----------
    .. [1] M. Slaney, "Auditory Toolbox", Technical Report 1998-010, Interval Research, 1998.
    .. [2] S. Young et al., "The HTK Book (v3.4)", eq. 5.13, Cambridge University, 2006.

    Examples
    --------
    >>> hz_to_mel(np.array([0.0, 1000.0]), "slaney").round(6).tolist()
    [0.0, 15.0]
    """
    hz = np.asarray(hz, dtype=np.float64)
    if scale == "htk":
        return np.asarray(HTK_MEL_FACTOR * np.log10(1.0 + hz / HTK_CORNER_HZ))
    above = np.log(np.maximum(hz, SLANEY_BREAK_HZ) / SLANEY_BREAK_HZ) / SLANEY_LOG_STEP
    return np.where(hz < SLANEY_BREAK_HZ, hz / SLANEY_HZ_PER_MEL, SLANEY_BREAK_MEL + above)


def mel_to_hz(mel: NDArray[Any] | float, scale: str) -> NDArray[np.float64]:
    """Convert mel to frequency; the inverse of `hz_to_mel`.

    Parameters
    ----------
    mel : array_like of float
        Mel values, >= 0.
    scale : {"slaney", "htk"}
        The scale that `mel` is on.

    Returns
    -------
    ndarray of float64
        Frequencies in hertz, of the shape of `mel`.

    Examples
    --------
    >>> mel_to_hz(np.array([15.0]), "slaney").round(6).tolist()
    [1000.0]
    """
    mel = np.asarray(mel, dtype=np.float64)
    if scale == "htk":
        return np.asarray(HTK_CORNER_HZ * (10.0 ** (mel / HTK_MEL_FACTOR) - 1.0))
    steps_above = np.maximum(mel - SLANEY_BREAK_MEL, 0.0)
    above = SLANEY_BREAK_HZ * np.exp(SLANEY_LOG_STEP * steps_above)
    return np.where(mel < SLANEY_BREAK_MEL, mel * SLANEY_HZ_PER_MEL, above)


@lru_cache(maxsize=8)
def mel_filter_bank(
    sample_rate: int,
    fft_size: int,
    n_mels: int,
    fmin: float,
    fmax: float,
    scale: str = "slaney",
    norm: str = "slaney",
    edges: str = "exact",
) -> NDArray[np.float32]:
    """Triangular mel filters over the bins of a real FFT.

    Parameters
    ----------
    sample_rate : int
        Samples per second.
    fft_size : int
        Length of the FFT in samples.
    n_mels : int
        Number of filters.
    fmin, fmax : float
        Lowest and highest edge in hertz, ``0 <= fmin < fmax <= sample_rate / 2``.
    scale : {"slaney", "htk"}
        Mel scale on which the centres are equally spaced.
    norm : {"slaney", "none"}
        "slaney" gives every triangle the same area (2 / bandwidth in Hz); "none" a peak of one.
    edges : {"exact", "bins"}
        "exact" places the triangle's corners at their true frequencies; "bins" rounds them down
        to FFT bins, as HTK-style tools such as python_speech_features do.

    Returns
    -------
    ndarray of float32, shape (n_mels, fft_size // 2 + 1)
        The filters, read-only because the result is cached.

    References
    ----------
    .. [1] S. Davis, P. Mermelstein, "Comparison of parametric representations for monosyllabic
       word recognition", IEEE Trans. ASSP 28(4), 1980.
    """
    corners_mel = np.linspace(hz_to_mel(fmin, scale), hz_to_mel(fmax, scale), n_mels + 2)
    corners_hz = mel_to_hz(corners_mel, scale)
    if edges == "bins":
        corners = np.floor((fft_size + 1) * corners_hz / sample_rate)
        positions = np.asarray(np.arange(fft_size // 2 + 1), dtype=np.float64)
    else:
        corners = corners_hz
        positions = np.asarray(np.arange(fft_size // 2 + 1) * (sample_rate / fft_size))
    filters = _triangles(corners, positions)
    if norm == "slaney":
        filters *= (2.0 / (corners_hz[2:] - corners_hz[:-2]))[:, None]
    result = filters.astype(np.float32)
    result.setflags(write=False)
    return result


def _triangles(corners: NDArray[np.float64], positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Triangles with the given corners, (n_mels + 2,), sampled at the positions, (bins,)."""
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    # Corners rounded to bins may coincide: such a side is a step at the centre.
    past_centre = (positions >= centre).astype(np.float64)
    rise, fall = centre - left, right - centre
    rising = np.where(rise > 0, (positions - left) / np.where(rise > 0, rise, 1.0), past_centre)
    falling = np.where(
        fall > 0, (right - positions) / np.where(fall > 0, fall, 1.0), 1.0 - past_centre
    )
    return np.maximum(0.0, np.minimum(rising, falling))


@lru_cache(maxsize=8)
def dct_matrix(n_mels: int, n_mfcc: int) -> NDArray[np.float32]:
    """Orthonormal DCT-II as a matrix to multiply log-mel frames with from the right.

    Parameters
    ----------
    n_mels : int
        Length of the transform.
    n_mfcc : int
        Number of coefficients kept, ``1 <= n_mfcc <= n_mels``.

    Returns
    -------
    ndarray of float32, shape (n_mels, n_mfcc)
        Column ``k`` is ``sqrt(2 / n_mels) * cos(pi * k * (m + 0.5) / n_mels)``, the first
        divided by ``sqrt(2)``; read-only because the result is cached.

    References
    ----------
    .. [1] N. Ahmed, T. Natarajan, K. R. Rao, "Discrete cosine transform", IEEE Trans.
       Computers C-23(1), 1974.

    Examples
    --------
    >>> import numpy as np
    >>> d = dct_matrix(8, 8)
    >>> bool(np.allclose(d.T @ d, np.eye(8), atol=1e-6))
    True
    """
    band = np.arange(n_mels)[:, None] + 0.5
    matrix = np.sqrt(2.0 / n_mels) * np.cos(np.pi * band * np.arange(n_mfcc) / n_mels)
    matrix[:, 0] /= np.sqrt(2.0)
    result: NDArray[np.float32] = matrix.astype(np.float32)
    result.setflags(write=False)
    return result


def lifter_weights(n_mfcc: int, lifter: int) -> NDArray[np.float32]:
    """Weights of sinusoidal cepstral liftering.

    Parameters
    ----------
    n_mfcc : int
        Number of coefficients, counted from C0.
    lifter : int
        The parameter L in coefficients; 0 leaves the cepstrum as it is.

    Returns
    -------
    ndarray of float32, shape (n_mfcc,)
        ``1 + L / 2 * sin(pi * n / L)`` for coefficient ``n``.

    References
    ----------
    .. [1] S. Young et al., "The HTK Book (v3.4)", eq. 5.12. librosa's ``lifter`` starts the
       sine one coefficient later and so is another weighting.
    """
    if lifter == 0:
        return np.ones(n_mfcc, dtype=np.float32)
    weights = 1.0 + lifter / 2.0 * np.sin(np.pi * np.arange(n_mfcc) / lifter)
    return np.asarray(weights, dtype=np.float32)
