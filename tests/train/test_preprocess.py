"""Preprocessing: each step does what its name says, and only a sensible recipe is accepted."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_runtime.errors import SerEdgeError
from train.audio import read_utterance
from train.preprocess import STEPS, check_steps, preprocess

RATE = 16000

SAMPLES = st.floats(-1.0, 1.0, width=32)
RECORDINGS = arrays(np.float32, st.integers(1, 6000), elements=SAMPLES)
STEREO = arrays(np.float32, st.tuples(st.integers(1, 500), st.integers(1, 4)), elements=SAMPLES)
SHORT_TIMES = st.floats(0.001, 0.5)

LEVEL = st.one_of(
    st.fixed_dictionaries({}, optional={"peak_dbfs": st.floats(-100.0, 0.0)}),
    st.fixed_dictionaries({"rms_dbfs": st.floats(-100.0, 0.0)}),
)
TRIM = st.fixed_dictionaries(
    {},
    optional={
        "top_db": st.floats(1.0, 120.0),
        "frame_seconds": st.floats(0.025, 0.1),
        "hop_seconds": st.floats(0.001, 0.025),
    },
)
SEGMENT = st.fixed_dictionaries(
    {}, optional={"offset_seconds": st.floats(0.0, 0.5), "seconds": SHORT_TIMES}
)
CHEAP_STEPS = st.one_of(
    st.just({"step": "mono"}),
    LEVEL.map(lambda options: {"step": "level", **options}),
    TRIM.map(lambda options: {"step": "trim", **options}),
    SEGMENT.map(lambda options: {"step": "segment", **options}),
    SHORT_TIMES.map(lambda seconds: {"step": "length", "seconds": seconds}),
)


def tone(seconds: float, level: float = 0.5, rate: int = RATE) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * 300.0 * times)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), dtype=np.float32)


def apply(audio: np.ndarray, step: str, **options: object) -> np.ndarray:
    return preprocess(audio, RATE, ({"step": step, **options},))


def is_part(part: np.ndarray, whole: np.ndarray) -> bool:
    windows = np.lib.stride_tricks.sliding_window_view(whole, len(part))
    return bool((windows == part).all(axis=1).any())


@given(RECORDINGS, st.lists(CHEAP_STEPS, max_size=5).map(tuple))
def test_any_recipe_gives_sound_that_it_alone_decides(audio, steps):
    before = audio.copy()
    results = [preprocess(audio, RATE, steps) for _ in range(2)]
    assert results[0].dtype == np.float32
    assert results[0].ndim == 1
    assert len(results[0]) > 0
    assert np.all(np.isfinite(results[0]))
    np.testing.assert_array_equal(*results)
    np.testing.assert_array_equal(audio, before)


@given(RECORDINGS, st.lists(CHEAP_STEPS, max_size=4).map(tuple))
def test_steps_are_applied_in_their_order(audio, steps):
    one_by_one = audio
    for step in steps:
        one_by_one = preprocess(one_by_one, RATE, (step,))
    np.testing.assert_array_equal(preprocess(audio, RATE, steps), one_by_one)


def test_the_order_matters():
    audio = np.concatenate([tone(0.1, 0.1), tone(0.1, 0.8)])
    level, cut = {"step": "level", "peak_dbfs": 0.0}, {"step": "length", "seconds": 0.1}
    loud_end_first = preprocess(audio, RATE, (level, cut))
    loud_end_gone = preprocess(audio, RATE, (cut, level))
    assert np.abs(loud_end_first).max() == pytest.approx(0.125, rel=1e-2)
    assert np.abs(loud_end_gone).max() == pytest.approx(1.0)


def test_no_steps_leave_the_recording():
    audio = tone(0.2)
    np.testing.assert_array_equal(preprocess(audio, RATE, ()), audio)


@given(STEREO)
def test_mono_is_the_mean_or_the_channel_asked_for(audio):
    np.testing.assert_allclose(apply(audio, "mono"), audio.mean(axis=1), atol=1e-6)
    for channel in range(audio.shape[1]):
        np.testing.assert_array_equal(apply(audio, "mono", channel=channel), audio[:, channel])
    with pytest.raises(SerEdgeError, match="step mono: channel"):
        apply(audio, "mono", channel=audio.shape[1])


@given(RECORDINGS)
def test_mono_leaves_one_channel_alone(audio):
    np.testing.assert_array_equal(apply(audio, "mono"), audio)
    np.testing.assert_array_equal(apply(audio, "mono", channel=0), audio)


@pytest.mark.parametrize("steps", [(), ({"step": "trim"},)])
def test_more_channels_need_mono_first(steps):
    audio = np.stack([tone(0.1), tone(0.1)], axis=1)
    with pytest.raises(SerEdgeError, match="mono"):
        preprocess(audio, RATE, steps)


@given(RECORDINGS.filter(np.any), st.floats(-100.0, 0.0))
def test_level_reaches_its_peak(audio, target):
    peak = np.abs(apply(audio, "level", peak_dbfs=target).astype(np.float64)).max()
    assert 20 * math.log10(peak) == pytest.approx(target, abs=1e-3)


@given(RECORDINGS.filter(np.any), st.floats(-100.0, 0.0))
def test_level_reaches_its_rms(audio, target):
    levelled = apply(audio, "level", rms_dbfs=target).astype(np.float64)
    assert 10 * math.log10(np.mean(levelled**2)) == pytest.approx(target, abs=1e-3)


def test_level_without_options_leaves_one_db_of_headroom():
    assert np.abs(apply(tone(0.1), "level")).max() == pytest.approx(10 ** (-1 / 20), rel=1e-4)


@pytest.mark.parametrize("options", [{}, {"peak_dbfs": -3.0}, {"rms_dbfs": -20.0}])
def test_silence_has_no_level(options):
    assert not apply(silence(0.1), "level", **options).any()


@given(RECORDINGS, TRIM)
def test_trim_gives_a_part_of_the_recording_with_its_loudest_frame(audio, options):
    trimmed = apply(audio, "trim", **options)
    assert 0 < len(trimmed) <= len(audio)
    assert is_part(trimmed, audio)


@pytest.mark.parametrize("floor", [0.0, 1e-3])
def test_trim_removes_quiet_ends_only(floor):
    pause = np.concatenate([tone(0.3), silence(0.3), tone(0.3)])
    audio = np.concatenate([silence(0.5), pause, silence(0.7)])
    audio += floor * np.random.default_rng(0).choice([-1, 1], len(audio)).astype(np.float32)
    trimmed = apply(audio, "trim", top_db=30.0)
    assert len(pause) <= len(trimmed) <= len(pause) + 2 * 0.025 * RATE


def test_a_larger_top_db_keeps_quieter_ends():
    audio = np.concatenate([tone(0.3, 0.01), tone(0.3, 0.5), tone(0.3, 0.01)])
    assert len(apply(audio, "trim", top_db=20.0)) < 0.4 * RATE
    np.testing.assert_array_equal(apply(audio, "trim", top_db=50.0), audio)


@pytest.mark.parametrize("audio", [silence(0.5), tone(0.01), silence(0.001)])
def test_trim_never_takes_all(audio):
    np.testing.assert_array_equal(apply(audio, "trim"), audio)


def with_noise(clean: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0.0, 0.02, len(clean))
    return (clean + noise).astype(np.float32)


@pytest.mark.parametrize("stationary", [False, True])
def test_denoise_lowers_the_noise_more_than_the_sound(stationary):
    burst = np.random.default_rng(1).normal(0.0, 0.3, RATE // 5)
    audio = with_noise(np.concatenate([silence(1.5), burst, silence(1.5)]))
    gated = apply(audio, "denoise", stationary=stationary)
    pause, sound = slice(RATE // 2, RATE), slice(round(1.5 * RATE), round(1.7 * RATE))
    kept = [np.std(gated[part]) / np.std(audio[part]) for part in (pause, sound)]
    assert kept[0] < 0.1
    assert kept[1] > 0.8


def test_denoise_takes_away_the_share_asked_for():
    audio = with_noise(silence(2.0))
    levels = [np.std(apply(audio, "denoise", prop_decrease=share)) for share in (0.0, 0.5, 1.0)]
    assert levels[0] == pytest.approx(np.std(audio), rel=1e-3)
    assert levels[0] > levels[1] > levels[2]


@settings(max_examples=20)
@given(
    st.integers(1, 3000),
    st.sampled_from([4000, 8000, 16000, 22050, 48000]),
    st.booleans(),
    st.sampled_from([0.0, 1e-30, 0.5]),
)
def test_denoise_stands_short_and_silent_recordings(count, rate, stationary, level):
    audio = (level * np.random.default_rng(count).uniform(-1, 1, count)).astype(np.float32)
    steps = ({"step": "denoise", "stationary": stationary},)
    gated = preprocess(audio, rate, steps)
    assert gated.shape == audio.shape
    assert gated.dtype == np.float32
    assert np.all(np.isfinite(gated))
    if not audio.any() or count < 0.04 * rate:
        np.testing.assert_array_equal(gated, audio)


def test_denoise_is_quiet_and_deterministic(capfd):
    audio = with_noise(tone(1.0))
    np.testing.assert_array_equal(apply(audio, "denoise"), apply(audio, "denoise"))
    assert capfd.readouterr() == ("", "")


def test_without_its_package_denoise_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "noisereduce", None)
    with pytest.raises(SerEdgeError, match=r"denoise .*pip install noisereduce"):
        apply(tone(0.5), "denoise")


@given(RECORDINGS, SEGMENT)
def test_a_segment_lies_between_its_bounds(audio, options):
    part = apply(audio, "segment", **options)
    first = round(options.get("offset_seconds", 0.0) * RATE)
    if first >= len(audio):
        np.testing.assert_array_equal(part, audio)
        return
    end = first + round(options["seconds"] * RATE) if "seconds" in options else len(audio)
    np.testing.assert_array_equal(part, audio[first:end])


def test_a_segment_is_what_librosa_loads(tmp_path: Path):
    librosa = pytest.importorskip("librosa")
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(2.0), RATE, subtype="FLOAT")
    loaded, _ = librosa.load(path, sr=None, offset=0.5, duration=1.25)
    part = apply(read_utterance(path, RATE), "segment", offset_seconds=0.5, seconds=1.25)
    np.testing.assert_array_equal(part, loaded)


@given(RECORDINGS, SHORT_TIMES)
def test_length_is_exact_and_pads_with_silence(audio, seconds):
    result = apply(audio, "length", seconds=seconds)
    wanted = round(seconds * RATE)
    assert len(result) == wanted
    np.testing.assert_array_equal(result[: len(audio)], audio[:wanted])
    assert not result[len(audio) :].any()


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (({"step": "trimm"},), "trimm"),
        (({"top_db": 30.0},), "step must be one of"),
        (({"step": ["trim"]},), "step must be one of"),
        (({"step": "trim", "topdb": 30.0},), "step trim: no option 'topdb'"),
        (({"step": "trim", "top_db": "30"},), "step trim: top_db must be a number"),
        (({"step": "trim", "top_db": math.nan},), "step trim: top_db must be a number"),
        (({"step": "trim", "top_db": -30.0},), "step trim: top_db must be a number"),
        (({"step": "trim", "hop_seconds": 0.5},), "step trim: hop_seconds"),
        (({"step": "level", "peak_dbfs": 3.0},), "step level: peak_dbfs"),
        (({"step": "level", "peak_dbfs": -1, "rms_dbfs": -20},), "step level: give peak_dbfs or"),
        (({"step": "denoise", "stationary": 1},), "step denoise: stationary must be true or false"),
        (({"step": "denoise", "prop_decrease": True},), "step denoise: prop_decrease"),
        (({"step": "denoise", "n_jobs": 4},), "step denoise: no option 'n_jobs'"),
        (({"step": "mono", "channel": 0.0},), "step mono: channel must be a whole number"),
        (({"step": "mono", "channel": -1},), "step mono: channel must be a whole number"),
        (({"step": "segment", "offset_seconds": -1.0},), "step segment: offset_seconds"),
        (({"step": "length"},), "step length: seconds is missing"),
        (({"step": "length", "seconds": 48000},), "step length: seconds"),
        (({"step": "length", "seconds": 0},), "step length: seconds"),
        (({"step": "mono"}, {"step": "lenght", "seconds": 3.0}), "lenght"),
        ({"step": "mono"}, r"\[\[preprocess\]\]"),
        (("mono",), r"\[\[preprocess\]\]"),
    ],
)
def test_a_wrong_step_is_named_before_any_work(steps, said):
    with pytest.raises(SerEdgeError, match=said) as raised:
        check_steps(steps)
    assert "\n" not in str(raised.value)
    with pytest.raises(SerEdgeError, match=said):
        preprocess(tone(0.1), RATE, steps)


@given(st.lists(CHEAP_STEPS).map(tuple))
def test_what_is_accepted_stays_as_it_was(steps):
    before = [dict(step) for step in steps]
    check_steps(steps)
    preprocess(tone(0.1), RATE, steps)
    assert list(steps) == before


def test_every_step_has_an_example_that_passes():
    needed = {"length": {"seconds": 1}}
    check_steps(tuple({"step": name, **needed.get(name, {})} for name in STEPS))


@pytest.mark.parametrize(
    "audio", [np.zeros(0, np.float32), np.full(9, np.nan, np.float32), np.full(9, np.inf)]
)
def test_what_is_no_sound_is_refused(audio):
    with pytest.raises(SerEdgeError, match="recording"):
        preprocess(audio, RATE, ({"step": "level"},))


def test_real_speech_comes_through_a_whole_recipe(corpora: Path):
    steps = (
        {"step": "mono"},
        {"step": "trim", "top_db": 30.0},
        {"step": "denoise"},
        {"step": "level", "rms_dbfs": -25.0},
        {"step": "length", "seconds": 2.5},
    )
    for name in ("TESS", "RAVDESS", "EmoDB"):
        recordings = sorted((corpora / name).rglob("*.flac")) or sorted(
            (corpora / name).rglob("*.wav")
        )
        for path in itertools.islice(recordings, 3):
            audio = read_utterance(path, RATE)
            result = preprocess(audio, RATE, steps)
            assert len(result) == 2.5 * RATE
            assert 0.01 < np.abs(result).max() < 2.0
            assert len(preprocess(audio, RATE, steps[:2])) < len(audio)
