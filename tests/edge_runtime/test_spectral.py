"""Centroid, bandwidth, roll-off and flatness are what their formulas say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import FeatureConfig, FeatureExtractor

RATE = 16000
CONFIG = FeatureConfig(kinds=("spectral",), sample_rate=RATE)
BIN_KHZ = RATE / CONFIG.fft_size / 1000.0
EXTRACTOR = FeatureExtractor(CONFIG)


def tone(hz: float, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2.0 * np.pi * hz * np.arange(4000) / RATE)


@given(st.floats(300.0, 7700.0))
def test_tone_is_narrow_and_far_from_flat_with_its_centre_at_its_frequency(hz: float) -> None:
    centroid, bandwidth, roll_off, flatness = EXTRACTOR(tone(hz)).T
    # The skirts of the Hann window pull the centre of a high tone down, of a low one up.
    np.testing.assert_allclose(centroid, hz / 1000.0, atol=BIN_KHZ)
    np.testing.assert_allclose(roll_off, hz / 1000.0, atol=2 * BIN_KHZ)
    assert bandwidth.max() < 0.2
    assert flatness.max() < 0.01


def test_two_tones_of_one_loudness_are_centred_between_and_as_wide_as_half_apart() -> None:
    centroid, bandwidth, roll_off, _ = EXTRACTOR(tone(1000.0) + tone(5000.0)).T
    np.testing.assert_allclose(centroid, 3.0, atol=0.01)
    np.testing.assert_allclose(bandwidth, 2.0, atol=0.01)
    np.testing.assert_allclose(roll_off, 5.0, atol=2 * BIN_KHZ)


def test_white_noise_is_centred_wide_and_flat() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.1, 200 * 160)
    centroid, bandwidth, roll_off, flatness = EXTRACTOR(noise).mean(axis=0)
    assert centroid == pytest.approx(4.0, abs=0.1)  # half of half the sample rate
    assert bandwidth == pytest.approx(8.0 / np.sqrt(12.0), abs=0.1)  # of a uniform distribution
    assert roll_off == pytest.approx(0.85 * 8.0, abs=0.1)
    # The mean log of an exponential distribution is -0.5772, Euler's constant.
    assert flatness == pytest.approx(np.exp(-0.5772), abs=0.02)


@given(st.integers(0, 50), st.floats(-40.0, 0.0))
def test_shape_is_within_its_ranges_and_blind_to_the_level(seed: int, gain_db: float) -> None:
    samples = np.random.default_rng(seed).normal(0.0, 0.1, 3000)
    features = EXTRACTOR(samples)
    assert features.min() >= 0.0
    assert features[:, :3].max() <= RATE / 2000.0
    assert features[:, 3].max() <= 1.0
    quieter = EXTRACTOR(samples * 10.0 ** (gain_db / 20.0))
    centroid, bandwidth, roll_off, flatness = np.abs(quieter - features).max(axis=0)
    assert max(centroid, bandwidth, flatness) < 1e-4
    assert roll_off <= 1.01 * BIN_KHZ  # a bin at the threshold may fall on either side


def test_digital_silence_has_no_frequency_and_is_flat() -> None:
    features = EXTRACTOR(np.zeros(4000, np.float32))
    wanted = np.tile([0.0, 0.0, 0.0, 1.0], (len(features), 1))
    np.testing.assert_allclose(features, wanted, rtol=1e-6)


@pytest.mark.parametrize("window", ["hann", "rectangular"])
def test_direct_current_is_at_zero(window: str) -> None:
    config = FeatureConfig(kinds=("spectral",), window=window)
    features = FeatureExtractor(config)(np.full(4000, 0.3))
    assert features[:, :3].max() <= 1.01 * BIN_KHZ
