"""What an adaptation takes off and what it leaves alone, whatever it hears."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_runtime.adaptation import (
    HALF_STRENGTH_SECONDS,
    LEAST_PROBABILITY,
    MEMORY_SECONDS,
    RESTING,
    Adaptation,
)
from edge_runtime.metadata import LABELS

N = len(LABELS)
NEUTRAL = LABELS.index("neutral")
EMOTIONAL = [place for place in range(N) if place != NEUTRAL]
HOP = 0.5


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def probabilities(n_labels: int = N, reach: float = 40.0) -> st.SearchStrategy[np.ndarray]:
    """Scores of a window: from all alike to all but one at nothing."""
    logits = hnp.arrays(np.float64, n_labels, elements=st.floats(-reach, 0.0))
    return logits.map(lambda values: softmax(values).astype(np.float32))


windows = st.lists(probabilities(), max_size=40)
hop_seconds = st.floats(0.01, 3600.0)


def used_to(heard: list[np.ndarray], seconds: float = HOP) -> Adaptation:
    adaptation = Adaptation(LABELS)
    for scores in heard:
        adaptation.learn(scores, seconds)
    return adaptation


def log(scores: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(scores.astype(np.float64), LEAST_PROBABILITY))


def neutral_odds(logs: np.ndarray) -> float:
    """Of neutral against the geometric mean of the emotional classes; a logarithm."""
    return float(logs[NEUTRAL] - logs[EMOTIONAL].mean())


# --- always -------------------------------------------------------------------------------------


@given(windows, hop_seconds)
def test_adapted_scores_are_probabilities(heard: list[np.ndarray], seconds: float) -> None:
    adaptation = Adaptation(LABELS)
    for scores in heard:
        adapted = adaptation.push(scores, seconds)
        assert adapted.dtype == np.float32
        assert adapted.shape == (N,)
        assert np.all(np.isfinite(adapted))
        assert np.all(adapted >= 0.0)
        assert adapted.sum() == pytest.approx(1.0, abs=1e-5)


@given(windows, probabilities(), hop_seconds)
def test_neutral_keeps_its_odds_against_the_emotional_classes_together(
    heard: list[np.ndarray], scores: np.ndarray, seconds: float
) -> None:
    adaptation = used_to(heard, seconds)
    adapted = adaptation.adapted(scores)
    # Unfloored: what was taken off may bring a class below the floor.
    after = np.log(np.maximum(adapted.astype(np.float64), np.finfo(np.float32).tiny))
    before = log(scores) if adaptation.seconds else np.log(scores.astype(np.float64))
    assert neutral_odds(after) == pytest.approx(neutral_odds(before), abs=1e-3)


@given(windows, probabilities())
def test_before_anything_was_heard_scores_are_the_models(
    heard: list[np.ndarray], scores: np.ndarray
) -> None:
    np.testing.assert_array_equal(Adaptation(LABELS).push(scores, HOP), scores)
    np.testing.assert_array_equal(used_to([]).adapted(np.array([scores, *heard])), [scores, *heard])


@given(windows, windows, hop_seconds)
def test_what_is_heard_later_changes_nothing_that_was_said(
    first: list[np.ndarray], later: list[np.ndarray], seconds: float
) -> None:
    alone, followed = Adaptation(LABELS), Adaptation(LABELS)
    wanted = [alone.push(scores, seconds) for scores in first]
    got = [followed.push(scores, seconds) for scores in [*first, *later]]
    np.testing.assert_array_equal(np.array(got[: len(first)]), np.array(wanted))


@given(windows, probabilities(), probabilities())
def test_a_window_is_judged_before_it_is_learnt_and_judging_alone_learns_nothing(
    heard: list[np.ndarray], one: np.ndarray, other: np.ndarray
) -> None:
    adaptation, asked = used_to(heard), used_to(heard)
    for _ in range(3):
        asked.adapted(other)
    np.testing.assert_array_equal(adaptation.push(one, HOP), asked.adapted(one))


@given(st.lists(probabilities(), min_size=1, max_size=20), windows)
def test_several_windows_are_judged_as_each_alone(
    judged: list[np.ndarray], heard: list[np.ndarray]
) -> None:
    adaptation = used_to(heard)
    each = np.array([adaptation.adapted(scores) for scores in judged])
    np.testing.assert_allclose(adaptation.adapted(np.array(judged)), each, atol=1e-6)


# --- what it takes off --------------------------------------------------------------------------


@given(
    shift=hnp.arrays(np.float64, N - 1, elements=st.floats(-1.0, 1.0)),
    seed=st.integers(0, 1000),
    seconds=st.floats(0.1, 2.0),
)
def test_a_shift_of_the_emotional_classes_is_taken_off_as_far_as_its_strength_goes(
    shift: np.ndarray, seed: int, seconds: float
) -> None:
    """The same windows with and without a shift differ by what the strength leaves of it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 0.5, (60, N))
    logits[:, NEUTRAL] = -4.0  # or the window is not learnt from
    shifted = logits.copy()
    shifted[:, EMOTIONAL] += shift - shift.mean()
    plain, leaning = (used_to(list(softmax(one)), seconds) for one in (logits, shifted))
    strength = leaning.seconds / (leaning.seconds + HALF_STRENGTH_SECONDS)
    judged = rng.normal(0.0, 0.5, N)
    heard = judged.copy()
    heard[EMOTIONAL] += shift - shift.mean()
    got, wanted = leaning.adapted(softmax(heard)), plain.adapted(softmax(judged))
    left = log(got)[EMOTIONAL] - log(wanted)[EMOTIONAL]
    expected = (1.0 - strength) * (shift - shift.mean())
    np.testing.assert_allclose(left - left.mean(), expected, atol=1e-4)


def test_the_strength_grows_with_what_was_heard() -> None:
    leaning = softmax(np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]))
    adaptation, taken = Adaptation(LABELS), []
    for _ in range(100):
        adaptation.learn(leaning, HOP)
        taken.append(adaptation.offset[LABELS.index("angry")])
    assert np.all(np.diff(taken) > 0.0)
    whole = 1.0 - 1.0 / len(EMOTIONAL)  # of the shift against the emotional classes' mean
    assert taken[19] == pytest.approx(whole / 2, abs=0.01)  # ten seconds
    assert taken[-1] < whole


def test_what_was_heard_long_ago_is_forgotten() -> None:
    angry, sad = (
        softmax(np.array([3.0 * (name == label) for label in LABELS])) for name in ("angry", "sad")
    )
    adaptation = used_to([angry] * round(MEMORY_SECONDS / HOP))
    for _ in range(round(5 * MEMORY_SECONDS / HOP)):
        adaptation.learn(sad, HOP)
    offset = adaptation.offset
    assert offset[LABELS.index("sad")] == offset.max()
    others = [place for place in EMOTIONAL if LABELS[place] not in ("sad", "angry")]
    assert offset[LABELS.index("angry")] == pytest.approx(offset[others].mean(), abs=0.05)
    assert adaptation.seconds == pytest.approx(MEMORY_SECONDS, rel=0.01)


def test_however_sure_the_model_is_the_offset_has_its_bounds() -> None:
    certain = np.eye(N, dtype=np.float32)[LABELS.index("happy")]
    adaptation = used_to([certain] * 10_000)
    assert np.abs(adaptation.offset).max() <= -np.log(LEAST_PROBABILITY)
    assert np.all(np.isfinite(adaptation.adapted(certain)))


@given(windows, windows)
def test_what_is_taken_for_neutral_is_not_learnt_from(
    emotional: list[np.ndarray], neutral: list[np.ndarray]
) -> None:
    """Hours of neutral speech push nothing away."""
    adaptation = used_to(emotional)
    before, seconds = adaptation.offset, adaptation.seconds
    for scores in neutral:
        scores[NEUTRAL] = 1.0
        adaptation.learn(scores / scores.sum(), HOP)
    np.testing.assert_array_equal(adaptation.offset, before)
    assert adaptation.seconds == seconds
    assert adaptation.offset[NEUTRAL] == 0.0


# --- other models -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels", [("neutral", "angry"), ("calm", "neutral"), ("neutral", "calm", "angry"), ("angry",)]
)
def test_with_fewer_than_two_emotional_classes_nothing_changes(labels: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    adaptation = Adaptation(labels)
    for scores in softmax(rng.normal(0.0, 3.0, (50, len(labels)))).astype(np.float32):
        np.testing.assert_array_equal(adaptation.push(scores, HOP), scores)


@given(st.lists(probabilities(3, reach=4.0), min_size=30, max_size=40))
def test_of_a_model_without_a_resting_class_all_are_emotional(heard: list[np.ndarray]) -> None:
    adaptation = Adaptation(("angry", "happy", "sad"))
    for scores in heard:
        adaptation.learn(scores, 1000.0)
    strength = adaptation.seconds / (adaptation.seconds + HALF_STRENGTH_SECONDS)
    offset = adaptation.offset
    assert offset.sum() == pytest.approx(0.0, abs=1e-9)
    assert np.ptp(offset) <= strength * np.ptp([log(one) for one in heard], axis=1).max() + 1e-9


def test_calm_rests_as_neutral_does() -> None:
    labels = ("neutral", "calm", "happy", "angry")
    adaptation = Adaptation(labels)
    for _ in range(100):
        adaptation.learn(np.array([0.1, 0.3, 0.1, 0.5], np.float32), HOP)
    assert [label for label, taken in zip(labels, adaptation.offset) if taken == 0.0] == list(
        RESTING
    )
    assert adaptation.offset[2] == pytest.approx(-adaptation.offset[3])


def test_what_it_remembers_takes_no_more_room_with_time() -> None:
    adaptation = Adaptation(LABELS)
    scores = np.full(N, 1.0 / N, np.float32)
    adaptation.push(scores, HOP)
    tracemalloc.start()
    try:
        adaptation.push(scores, HOP)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5000):
            adaptation.push(scores, HOP)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 2000
