"""Varied recordings: fixed by their generator, and never further from the original than asked."""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from train.audio import read_utterance
from train.augment_audio import (
    AudioAugmentation,
    add_noise,
    augment_audio,
    change_gain,
    change_speed,
    check_audio_augmentation,
    reverberate,
    shift_pitch,
)

RATE = 16000
SEEDS = st.integers(0, 2**32 - 1)
LENGTHS = st.integers(1, 3000)


def recording(count: int, seed: int, level: float) -> np.ndarray:
    """Sparse noise: some samples, sometimes all of them, are zero."""
    rng = np.random.default_rng(seed)
    samples = rng.uniform(-1.0, 1.0, count) * (rng.uniform(size=count) < rng.uniform())
    return (level * samples).astype(np.float32)


RECORDINGS = st.builds(recording, LENGTHS, SEEDS, st.sampled_from([0.0, 0.01, 1.0]))
SOUNDS = RECORDINGS.filter(np.any)


def tone(frequency: float, seconds: float = 1.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def pitch_of(audio: np.ndarray) -> float:
    """The frequency of the strongest partial, in Hz."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 16 * len(audio)))
    return float(np.argmax(spectrum) * RATE / (16 * len(audio)))


def power(audio: np.ndarray) -> float:
    return float(np.mean(audio.astype(np.float64) ** 2))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpora folder with noise in subfolders and two rooms."""
    soundfile = pytest.importorskip("soundfile")
    folder = tmp_path_factory.mktemp("corpora")
    rng = np.random.default_rng(0)
    for name in ("noise/rain/a.wav", "noise/street/b.flac", "rir/hall.wav", "rir/bath.wav"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        decay = np.exp(-np.arange(4000) / 800) if "rir" in name else 1.0
        soundfile.write(path, 0.3 * decay * rng.uniform(-1, 1, 4000), RATE)
    (folder / "noise" / "readme.txt").write_text("no sound")
    (folder / "noise" / "._a.wav").write_bytes(b"no sound either")
    return folder


AUGMENTATIONS = st.builds(
    AudioAugmentation,
    speed=st.floats(0.0, 0.9),
    pitch_semitones=st.floats(0.0, 6.0),
    gain_db=st.floats(0.0, 40.0),
    noise=st.sampled_from(["", "noise"]),
    noise_snr_db=st.tuples(st.floats(-20.0, 0.0), st.floats(0.0, 40.0)),
    noise_share=st.floats(0.0, 1.0),
    rir=st.sampled_from(["", "rir"]),
    rir_share=st.floats(0.0, 1.0),
)


@settings(max_examples=50)
@given(RECORDINGS, AUGMENTATIONS, SEEDS)
def test_any_variation_is_sound_that_the_seed_fixes(sounds, audio, augmentation, seed):
    check_audio_augmentation(augmentation)
    before = audio.copy()
    varied = [
        augment_audio(audio, RATE, augmentation, np.random.default_rng(seed), sounds)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*varied)
    np.testing.assert_array_equal(audio, before)
    assert varied[0].dtype == np.float32
    assert varied[0].ndim == 1
    assert len(varied[0]) > 0
    assert np.all(np.isfinite(varied[0]))
    assert np.abs(varied[0]).max() <= 1.0 + 1e-6


@given(RECORDINGS, SEEDS)
def test_the_defaults_vary_nothing(audio, seed):
    varied = augment_audio(audio, RATE, AudioAugmentation(), np.random.default_rng(seed), None)
    np.testing.assert_array_equal(varied, audio)


def test_copies_differ(sounds):
    everything = AudioAugmentation(3, 0.1, 2.0, 6.0, "noise", (5.0, 25.0), 1.0, "rir", 1.0)
    rng = np.random.default_rng(0)
    copies = {augment_audio(tone(300), RATE, everything, rng, sounds).tobytes() for _ in range(8)}
    assert len(copies) == 8


@given(SEEDS)
def test_one_field_leaves_the_chance_of_the_others_alone(seed):
    """The same seed gives the same speed, whether or not the level varies too."""
    fast = AudioAugmentation(speed=0.5)
    lengths = [
        len(augment_audio(tone(300, 0.1), RATE, a, np.random.default_rng(seed), None))
        for a in (fast, replace(fast, gain_db=10.0))
    ]
    assert lengths[0] == lengths[1]


@given(SEEDS, st.floats(0.0, 0.9))
def test_speed_stays_within_its_range(seed, speed):
    rng = np.random.default_rng(seed)
    varied = augment_audio(tone(300, 0.2), RATE, AudioAugmentation(speed=speed), rng, None)
    assert 3200 / (1 + speed) - 2 <= len(varied) <= 3200 / (1 - speed) + 2


@given(SEEDS, st.floats(0.0, 40.0))
def test_gain_stays_within_its_range(seed, gain_db):
    audio = 0.005 * tone(300, 0.1)
    rng = np.random.default_rng(seed)
    varied = augment_audio(audio, RATE, AudioAugmentation(gain_db=gain_db), rng, None)
    assert abs(10 * math.log10(power(varied) / power(audio))) <= gain_db + 1e-3


def test_too_loud_is_scaled_down_and_not_clipped():
    audio = tone(300)
    loud = AudioAugmentation(gain_db=40.0)
    peaks = []
    for seed in range(20):
        varied = augment_audio(audio, RATE, loud, np.random.default_rng(seed), None)
        peaks.append(np.abs(varied).max())
        np.testing.assert_allclose(varied / peaks[-1], audio / 0.5, atol=1e-4)
    assert max(peaks) == pytest.approx(1.0)


@pytest.mark.parametrize("factor", [0.8, 0.93, 1.1, 1.5])
def test_a_faster_recording_is_shorter_and_higher(factor):
    audio = tone(400)
    faster = change_speed(audio, factor)
    assert len(faster) == pytest.approx(len(audio) / factor, abs=1)
    assert pitch_of(faster) == pytest.approx(400 * factor, rel=2e-3)
    assert power(faster) == pytest.approx(power(audio), rel=0.02)


@given(RECORDINGS, st.floats(0.1, 1.9))
def test_any_speed_leaves_some_sound(audio, factor):
    faster = change_speed(audio, factor)
    assert faster.dtype == np.float32
    assert len(faster) > 0


@pytest.mark.parametrize("semitones", [-4.0, -0.5, 0.7, 3.0, 12.0])
def test_pitch_shifts_at_constant_length(semitones):
    audio = tone(400)
    shifted = shift_pitch(audio, RATE, semitones)
    assert shifted.shape == audio.shape
    assert shifted.dtype == np.float32
    assert pitch_of(shifted) == pytest.approx(400 * 2 ** (semitones / 12), rel=5e-3)


@settings(max_examples=25)
@given(RECORDINGS, st.floats(-12.0, 12.0), st.sampled_from([8000, 16000, 44100]))
@pytest.mark.filterwarnings("error")
def test_pitch_of_the_shortest_recording_keeps_its_length(audio, semitones, rate):
    shifted = shift_pitch(audio, rate, semitones)
    assert shifted.shape == audio.shape
    assert np.all(np.isfinite(shifted))


def test_without_its_package_pitch_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(SerEdgeError, match=r"pitch_semitones .*pip install librosa"):
        shift_pitch(tone(300), RATE, 1.0)


@given(SOUNDS, st.floats(-60.0, 60.0))
def test_gain_is_in_db(audio, gain_db):
    changed = change_gain(audio, gain_db)
    assert changed.dtype == np.float32
    assert 10 * math.log10(power(changed) / power(audio)) == pytest.approx(gain_db, abs=1e-3)


@given(LENGTHS, LENGTHS, st.floats(-20.0, 40.0), SEEDS)
def test_noise_is_mixed_in_at_the_snr(n_audio, n_noise, snr_db, seed):
    rng = np.random.default_rng(seed)
    audio, noise = (rng.uniform(0.25, 1.0, n).astype(np.float32) for n in (n_audio, n_noise))
    noisy = add_noise(audio, noise, snr_db, np.random.default_rng(seed))
    assert noisy.dtype == np.float32
    added = noisy.astype(np.float64) - audio
    assert 10 * math.log10(power(audio) / power(added)) == pytest.approx(snr_db, abs=0.01)


@given(st.integers(1, 300), st.integers(1, 300), SEEDS)
def test_noise_is_looped_from_a_random_moment(n_audio, n_noise, seed):
    """What is added to a constant is the noise, in order, over and over."""
    noise = np.random.default_rng(seed).uniform(0.5, 1.0, n_noise).astype(np.float32)
    audio = np.full(n_audio, 0.5, dtype=np.float32)
    added = add_noise(audio, noise, 0.0, np.random.default_rng(seed)) - audio
    looped = np.tile(noise, n_audio // n_noise + 2)
    parts = np.lib.stride_tricks.sliding_window_view(looped, n_audio)[:n_noise]
    correlations = parts @ added / np.linalg.norm(parts, axis=1) / np.linalg.norm(added)
    assert correlations.max() > 1.0 - 1e-5


def test_noise_begins_anywhere():
    noise = np.random.default_rng(0).normal(0.0, 0.1, RATE).astype(np.float32)
    rng = np.random.default_rng(1)
    noisy = {add_noise(tone(300, 0.1), noise, 10.0, rng).tobytes() for _ in range(10)}
    assert len(noisy) == 10


@given(SOUNDS, st.floats(-20.0, 40.0), SEEDS)
def test_silence_is_no_noise_and_gets_none(audio, snr_db, seed):
    silence = np.zeros_like(audio)
    rng = np.random.default_rng(seed)
    np.testing.assert_array_equal(add_noise(audio, silence, snr_db, rng), audio)
    np.testing.assert_array_equal(add_noise(silence, audio, snr_db, rng), silence)


@given(SOUNDS, st.integers(0, 50), st.floats(0.01, 1.0))
def test_a_room_without_echo_changes_nothing(audio, delay, size):
    """However late the direct path arrives and however loud the response was recorded."""
    rir = np.zeros(100, dtype=np.float32)
    rir[delay] = -size if delay % 2 else size
    sign = -1 if delay % 2 else 1
    np.testing.assert_allclose(reverberate(audio, rir), sign * audio, atol=1e-6)


@given(SOUNDS, SEEDS)
def test_a_room_keeps_length_and_level(audio, seed):
    rng = np.random.default_rng(seed)
    rir = (np.exp(-np.arange(800) / 200) * rng.uniform(-1, 1, 800)).astype(np.float32)
    rir[10] = 1.0
    wet = reverberate(audio, rir)
    assert wet.shape == audio.shape
    assert wet.dtype == np.float32
    if power(wet) > 0.0:
        assert power(wet) == pytest.approx(power(audio), rel=1e-4)


def test_an_echo_comes_after_the_sound():
    click = np.zeros(1000, dtype=np.float32)
    click[100] = 0.5
    rir = np.zeros(600, dtype=np.float32)
    rir[50], rir[350] = 1.0, 0.5
    wet = reverberate(click, rir)
    np.testing.assert_array_equal(np.flatnonzero(np.abs(wet) > 1e-6), [100, 400])
    assert wet[400] == pytest.approx(0.5 * wet[100], rel=1e-5)


@given(RECORDINGS)
def test_silence_has_no_echo_and_a_silent_room_is_none(audio):
    silence = np.zeros(64, dtype=np.float32)
    np.testing.assert_array_equal(reverberate(audio, silence), audio)
    np.testing.assert_array_equal(reverberate(silence, np.ones(9, np.float32)), silence)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["noise", "rir"])
def test_the_share_of_the_copies_gets_it(sounds, kind, share):
    varied = AudioAugmentation(**{kind: kind, f"{kind}_share": share})
    rng, audio = np.random.default_rng(0), tone(300, 0.1)
    touched = [
        not np.array_equal(augment_audio(audio, RATE, varied, rng, sounds), audio)
        for _ in range(300)
    ]
    assert np.mean(touched) == pytest.approx(share, abs=0.1)


def test_a_folder_may_be_absolute(sounds):
    audio = tone(300, 0.1)
    inside, outside = (
        augment_audio(
            audio,
            RATE,
            AudioAugmentation(noise=folder, noise_share=1.0),
            np.random.default_rng(0),
            corpora,
        )
        for folder, corpora in (("noise", sounds), (str(sounds / "noise"), None))
    )
    np.testing.assert_array_equal(inside, outside)
    assert not np.array_equal(inside, audio)


@pytest.mark.parametrize("kind", ["noise", "rir"])
def test_a_folder_without_sound_is_named(tmp_path, kind):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "missing"):
        varied = AudioAugmentation(**{kind: folder, f"{kind}_share": 1.0})
        with pytest.raises(SerEdgeError, match=f"{folder}: no sound files.*{kind}") as raised:
            augment_audio(tone(300), RATE, varied, np.random.default_rng(0), tmp_path)
        assert "\n" not in str(raised.value)


def test_a_relative_folder_needs_the_corpora():
    varied = AudioAugmentation(rir="rir", rir_share=1.0)
    with pytest.raises(SerEdgeError, match=r"rir is 'rir'.*corpora"):
        augment_audio(tone(300), RATE, varied, np.random.default_rng(0), None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("copies", -1),
        ("copies", 1.5),
        ("copies", True),
        ("speed", 1.0),
        ("speed", -0.1),
        ("speed", "0.1"),
        ("pitch_semitones", math.nan),
        ("pitch_semitones", 100.0),
        ("gain_db", math.inf),
        ("gain_db", -3.0),
        ("noise", 3),
        ("noise_snr_db", (25.0, 5.0)),
        ("noise_snr_db", (5.0,)),
        ("noise_snr_db", 5.0),
        ("noise_snr_db", ("5", "25")),
        ("noise_share", 1.1),
        ("rir", None),
        ("rir_share", -0.5),
    ],
)
def test_a_value_without_sense_is_named(field, value):
    with pytest.raises(SerEdgeError, match=f"{field} must be") as raised:
        check_audio_augmentation(replace(AudioAugmentation(), **{field: value}))
    assert "\n" not in str(raised.value)


def test_real_speech_in_real_rooms_and_noises(corpora: Path):
    everything = AudioAugmentation(2, 0.1, 2.0, 6.0, "noise", (5.0, 25.0), 1.0, "rir", 1.0)
    check_audio_augmentation(everything)
    rng = np.random.default_rng(0)
    for path in itertools.islice(sorted((corpora / "RAVDESS").rglob("*.flac")), 3):
        speech = read_utterance(path, RATE)
        copies = [augment_audio(speech, RATE, everything, rng, corpora) for _ in range(4)]
        assert len({copy.tobytes() for copy in copies}) == 4
        for copy in copies:
            assert np.all(np.isfinite(copy))
            assert np.abs(copy).max() <= 1.0 + 1e-6
            assert 0.9 < len(speech) / len(copy) < 1.12
            assert abs(10 * math.log10(power(copy) / power(speech))) < 10.0


def test_real_rooms_blur_speech_but_do_not_delay_it(corpora: Path):
    speech = read_utterance(sorted((corpora / "RAVDESS").rglob("*.flac"))[0], RATE)
    for path in sorted((corpora / "rir").glob("*.flac")):
        wet = reverberate(speech, read_utterance(path, RATE))
        assert abs(delay(wet, speech)) <= 0.01 * RATE, path.name
        assert np.corrcoef(wet, speech)[0, 1] < 0.999, path.name


def delay(later: np.ndarray, earlier: np.ndarray) -> int:
    """Samples at which the two correlate best; differences, for a room's booming hides it."""
    size = 2 * len(earlier)
    later, earlier = (np.fft.rfft(np.diff(audio, n=2), size) for audio in (later, earlier))
    best = int(np.argmax(np.abs(np.fft.irfft(later * earlier.conj()))))
    return best if best < size // 2 else best - size
