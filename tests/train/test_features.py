"""Training features: exactly the device's, and kept on disk without ever being wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.classifier import pad_clip
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import LEVEL_FLOOR, FeatureConfig, FeatureExtractor
from edge_runtime.sources import read_clip
from train.corpora import Utterance
from train.features import CACHE_FLOOR, FeatureCache, log_mel_config, to_frames
from train.recipe import load_recipe

from .tones import RATE, tone, write_wav

SMALL = FeatureConfig(
    sample_rate=RATE,
    frame_length=256,
    hop_length=128,
    fft_size=256,
    n_mels=24,
    n_mfcc=20,
    log_floor=1e-6,
)
WINDOW = 31


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
def test_features_that_do_not_follow_from_log_mel(tmp_path, changes, said):
    with pytest.raises(SerEdgeError, match=said):
        FeatureCache(tmp_path, replace(SMALL, **changes), WINDOW)


# --- the cache ------------------------------------------------------------------------------------


def utterance(path: Path) -> Utterance:
    return Utterance(path, "sad", "TESS-OAF", "back", "TESS")


@pytest.fixture
def sound(tmp_path) -> Utterance:
    return utterance(write_wav(tmp_path / "OAF_back_sad.wav", tone(3, 0)))


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def stamps(folder: Path) -> list[tuple[Path, int, int]]:
    return [(path, path.stat().st_ino, path.stat().st_mtime_ns) for path in entries(folder)]


def expected(path: Path) -> np.ndarray:
    padded = pad_clip(read_clip(path, RATE), SMALL, WINDOW)
    return FeatureExtractor(log_mel_config(SMALL)).frames(padded)[:, :-1]


def test_cache_gives_the_devices_log_mel_and_computes_once(tmp_path, sound):
    cache = FeatureCache(tmp_path / "cache", SMALL, WINDOW)
    first = cache.load([sound])[0]
    np.testing.assert_array_equal(first, expected(sound.path))
    kept = stamps(tmp_path / "cache")
    assert len(kept) == 1
    np.testing.assert_array_equal(cache.load([sound])[0], first)
    again = FeatureCache(tmp_path / "cache", SMALL, WINDOW).load([sound])[0]
    np.testing.assert_array_equal(again, first)
    assert stamps(tmp_path / "cache") == kept


def test_cache_goes_by_content_not_by_name(tmp_path, sound):
    cache = FeatureCache(tmp_path / "cache", SMALL, WINDOW)
    before = cache.load([sound])[0]
    copy = utterance(write_wav(tmp_path / "elsewhere" / "copy.wav", tone(3, 0)))
    np.testing.assert_array_equal(cache.load([copy])[0], before)
    assert len(entries(tmp_path / "cache")) == 1
    write_wav(sound.path, tone(5, 1))
    after = cache.load([sound])[0]
    np.testing.assert_array_equal(after, expected(sound.path))
    assert not np.array_equal(after, before)


@pytest.mark.parametrize("damage", ["empty", "cut", "cut in the header", "garbage", "zip"])
def test_damaged_entry_is_computed_again(tmp_path, sound, damage):
    cache = FeatureCache(tmp_path / "cache", SMALL, WINDOW)
    wanted = cache.load([sound])[0]
    (entry,) = entries(tmp_path / "cache")
    whole = entry.read_bytes()
    entry.write_bytes(
        {
            "empty": b"",
            "cut": whole[:-100],
            "cut in the header": whole[:20],
            "garbage": b"\x00garbage" * 100,
            "zip": b"PK\x03\x04" + whole,
        }[damage]
    )
    np.testing.assert_array_equal(cache.load([sound])[0], wanted)
    assert entry.read_bytes() == whole
    assert entries(tmp_path / "cache") == [entry]


@pytest.mark.parametrize(
    "changes", [{"n_mels": 22}, {"hop_length": 64}, {"fmin": 50.0}, {"pre_emphasis": 0.9}]
)
def test_another_front_end_is_another_entry(tmp_path, sound, changes):
    FeatureCache(tmp_path / "cache", SMALL, WINDOW).load([sound])
    config = replace(SMALL, **changes)
    got = FeatureCache(tmp_path / "cache", config, WINDOW).load([sound])[0]
    assert len(entries(tmp_path / "cache")) == 2
    audio = pad_clip(read_clip(sound.path, RATE), config, WINDOW)
    wanted = FeatureExtractor(log_mel_config(config)).frames(audio)[:, :-1]
    np.testing.assert_array_equal(got, wanted)


def test_what_follows_from_log_mel_shares_an_entry(tmp_path, sound):
    """A new floor or level costs no new computation."""
    FeatureCache(tmp_path / "cache", SMALL, WINDOW).load([sound])
    kept = stamps(tmp_path / "cache")
    config = replace(SMALL, log="ln", log_floor=1e-4, level="peak", delta_order=2)
    FeatureCache(tmp_path / "cache", config, WINDOW).load([sound])
    assert stamps(tmp_path / "cache") == kept


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(samples=st.integers(1, 2 * RATE), window=st.integers(1, 80))
def test_every_clip_holds_a_window(tmp_path_factory, samples, window):
    folder = tmp_path_factory.mktemp("clip")
    clip = utterance(write_wav(folder / "short.wav", tone(2, 0, seconds=2.0)[:samples]))
    log_mel = FeatureCache(folder / "cache", SMALL, window).load([clip])[0]
    assert len(log_mel) == max(window, SMALL.frames_in(samples))
    assert log_mel.dtype == np.float32
    assert np.all(np.isfinite(log_mel))
    assert log_mel.min() >= 10 * np.log10(CACHE_FLOOR) - 1e-3


def test_several_processes_give_the_same(tmp_path):
    clips = [utterance(write_wav(tmp_path / f"{n}.wav", tone(n, n))) for n in range(4)]
    alone = FeatureCache(tmp_path / "one", SMALL, WINDOW).load(clips)
    together = FeatureCache(tmp_path / "two", SMALL, WINDOW).load(clips, jobs=2)
    for one, other in zip(alone, together):
        np.testing.assert_array_equal(one, other)


def test_damaged_sound_is_named(tmp_path):
    path = tmp_path / "OAF_back_sad.wav"
    path.write_bytes(b"this is no sound")
    with pytest.raises(SerEdgeError, match=r"OAF_back_sad\.wav"):
        FeatureCache(tmp_path / "cache", SMALL, WINDOW).load([utterance(path)])
    assert entries(tmp_path / "cache") == []


def test_cache_folder_that_cannot_be_made(tmp_path, sound):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SerEdgeError, match=r"file.*cannot be made"):
        FeatureCache(tmp_path / "file" / "cache", SMALL, WINDOW).load([sound])
