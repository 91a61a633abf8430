"""The presets and kinds give what the libraries give, on real and on synthesised speech."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import FeatureConfig, FeatureExtractor
from edge_runtime.features import PRESETS
from edge_runtime.sources import AudioFile

librosa = pytest.importorskip("librosa", reason="librosa is a reference")
psf = pytest.importorskip("python_speech_features", reason="it is a reference")

RATE = 16000
LARGEST_DIFFERENCE = 1e-4
CORPORA = ("TESS", "RAVDESS", "EmoDB")
FILES_PER_CORPUS = 20


def librosa_mfcc(samples: np.ndarray) -> np.ndarray:
    """MFCC as librosa gives them with centring and top_db off, in double precision, (T, 20)."""
    mel = librosa.feature.melspectrogram(
        y=samples.astype(np.float64), sr=RATE, center=False, dtype=np.float64
    )
    log_mel = librosa.power_to_db(mel, top_db=None)
    return librosa.feature.mfcc(S=log_mel, n_mfcc=20).T


def psf_mfcc(samples: np.ndarray) -> np.ndarray:
    """MFCC as python_speech_features gives them, its last, padded frame included, (T, 13)."""
    return psf.mfcc(samples.astype(np.float64), RATE)


REFERENCES = {"librosa": librosa_mfcc, "python_speech_features": psf_mfcc}


def largest_difference(preset: str, samples: np.ndarray) -> float:
    got = FeatureExtractor(PRESETS[preset])(samples)
    wanted = REFERENCES[preset](samples)
    if preset == "librosa":
        assert got.shape == wanted.shape
    else:
        assert len(got) <= len(wanted) <= len(got) + 1
    return float(np.abs(got - wanted[: len(got)]).max())


def read(path: Path) -> np.ndarray:
    with AudioFile(path, RATE) as file:
        return np.concatenate(list(file.chunks()))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", range(4))
def test_preset_is_its_library_on_synthesised_speech(
    preset: str, seed: int, speech: Callable[..., np.ndarray]
) -> None:
    assert largest_difference(preset, speech(3.0, seed)) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("gain", [1.0, 1e-3])
def test_preset_is_its_library_where_speech_meets_digital_silence(
    preset: str, gain: float, speech: Callable[..., np.ndarray]
) -> None:
    # Of 16 bits, as recordings are: python_speech_features has no floor but for a zero.
    samples = np.round(gain * speech(2.0) * 32768.0) / 32768.0
    samples[:9000] = 0.0
    samples[20000:26000] = 0.0
    assert largest_difference(preset, samples) <= LARGEST_DIFFERENCE


def spread_over(corpus: Path, n_files: int) -> list[Path]:
    paths = sorted(corpus.rglob("*.flac"))
    if not paths:
        pytest.skip(f"SER_EDGE_CORPORA holds no {corpus.name} as FLAC")
    return paths[:: max(1, len(paths) // n_files)][:n_files]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("corpus", CORPORA)
def test_preset_is_its_library_on_real_speech(preset: str, corpus: str, corpora: Path) -> None:
    differences = {
        path.name: largest_difference(preset, read(path))
        for path in spread_over(corpora / corpus, FILES_PER_CORPUS)
    }
    worst = max(differences, key=differences.__getitem__)
    assert differences[worst] <= LARGEST_DIFFERENCE, worst


# --- chroma, spectral shape and pitch -----------------------------------------------------------


def power_spectra(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """|X|**2 as librosa computes it, in double precision, (bins, T)."""
    padding = np.zeros(config.fft_size - config.frame_length)
    window = librosa.filters.get_window(config.window, config.frame_length)
    frames = librosa.util.frame(
        samples.astype(np.float64),
        frame_length=config.frame_length,
        hop_length=config.hop_length,
        axis=0,
    )
    padded = np.concatenate((frames * window, np.tile(padding, (len(frames), 1))), axis=1)
    return np.abs(np.fft.rfft(padded)).T ** 2


def check_chroma(samples: np.ndarray, config: FeatureConfig) -> None:
    got = FeatureExtractor(replace(config, kinds=("chroma",)))(samples)
    power = power_spectra(samples, config)
    wanted = librosa.feature.chroma_stft(
        S=power, sr=RATE, n_fft=config.fft_size, tuning=0.0, dtype=np.float64
    )
    np.testing.assert_allclose(got, wanted.T, atol=LARGEST_DIFFERENCE)


def check_spectral(samples: np.ndarray, config: FeatureConfig) -> None:
    got = FeatureExtractor(replace(config, kinds=("spectral",)))(samples).T
    magnitude = np.sqrt(power_spectra(samples, config))
    spectrum = {"S": magnitude, "sr": RATE, "n_fft": config.fft_size}
    relative = {"rtol": 1e-3, "atol": 1e-6}
    centroid = librosa.feature.spectral_centroid(**spectrum)[0]
    np.testing.assert_allclose(got[0], centroid / 1000.0, **relative)
    bandwidth = librosa.feature.spectral_bandwidth(**spectrum)[0]
    np.testing.assert_allclose(got[1], bandwidth / 1000.0, **relative)
    roll_off = librosa.feature.spectral_rolloff(**spectrum)[0]
    np.testing.assert_allclose(got[2], roll_off / 1000.0, **relative)
    flatness = librosa.feature.spectral_flatness(S=magnitude)[0]
    np.testing.assert_allclose(got[3], flatness, **relative)


def check_pitch(samples: np.ndarray, config: FeatureConfig) -> None:
    """Where both are sure that there is a voice, they agree but for a few octaves."""
    config = replace(config, kinds=("pitch",))
    hz, strength = FeatureExtractor(config)(samples).T
    # YIN takes as long a frame as ours, and the longest period besides.
    longer = config.frame_length + RATE // 60
    wanted = librosa.yin(
        samples.astype(np.float64),
        fmin=60.0,
        fmax=500.0,
        sr=RATE,
        frame_length=longer,
        hop_length=config.hop_length,
        center=False,
    )
    sure = strength[: len(wanted)] > 0.9
    deviation = np.abs(hz[: len(wanted)] / wanted - 1.0)[sure]
    assert len(deviation) > 10
    assert np.median(deviation) < 0.02
    assert np.mean(deviation > 0.2) < 0.1


CHECKS = {"chroma": check_chroma, "spectral": check_spectral, "pitch": check_pitch}
FRAMES = {
    "default": FeatureConfig(),
    "padded": FeatureConfig(frame_length=400, fft_size=512),
    "long": FeatureConfig(frame_length=2048, hop_length=512, fft_size=2048),
    "odd": FeatureConfig(frame_length=441, hop_length=100, fft_size=555),
}


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize("frames", FRAMES)
@pytest.mark.parametrize("seed", range(3))
def test_kind_is_librosas_on_synthesised_speech(
    kind: str, frames: str, seed: int, speech: Callable[..., np.ndarray]
) -> None:
    CHECKS[kind](speech(3.0, seed), FRAMES[frames])


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize("corpus", CORPORA)
def test_kind_is_librosas_on_real_speech(kind: str, corpus: str, corpora: Path) -> None:
    for path in spread_over(corpora / corpus, 5):
        CHECKS[kind](read(path), FRAMES["default"])
