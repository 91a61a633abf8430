"""What an utterance's cepstrum does on the whole: how high, how wide and how fast it moves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.features import FeatureConfig, FeatureExtractor
from edge_runtime.mel import dct_matrix
from train.audio import read_utterance

# Raise it when the same sound gives other statistics.
VERSION = 1
# Frames that resolve the harmonics of most voices.
FRONT_END = FeatureConfig(
    kinds=("log_mel",),
    sample_rate=16_000,
    frame_length=1024,
    hop_length=256,
    fft_size=1024,
    fmin=60.0,
    fmax=7600.0,
    n_mels=80,
    log="db",
    log_floor=1e-10,
)
N_COEFFICIENTS = 40
PERCENTILES = (5, 25, 75, 95)
# Below the loudest band of the loudest frame: where speech begins and ends, and what is silence.
ACTIVE_DB, FLOOR_DB = 40.0, 70.0


@dataclass(frozen=True)
class CepstralStatistics:
    """From a sound file to statistics over time of its MFCC.

    References
    ----------
    F. Eyben et al., "The Geneva minimalistic acoustic parameter set", IEEE Transactions on
    Affective Computing, 2016, section 3 (functionals over an utterance; there of other features).
    """

    key: str = f"cepstral-statistics-{VERSION}"

    def __call__(self, path: Path) -> NDArray[np.float32]:
        """Statistics of a sound file, (1, 322); silence around the speech is left out.

        Raises
        ------
        SerEdgeError
            When the file cannot be read.
        """
        audio = read_utterance(path, FRONT_END.sample_rate)
        missing = FRONT_END.frame_length - len(audio)
        frames = _front_end().frames(np.pad(audio, (0, max(0, missing))))
        return statistics(frames[:, :-1])[None]


def statistics(log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Statistics of the MFCC of log-mel frames.

    Parameters
    ----------
    log_mel : ndarray of float32, shape (T, 80)
        Bands in dB.

    Returns
    -------
    ndarray of float32, shape (322,)
        For each of 40 coefficients the mean, the deviation, four percentiles, and of the
        difference from one frame to the next the deviation and the mean of its absolute value; then
        the number of frames of speech, and their number with the pauses within.
    """
    peaks = log_mel.max(axis=1)
    active = np.flatnonzero(peaks > peaks.max() - ACTIVE_DB)
    speech = log_mel[active[0] : active[-1] + 1] - peaks.max()
    cepstrum = np.maximum(speech, -FLOOR_DB) @ dct_matrix(FRONT_END.n_mels, N_COEFFICIENTS)
    steps = np.diff(cepstrum, axis=0) if len(cepstrum) > 1 else np.zeros_like(cepstrum)
    return np.concatenate(
        [
            cepstrum.mean(axis=0),
            cepstrum.std(axis=0),
            np.percentile(cepstrum, PERCENTILES, axis=0).ravel(),
            steps.std(axis=0),
            np.abs(steps).mean(axis=0),
            [len(active), len(speech)],
        ]
    ).astype(np.float32)


@lru_cache(maxsize=1)
def _front_end() -> FeatureExtractor:
    return FeatureExtractor(FRONT_END)
