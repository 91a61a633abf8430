"""Chroma names the pitch class of a sound, whatever its octave and its level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import FeatureConfig, FeatureExtractor
from edge_runtime.chroma import chroma_filter_bank

RATE = 16000
LONG_FRAMES = FeatureConfig(
    kinds=("chroma",), frame_length=4096, fft_size=4096, hop_length=1024, sample_rate=RATE
)
CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note(semitones_above_a4: float) -> np.ndarray:
    hz = 440.0 * 2.0 ** (semitones_above_a4 / 12.0)
    return 0.5 * np.sin(2.0 * np.pi * hz * np.arange(8192) / RATE)


@settings(max_examples=40)
@given(
    sample_rate=st.sampled_from([8000, 16000, 22050, 48000]),
    fft_size=st.integers(4, 4096),
)
def test_filter_bank_is_librosas(sample_rate: int, fft_size: int) -> None:
    librosa = pytest.importorskip("librosa", reason="librosa is the reference")
    wanted = librosa.filters.chroma(sr=sample_rate, n_fft=fft_size, tuning=0.0, dtype=np.float64)
    got = chroma_filter_bank(sample_rate, fft_size)
    assert got.dtype == np.float32
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_cached_filters_cannot_be_changed_by_one_user_for_all() -> None:
    with pytest.raises(ValueError, match="read-only"):
        chroma_filter_bank(RATE, 512)[0, 0] = 1.0


@pytest.mark.parametrize("octave", [0, 1, 2])
@pytest.mark.parametrize("semitone", range(12))
def test_note_is_loudest_in_its_class(semitone: int, octave: int) -> None:
    # From C4 up, where the bins are narrower than a semitone.
    features = FeatureExtractor(LONG_FRAMES)(note(semitone - 9 + 12 * octave))
    assert {CLASSES[number] for number in features.argmax(axis=1)} == {CLASSES[semitone]}


@given(st.integers(0, 50), st.floats(-60.0, 0.0))
def test_chroma_is_from_zero_to_one_and_blind_to_the_level(seed: int, gain_db: float) -> None:
    samples = np.random.default_rng(seed).normal(0.0, 0.1, 3000)
    extractor = FeatureExtractor(replace(LONG_FRAMES, frame_length=512, fft_size=512))
    features = extractor(samples)
    assert features.min() >= 0.0
    np.testing.assert_array_equal(features.max(axis=1), 1.0)
    quieter = extractor(samples * 10.0 ** (gain_db / 20.0))
    np.testing.assert_allclose(quieter, features, atol=1e-4)


def test_digital_silence_has_no_pitch_class() -> None:
    features = FeatureExtractor(LONG_FRAMES)(np.zeros(6000, np.float32))
    np.testing.assert_array_equal(features, 0.0)


@pytest.mark.parametrize("amplitude", [1e-17, 1e-20])
def test_rounding_noise_is_not_blown_up_to_a_chord(amplitude: float) -> None:
    noise = np.random.default_rng(1).normal(0.0, amplitude, 6000)
    assert FeatureExtractor(LONG_FRAMES)(noise).max() < 1e-6
