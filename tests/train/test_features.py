"""Training features: exactly the device's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.features import LEVEL_FLOOR, FeatureConfig, FeatureExtractor
from train.features import CACHE_FLOOR, log_mel_config, to_frames
from train.recipe import load_recipe

from .tones import RATE

SMALL = FeatureConfig(
    sample_rate=RATE,
    frame_length=256,
    hop_length=128,
    fft_size=256,
    n_mels=24,
    n_mfcc=20,
    log_floor=1e-6,
)


def sweep_and_hush(rate: int) -> np.ndarray:
    """A sweep well above any floor here, silence, and noise about the floors."""
    times = np.arange(rate) / rate
    sweep = 0.5 * np.sin(2 * np.pi * (100.0 + 0.2 * rate * times) * times)
    hush = np.random.default_rng(0).normal(0.0, 1e-4, rate // 2)
    return np.concatenate([sweep, np.zeros(rate // 4), hush]).astype(np.float32)


def both_ways(config: FeatureConfig, audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    log_mel = FeatureExtractor(log_mel_config(config)).frames(audio)[:, :-1]
    return to_frames(config, log_mel), FeatureExtractor(config).frames(audio)


def level_error_db(config: FeatureConfig) -> float:
    """How much the bands that the cache raised to its floor may add to a silent frame's level."""
    return 10.0 * np.log10(1.0 + config.n_mels * CACHE_FLOOR / LEVEL_FLOOR) + 1e-3


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"first_coefficient": "none"},
        {"kinds": ("log_mel",)},
        {"kinds": ("log_mel", "mfcc")},
        {"kinds": ("mfcc", "log_mel"), "first_coefficient": "none"},
        {"log": "ln"},
        {"log": "ln", "kinds": ("log_mel",), "log_floor": 1e-3},
        {"log_floor": 1e-4},
        {"log_floor": 1.0},
        {"lifter": 22, "pre_emphasis": 0.97, "mel_scale": "htk", "mel_norm": "none"},
        {"spectrum": "magnitude"},
        {"spectrum": "power_over_n", "window": "hamming"},
        {"level": "peak", "mean_subtraction": True, "delta_order": 2},
    ],
    ids=lambda changes: "-".join(map(str, changes)) or "default",
)
def test_frames_from_log_mel_are_the_devices(changes):
    config = replace(SMALL, **changes)
    trained, device = both_ways(config, sweep_and_hush(config.sample_rate))
    assert trained.shape == device.shape == (len(trained), config.frame_dim + 1)
    per_unit = 1.0 if config.log == "db" else 10.0 / np.log(10.0)
    assert np.abs(trained - device)[:, :-1].max() * per_unit < 1e-3
    assert np.abs(trained - device)[:, -1].max() * per_unit < level_error_db(config)


def test_frames_of_the_bundled_recipe_are_the_devices():
    config = load_recipe("edge").features
    audio = sweep_and_hush(config.sample_rate)
    trained, device = both_ways(config, audio)
    assert np.abs(trained - device)[:, :-1].max() < 1e-3
    assert np.abs(trained - device)[:, -1].max() < level_error_db(config)
    floored = FeatureExtractor(log_mel_config(config)).frames(audio)[:, :-1]
    below = np.mean(floored < 10 * np.log10(config.log_floor))
    assert 0.05 < below < 0.95


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    level=st.floats(1e-6, 1.0),
    floor=st.sampled_from([1e-10, 1e-6, 1e-2, 1.0]),
    log=st.sampled_from(["db", "ln"]),
    first=st.sampled_from(["c0", "none"]),
)
def test_frames_from_log_mel_are_the_devices_at_any_level(seed, level, floor, log, first):
    audio = level * np.random.default_rng(seed).normal(0.0, 0.3, RATE // 2)
    config = replace(SMALL, log=log, log_floor=floor, first_coefficient=first)
    trained, device = both_ways(config, audio.astype(np.float32))
    assert np.abs(trained - device)[:, :-1].max() < 1e-3
    assert np.abs(trained - device)[:, -1].max() < level_error_db(config)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kinds": ("mfcc", "zcr")}, "must be mfcc"),
        ({"kinds": ("rms",)}, "must be mfcc"),
        ({"first_coefficient": "log_energy"}, "must be mfcc"),
        ({"log_floor": CACHE_FLOOR / 2}, "log_floor must be at least 1e-16"),
    ],
)
def test_features_that_do_not_follow_from_log_mel(changes, said):
    with pytest.raises(SerEdgeError, match=said):
        log_mel_config(replace(SMALL, **changes))
