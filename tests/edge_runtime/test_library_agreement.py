"""The presets give what the libraries give, on real and on synthesised speech."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import FeatureExtractor
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


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("corpus", CORPORA)
def test_preset_is_its_library_on_real_speech(preset: str, corpus: str, corpora: Path) -> None:
    paths = sorted((corpora / corpus).rglob("*.flac"))
    if not paths:
        pytest.skip(f"SER_EDGE_CORPORA holds no {corpus} as FLAC")
    step = max(1, len(paths) // FILES_PER_CORPUS)
    differences = {
        path.name: largest_difference(preset, read(path))
        for path in paths[::step][:FILES_PER_CORPUS]
    }
    worst = max(differences, key=differences.__getitem__)
    assert differences[worst] <= LARGEST_DIFFERENCE, worst
