"""The pitch of a periodic sound is found, and what has none is unvoiced."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import FeatureConfig, FeatureExtractor
from edge_runtime.pitch import least_frame_length

RATE = 16000


def pitch_of(samples: np.ndarray, rate: int = RATE, frame_length: int = 512) -> np.ndarray:
    """Frequency and strength of voicing of each frame, (2, T)."""
    config = FeatureConfig(
        kinds=("pitch",), sample_rate=rate, frame_length=frame_length, fft_size=4096
    )
    return FeatureExtractor(config)(samples).T


def periodic(hz: float, harmonics: int, rate: int = RATE, phase: float = 0.0) -> np.ndarray:
    """A tone, or with more harmonics ever more of a sawtooth, of 0.2 s."""
    time = np.arange(rate // 5) / rate
    orders = [order for order in range(1, harmonics + 1) if order * hz < 0.45 * rate]
    return 0.3 * sum(
        np.sin(2.0 * np.pi * order * hz * time + order * phase) / order for order in orders
    )


# A sawtooth's edge may be once in a frame of less than two periods: its peak is a sample late then,
# and at 60 Hz itself out of reach.
@given(
    hz=st.floats(60.5, 500.0),
    harmonics=st.sampled_from([1, 2, 60]),
    phase=st.floats(0.0, 6.3),
    rate=st.sampled_from([8000, 16000, 22050, 48000]),
    stretch=st.floats(1.0, 3.0),
    gain_db=st.floats(-40.0, 6.0),
)
@settings(max_examples=200)
def test_frequency_of_a_periodic_sound_is_found(
    hz: float, harmonics: int, phase: float, rate: int, stretch: float, gain_db: float
) -> None:
    frame_length = int(stretch * least_frame_length(rate))
    samples = 10.0 ** (gain_db / 20.0) * periodic(hz, harmonics, rate, phase)
    found, strength = pitch_of(samples, rate, frame_length)
    np.testing.assert_allclose(found, hz, rtol=0.02)
    assert strength.min() > 0.9


def test_pitch_of_a_sawtooth_is_librosas() -> None:
    librosa = pytest.importorskip("librosa", reason="librosa is the reference")
    for hz in (70.0, 123.4, 250.0, 410.0):
        samples = periodic(hz, 60)
        wanted = librosa.yin(
            samples, fmin=60.0, fmax=500.0, sr=RATE, frame_length=1024, hop_length=160, center=False
        )
        found, _ = pitch_of(samples, frame_length=1024)
        np.testing.assert_allclose(found, wanted, rtol=0.02)


def test_missing_fundamental_is_found_from_its_harmonics() -> None:
    samples = periodic(100.0, 10) - periodic(100.0, 1)
    found, _ = pitch_of(samples)
    np.testing.assert_allclose(found, 100.0, rtol=0.02)


def test_direct_current_does_not_hide_the_pitch() -> None:
    found, strength = pitch_of(0.02 * periodic(150.0, 20) + 0.5)
    np.testing.assert_allclose(found, 150.0, rtol=0.02)
    assert strength.min() > 0.9


def test_weaker_voice_in_noise_is_less_voiced() -> None:
    noise = np.random.default_rng(0).normal(size=RATE // 5)
    strengths = [
        pitch_of(periodic(150.0, 20) + gain * noise)[1].mean() for gain in (0.0, 0.1, 0.3, 1.0)
    ]
    assert np.all(np.diff(strengths) < -0.01)


@given(st.integers(0, 200), st.floats(-60.0, 20.0))
def test_white_noise_is_unvoiced(seed: int, gain_db: float) -> None:
    noise = 10.0 ** (gain_db / 20.0) * np.random.default_rng(seed).normal(0.0, 0.1, 3000)
    found, strength = pitch_of(np.clip(noise, -1.0, 1.0))
    np.testing.assert_array_equal(found, 0.0)
    assert 0.0 <= strength.min() <= strength.max() < 0.5


@pytest.mark.parametrize("level", [0.0, 0.3, -1.0])
def test_silence_and_direct_current_are_unvoiced(level: float) -> None:
    np.testing.assert_allclose(pitch_of(np.full(3000, level)), 0.0, atol=1e-6)


@pytest.mark.parametrize("amplitude", [1e-7, 1e-12])
def test_tone_below_one_16_bit_step_is_unvoiced(amplitude: float) -> None:
    assert pitch_of(amplitude * periodic(150.0, 1)).max() < 0.01


def test_voiced_and_unvoiced_stretches_of_speech_differ(speech: Callable[..., np.ndarray]) -> None:
    found, strength = pitch_of(speech(3.0))
    voiced = found > 0.0
    assert 0.3 < voiced.mean() < 0.9
    assert found[voiced].min() >= 60.0
    assert found.max() <= 500.0
    assert strength[voiced].min() >= 0.5 > strength[~voiced].max()
