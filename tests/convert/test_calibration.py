"""Temperature and threshold: scores that mean what they say, and refusals that pay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.calibration import (
    LEAST_UTTERANCES,
    cross_entropy,
    fit_calibration,
    rejection_threshold,
)
from convert.datasets import Recordings
from convert.figures import judged


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def drawn(n: int, temperature: float, seed: int = 0) -> tuple[Recordings, np.ndarray]:
    """Recordings of one window each whose labels are drawn by the scores at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 5)) * 3.0
    truth = softmax(logits / temperature)
    targets = np.array([rng.choice(5, p=row / row.sum()) for row in truth.astype(np.float64)])
    recordings = Recordings(
        "validation",
        np.zeros((n, 1, 1), np.float32),
        np.ones(n, np.float32),
        np.arange(n),
        targets,
    )
    return recordings, softmax(logits)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_finds_the_temperature_that_the_labels_were_drawn_at(temperature):
    recordings, scores = drawn(4000, temperature)
    fitted = fit_calibration(recordings, scores)
    assert fitted.temperature == pytest.approx(temperature, rel=0.1)
    after = judged(recordings, scores, fitted.temperature)
    assert after["ece"] < 0.03
    assert after["ece"] <= judged(recordings, scores)["ece"] + 0.01


@given(st.integers(0, 1000), st.sampled_from([0.3, 1.0, 3.0]))
def test_cross_entropy_never_grows_by_much(seed, temperature):
    recordings, scores = drawn(60, temperature, seed)
    fitted = fit_calibration(recordings, scores)
    before = cross_entropy(recordings, scores, 1.0)
    assert cross_entropy(recordings, scores, fitted.temperature) <= before + 0.05


def test_a_few_right_answers_are_no_certainty():
    recordings, scores = drawn(LEAST_UTTERANCES, 1.0)
    right = Recordings(
        "validation",
        recordings.windows,
        recordings.weights,
        recordings.owners,
        scores.argmax(axis=1),
    )
    fitted = fit_calibration(right, scores)
    assert right.scores(scores, fitted.temperature).max(axis=1).mean() < 0.99


@given(st.integers(0, 1000))
def test_steps_of_the_scores_do_not_make_right_answers_surer(seed):
    """What int8 rounds to zero counts as half a step, and sharpening it is not for nothing."""
    recordings, scores = drawn(60, 1.0, seed)
    right = Recordings(
        "validation",
        recordings.windows,
        recordings.weights,
        recordings.owners,
        scores.argmax(axis=1),
    )
    step = 1.0 / 256.0
    rounded = (np.round(scores / step) * step).astype(np.float32)
    of_float = fit_calibration(right, scores).temperature
    of_steps = fit_calibration(right, rounded, step).temperature
    assert of_steps > 0.7 * of_float


def test_too_few_utterances_are_not_fitted_to():
    fitted = fit_calibration(*drawn(LEAST_UTTERANCES - 1, 3.0))
    assert (fitted.temperature, fitted.rejection_threshold) == (1.0, 0.0)
    assert f"at least {LEAST_UTTERANCES}" in fitted.report["not_fitted"]


def gain(confidence: np.ndarray, right: np.ndarray, threshold: float) -> int:
    accepted = confidence >= threshold
    return int(right[accepted].sum()) - int((~right[accepted]).sum())


@given(
    st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=60),
    st.floats(0, 1),
)
def test_no_threshold_gains_more(answers, other):
    confidence = np.array([score / 100 for score, _ in answers], dtype=np.float32)
    right = np.array([is_right for _, is_right in answers])
    found = rejection_threshold(confidence, right)
    assert 0.0 <= found <= 1.0
    if gain(confidence, right, 0.0) > 0 or found > 0:
        assert gain(confidence, right, found) >= gain(confidence, right, other)


def test_nothing_is_refused_when_all_is_right():
    confidence = np.linspace(0.2, 0.9, 50).astype(np.float32)
    assert rejection_threshold(confidence, np.ones(50, dtype=bool)) == 0.0


def test_what_is_wrong_below_a_score_is_refused():
    confidence = np.linspace(0.2, 0.9, 71).astype(np.float32)
    assert 0.5 < rejection_threshold(confidence, confidence > 0.5) < 0.53
