"""From a clip to probabilities: calibration, decision, and clips of any length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_runtime import Classifier, Decision, SerEdgeError
from edge_runtime.classifier import UNSURE, calibrate, clip_windows, pad_clip
from edge_runtime.metadata import LABELS, ModelMetadata, model_hash

SCORES = hnp.arrays(np.float32, 7, elements=st.floats(0.0, 1.0, width=32))
TEMPERATURES = st.floats(1e-6, 1e6)
LEAST = 4000  # samples of the shortest clip


def assert_adds_up(decision: Decision) -> None:
    assert list(decision.scores) == list(LABELS)
    assert sum(decision.scores.values()) == pytest.approx(1.0, abs=1e-5)
    assert all(0.0 <= score <= 1.0 for score in decision.scores.values())
    assert decision.score == max(decision.scores.values())
    assert all(type(score) is float for score in decision.scores.values())


# --- calibration --------------------------------------------------------------------------------


@given(SCORES, TEMPERATURES)
@example(np.zeros(7, np.float32), 1.0)
@example(np.full(7, 1 / 7, np.float32), 1e-6)
@example(np.array([1, 0, 0, 0, 0, 0, 0], np.float32), 1e-300)
@example(np.array([1, 0, 0, 0, 0, 0, 0], np.float32), 1e300)
def test_calibrated_scores_are_probabilities(scores: np.ndarray, temperature: float) -> None:
    calibrated = calibrate(scores, temperature)
    assert calibrated.dtype == np.float32
    assert np.all((calibrated >= 0.0) & (calibrated <= 1.0))
    assert calibrated.sum() == pytest.approx(1.0, abs=1e-5)


@given(SCORES, TEMPERATURES)
def test_calibration_keeps_the_order(scores: np.ndarray, temperature: float) -> None:
    by_score = calibrate(scores, temperature)[np.argsort(scores)]
    assert np.all(np.diff(by_score) >= 0.0)


@given(SCORES)
def test_temperature_of_one_only_normalises(scores: np.ndarray) -> None:
    assume(scores.sum() > 1e-3)
    np.testing.assert_allclose(calibrate(scores, 1.0), scores / scores.sum(), atol=1e-6)


@given(SCORES)
def test_high_temperature_flattens_and_low_sharpens(scores: np.ndarray) -> None:
    np.testing.assert_allclose(calibrate(scores, 1e6), 1 / 7, atol=1e-4)
    ordered = np.sort(scores)
    assume(ordered[-1] > 0.1)
    assume(ordered[-1] - ordered[-2] > 0.05)
    assert calibrate(scores, 1e-3).max() > 0.999


@given(hnp.arrays(np.float64, 7, elements=st.floats(-8.0, 8.0)), st.floats(0.3, 5.0))
def test_temperature_divides_the_logits(logits: np.ndarray, temperature: float) -> None:
    def softmax(values: np.ndarray) -> np.ndarray:
        powers = np.exp(values - values.max())
        return powers / powers.sum()

    got = calibrate(softmax(logits).astype(np.float32), temperature)
    np.testing.assert_allclose(got, softmax(logits / temperature), atol=1e-4)


# --- decision -----------------------------------------------------------------------------------


@given(SCORES)
def test_decision_is_the_most_probable_or_unsure(small: Classifier, scores: np.ndarray) -> None:
    probabilities = calibrate(scores, 1.0)
    decision = small.decide(probabilities)
    assert_adds_up(decision)
    best = LABELS[int(probabilities.argmax())]
    threshold = small.metadata.rejection_threshold
    assert decision.label == (best if probabilities.max() >= threshold else UNSURE)


def test_score_at_the_threshold_is_sure(small: Classifier) -> None:
    scores = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4])
    assert small.decide(scores).label == "surprise"
    scores[-1] -= 1e-6
    assert small.decide(scores).label == UNSURE


def test_threshold_of_zero_is_never_unsure(
    tmp_path: Path, make_onnx: Callable[..., Path], metadata_for: Callable[..., ModelMetadata]
) -> None:
    path = make_onnx(tmp_path / "open.onnx", metadata_for(rejection_threshold=0.0))
    assert Classifier(path).decide(np.full(7, 1 / 7, np.float32)).label == LABELS[0]


# --- clips --------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(LEAST, 60000), st.floats(-50.0, 0.0), st.integers(0, 9))
def test_scores_of_any_sound_add_up(
    bundled: Classifier, n_samples: int, gain_db: float, seed: int
) -> None:
    sound = np.random.default_rng(seed).normal(0.0, 0.2, n_samples) * 10.0 ** (gain_db / 20.0)
    assert_adds_up(bundled.classify(sound.astype(np.float32)))


@pytest.mark.parametrize("n_samples", [LEAST, 5039, 5040, 5041, 5199, 5200, 60_000, 500_000])
def test_clip_of_any_length_has_an_answer(small: Classifier, n_samples: int) -> None:
    sound = np.random.default_rng(0).normal(0.0, 0.1, n_samples).astype(np.float32)
    assert_adds_up(small.classify(sound))


@pytest.mark.parametrize("sound", [np.zeros(20000), np.ones(20000), np.full(20000, 1e-30)])
def test_sound_without_content_has_finite_scores(bundled: Classifier, sound: np.ndarray) -> None:
    assert_adds_up(bundled.classify(sound))


def test_clip_of_one_window_is_that_window(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    clip = speech(1.0)[3000 : 3000 + small.metadata.features.samples_for(30)]
    wanted = small.window_scores(small.extractor.frames(clip))
    np.testing.assert_allclose(small.clip_scores(clip), wanted, atol=1e-6)


def test_short_clip_is_that_clip_amid_silence(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    clip = speech(0.3)
    missing = 5040 - len(clip)
    padded = np.concatenate((np.zeros(missing // 2), clip, np.zeros(missing - missing // 2)))
    wanted = small.window_scores(small.extractor.frames(padded))
    np.testing.assert_allclose(small.clip_scores(clip), wanted, atol=1e-6)


def test_long_clip_is_the_mean_over_its_windows(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    clip = speech(2.0)
    frames = small.extractor.frames(clip)
    levels = small.extractor.level_dbfs(frames)
    windows, weights = clip_windows(frames, levels, 30)
    by_hand = sum(w * small.window_scores(window) for w, window in zip(weights, windows))
    np.testing.assert_allclose(small.clip_scores(clip), by_hand, atol=1e-6)


def test_gain_does_not_change_the_answer_where_the_features_take_the_level_away(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    clip = speech(1.0)
    np.testing.assert_allclose(
        small.clip_scores(clip), small.clip_scores(clip * np.float32(0.5)), atol=0.02
    )


@settings(max_examples=100)
@given(st.integers(1, 60), st.integers(0, 300), st.data())
def test_windows_cover_the_clip_and_speech_weighs(
    window_frames: int, n_more: int, data: st.DataObject
) -> None:
    n_frames = window_frames + n_more
    numbers = np.arange(n_frames, dtype=np.float32)[:, None]
    speaking = data.draw(hnp.arrays(np.bool_, n_frames))
    levels = np.where(speaking, -20.0, -90.0).astype(np.float32)
    windows, weights = clip_windows(numbers, levels, window_frames)
    assert all(len(window) == window_frames for window in windows)
    assert len(windows) == len(weights)
    assert {int(number) for window in windows for number in window[:, 0]} == set(range(n_frames))
    assert weights.sum() == pytest.approx(1.0, abs=1e-5)
    starts = [int(window[0, 0]) for window in windows]
    assert len(set(starts)) == len(starts)
    if speaking.any():
        heard = np.array([speaking[start : start + window_frames].sum() for start in starts])
        np.testing.assert_allclose(weights, heard / heard.sum(), rtol=1e-5)


@given(st.integers(0, 8000))
def test_padding_centres_and_loses_nothing(small: Classifier, n_samples: int) -> None:
    samples = np.arange(1, n_samples + 1, dtype=np.float32)
    padded = pad_clip(samples, small.metadata.features, 30)
    assert len(padded) == max(5040, n_samples)
    assert np.array_equal(padded[padded > 0], samples)
    before = (len(padded) - n_samples) // 2
    assert np.all(padded[:before] == 0.0)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [0, 1, LEAST - 1])
def test_too_short_a_clip_is_refused_with_its_length(small: Classifier, n_samples: int) -> None:
    seconds = f"{n_samples / 16000:.2f} s, at least 0.25 s"
    with pytest.raises(SerEdgeError, match=f"too short to classify: {seconds}"):
        small.classify(np.zeros(n_samples, np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_that_are_not_numbers_are_refused(small: Classifier, value: float) -> None:
    clip = np.zeros(LEAST)
    clip[1234] = value
    with pytest.raises(SerEdgeError, match="not numbers"):
        small.classify(clip)


@pytest.mark.parametrize("shape", [(LEAST, 2), (2, LEAST), (60000, 2), ()])
def test_several_channels_are_refused(small: Classifier, shape: tuple[int, ...]) -> None:
    with pytest.raises(SerEdgeError, match="one channel"):
        small.classify(np.zeros(shape, np.float32))


def test_integers_are_refused_with_what_to_do(small: Classifier) -> None:
    with pytest.raises(SerEdgeError, match=r"floats.*divide int16 samples by 32768"):
        small.classify(np.zeros(LEAST, np.int16))


# --- identity -----------------------------------------------------------------------------------


def test_model_is_known_by_its_name_and_hash(small: Classifier) -> None:
    assert small.hash == model_hash(small.path)
    assert small.model_id == f"small@{small.hash[:8]}"


def test_path_may_be_text(small: Classifier) -> None:
    assert Classifier(str(small.path)).model_id == small.model_id


def test_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SerEdgeError, match="no such model file"):
        Classifier(tmp_path / "absent.tflite")


def test_bundled_model_knows_the_seven_labels(bundled: Classifier) -> None:
    assert bundled.metadata.labels == LABELS
    assert bundled.metadata.features.sample_rate == 16000
