"""The features that a recipe states, of one window, computed by librosa."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]


def librosa_features(audio: NDArray[np.float32], features: dict[str, Any]) -> NDArray[np.float32]:
    """Compute the kinds mfcc, chroma, rms and zcr as someone who knows librosa would.

    The spectrum is computed once for all that need it, frames are not centred, and the tuning of
    the chroma is not estimated. The level is left in.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The window.
    features : dict
        A feature definition as `edge_runtime.features.FeatureConfig.to_dict` gives it.

    Returns
    -------
    ndarray of float32, shape (T, D), or (D,) with ``pool="mean"``
        The features.
    """
    # librosa's frames are as long as its FFT: the last one needs that many samples, too.
    samples = np.pad(audio, (0, features["fft_size"] - features["frame_length"]))
    spectrum = _spectrum(samples, features)
    rows = [KINDS[kind](audio, spectrum, features) for kind in features["kinds"]]
    joined = np.concatenate([row[:, : spectrum.shape[1]] for row in rows])
    given = joined.mean(axis=1) if features["pool"] == "mean" else joined.T
    return np.ascontiguousarray(given, dtype=np.float32)


def _spectrum(samples: NDArray[np.float32], features: dict[str, Any]) -> Values:
    """Magnitudes, (bins, T)."""
    transformed = librosa.stft(
        samples,
        n_fft=features["fft_size"],
        win_length=features["fft_size"],
        hop_length=features["hop_length"],
        window=_window(features),
        center=False,
    )
    return np.asarray(np.abs(transformed))


def _window(features: dict[str, Any]) -> Values:
    """The window at the beginning of librosa's longer frame, zeros after it."""
    window = librosa.filters.get_window(features["window"], features["frame_length"])
    return np.pad(window, (0, features["fft_size"] - features["frame_length"]))


def _mfcc(audio: NDArray[np.float32], spectrum: Values, features: dict[str, Any]) -> Values:
    power = 1.0 if features["spectrum"] == "magnitude" else 2.0
    mel = librosa.feature.melspectrogram(
        S=spectrum**power,
        sr=features["sample_rate"],
        n_fft=features["fft_size"],
        n_mels=features["n_mels"],
        fmin=features["fmin"],
        fmax=features["fmax"] or None,
        htk=features["mel_scale"] == "htk",
        norm=None if features["mel_norm"] == "none" else features["mel_norm"],
    )
    floor = features["log_floor"]
    if features["log"] == "ln":
        log_mel = np.log(np.maximum(mel, floor))
    else:
        log_mel = librosa.power_to_db(mel, amin=floor, top_db=None)
    return np.asarray(librosa.feature.mfcc(S=log_mel, n_mfcc=features["n_mfcc"]))


def _chroma(audio: NDArray[np.float32], spectrum: Values, features: dict[str, Any]) -> Values:
    rate, size = features["sample_rate"], features["fft_size"]
    return np.asarray(librosa.feature.chroma_stft(S=spectrum**2.0, sr=rate, n_fft=size, tuning=0.0))


def _rms(audio: NDArray[np.float32], spectrum: Values, features: dict[str, Any]) -> Values:
    length, hop = features["frame_length"], features["hop_length"]
    return np.asarray(
        librosa.feature.rms(y=audio, frame_length=length, hop_length=hop, center=False)
    )


def _zcr(audio: NDArray[np.float32], spectrum: Values, features: dict[str, Any]) -> Values:
    length, hop = features["frame_length"], features["hop_length"]
    return np.asarray(
        librosa.feature.zero_crossing_rate(audio, frame_length=length, hop_length=hop, center=False)
    )


KINDS: dict[str, Callable[[NDArray[np.float32], Values, dict[str, Any]], Values]] = {
    "mfcc": _mfcc,
    "chroma": _chroma,
    "rms": _rms,
    "zcr": _zcr,
}
