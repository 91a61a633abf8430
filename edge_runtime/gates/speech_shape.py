"""What a sound looks like to the speech gate: the levels of its bands, its voice and pitch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.mel import mel_filter_bank

FRAME_SECONDS = 0.032
LEAST_SAMPLE_RATE = 16000  # the bands reach to 7.6 kHz
N_BANDS = 20
LOWEST_HZ = 80.0
HIGHEST_HZ = 7600.0
POWER_FLOOR = 1e-9  # of a band, full scale being 1: quieter is all the same
BEL_PER_NEPER = 1.0 / np.log(10.0)

# The voice is looked for below 2 kHz, where harmonics outlast noise and distance.
VOICE_HZ = (60.0, 2000.0)
LOWEST_PITCH_HZ = 75.0
HIGHEST_PITCH_HZ = 800.0  # crying babies reach it, speech hardly
MIDDLE_PITCH_HZ = 200.0
# The longest lag against the shortest: of a period and its multiples, the period is the pitch.
LONGEST_LAG_COUNTS = 0.8
VOICE_SCALE = 2.0  # brings the voice to about the scale of the levels

N_LEVELS = N_BANDS + 1
ROW_WIDTH = N_LEVELS + 2


class SpeechShape:
    """Describes frames of 32 ms.

    Parameters
    ----------
    sample_rate : int
        Samples per second, at least 16000.
    """

    def __init__(self, sample_rate: int) -> None:
        self.frame_length = round(FRAME_SECONDS * sample_rate)
        self._fft_size = 1 << (self.frame_length - 1).bit_length()
        phase = 2.0 * np.pi * np.arange(self.frame_length) / self.frame_length
        window = 0.5 - 0.5 * np.cos(phase)
        # Such that the bands of a full-scale sine sum to one.
        window *= np.sqrt(4.0 / (self._fft_size * np.square(window).sum()))
        self._window = window.astype(np.float32)
        bank = mel_filter_bank(
            sample_rate, self._fft_size, N_BANDS, LOWEST_HZ, HIGHEST_HZ, norm="none"
        )
        self._bank = np.ascontiguousarray(bank.T, dtype=np.float32)
        self._prepare_pitch(sample_rate, window)

    def _prepare_pitch(self, sample_rate: int, window: NDArray[np.float64]) -> None:
        hz_per_bin = sample_rate / self._fft_size
        first, last = (round(hz / hz_per_bin) for hz in VOICE_HZ)
        self._voice_bins = slice(first, last)
        # Lags in steps of two samples: half as many, and fine enough below 2 kHz.
        rate = sample_rate / 2.0
        first_lag = int(rate / HIGHEST_PITCH_HZ)
        last_lag = int(np.ceil(rate / LOWEST_PITCH_HZ))
        lags = np.array([0, *range(first_lag, last_lag + 1)])
        of_window = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * self._fft_size)) ** 2)[::2]
        # The inverse Fourier transform of few bins at few lags, as one matrix product.
        phase = 4.0 * np.pi / self._fft_size * np.outer(np.arange(first, last), lags)
        cosines = 4.0 / self._fft_size * np.cos(phase) * of_window[0] / of_window[lags]
        self._cosines = np.ascontiguousarray(cosines, dtype=np.float32)
        hz = rate / lags[2:-1]
        self._octaves = np.log2(hz / MIDDLE_PITCH_HZ).astype(np.float32)
        self._preference = np.linspace(1.0, LONGEST_LAG_COUNTS, len(hz), dtype=np.float32)

    def rows(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Describe frames, each for itself.

        Parameters
        ----------
        samples : ndarray of float32, shape (T * frame_length,)
            Whole frames, in [-1, 1].

        Returns
        -------
        ndarray of float32, shape (T, 23)
            The levels of 20 mel bands and of all together in units of 10 dB, 0 being a full-scale
            sine; and, times 2, the strength of voicing, -1 to 1, and the pitch in octaves above
            200 Hz times that strength.
        """
        frames = samples.reshape(-1, self.frame_length) * self._window
        bins = np.fft.rfft(frames, self._fft_size).astype(np.complex64)
        power = np.square(bins.real)
        power += np.square(bins.imag)
        rows = np.empty((len(frames), ROW_WIDTH), dtype=np.float32)
        bands = power @ self._bank
        rows[:, :N_BANDS] = bands
        rows[:, N_BANDS] = bands.sum(axis=1)
        levels = rows[:, :N_LEVELS]
        levels += np.float32(POWER_FLOOR)
        np.log(levels, out=levels)
        levels *= np.float32(BEL_PER_NEPER)
        rows[:, N_LEVELS:] = self._voice(power)
        return rows

    def _voice(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """Strength and pitch of each frame, (T, 2), from the peak of its autocorrelation [1]_.

        References
        ----------
        .. [1] P. Boersma, "Accurate short-term analysis of the fundamental frequency", Proc. IFA
           17, 1993: the autocorrelation of a windowed frame over that of the window.
        """
        correlation = power[:, self._voice_bins] @ self._cosines
        inner = correlation[:, 2:-1]
        is_peak = (inner > correlation[:, 1:-2]) & (inner >= correlation[:, 3:])
        heights = inner * is_peak
        best = (heights * self._preference).argmax(axis=1)
        row = np.arange(len(power))
        strength = heights[row, best] / (correlation[:, 0] + np.float32(POWER_FLOOR))
        strength *= np.float32(VOICE_SCALE)
        return np.stack((strength, strength * self._octaves[best]), axis=1)
