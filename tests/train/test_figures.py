"""Figures: right by hand, in agreement with scikit-learn, and silent about what is absent."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    precision_recall_fscore_support,
)

from edge_runtime.errors import SerEdgeError
from train.figures import figures_by_corpus, figures_of, over_seeds

ROUNDING = 6e-5


def one_hot(guesses: list[int], classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[guesses]


def label_names(classes: int) -> tuple[str, ...]:
    return tuple(f"label{number}" for number in range(classes))


@st.composite
def judged(draw):
    """Targets and scores of some utterances."""
    n, classes = draw(st.integers(1, 40)), draw(st.integers(1, 8))
    targets = draw(arrays.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    weights = draw(arrays.arrays(np.float32, (n, classes), elements=st.floats(0, 1, width=32)))
    weights = weights + np.float32(1e-3)
    return targets, weights / weights.sum(axis=1, keepdims=True)


def test_figures_by_hand():
    targets = np.array([0, 0, 0, 0, 1, 1])
    figures = figures_of(targets, one_hot([0, 0, 0, 1, 1, 0], 3), ("a", "b", "c"))
    bins = figures.pop("reliability")
    assert figures == {
        "utterances": 6,
        "uar": 0.625,  # (3/4 + 1/2) / 2: c does not occur
        "wa": 0.6667,
        "macro_f1": 0.625,
        "recall": {"a": 0.75, "b": 0.5},
        "precision": {"a": 0.75, "b": 0.5},
        "f1": {"a": 0.75, "b": 0.5},
        "class_accuracy": {"a": 0.6667, "b": 0.6667},
        "confusion": [[3, 1, 0], [1, 1, 0], [0, 0, 0]],
        "ece": 0.3333,  # all confidences are 1
    }
    assert len(bins) == 15
    assert bins[-1] == {"confidence": 1.0, "accuracy": 0.6667, "count": 6}
    assert bins[:-1] == [{"confidence": None, "accuracy": None, "count": 0}] * 14


def test_guess_of_a_class_that_does_not_occur_is_an_error_not_a_class():
    figures = figures_of(np.array([0, 1]), one_hot([2, 1], 3), ("a", "b", "c"))
    assert figures["uar"] == 0.5
    for by_label in ("recall", "precision", "f1", "class_accuracy"):
        assert set(figures[by_label]) == {"a", "b"}


def test_class_accuracy_counts_the_others_that_are_not_taken_for_the_class():
    figures = figures_of(np.array([0, 0, 1, 2]), one_hot([0, 1, 1, 0], 3), ("a", "b", "c"))
    assert figures["class_accuracy"] == {"a": 0.5, "b": 0.75, "c": 0.75}


def test_precision_of_a_class_that_is_never_guessed_is_zero_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = figures_of(np.array([0, 1]), one_hot([0, 0], 2), ("a", "b"))
    assert figures["precision"] == {"a": 0.5, "b": 0.0}
    assert figures["f1"]["b"] == 0.0


def test_a_single_label_is_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = figures_of(np.array([0, 0]), one_hot([0, 0], 1), ("a",))
        among_others = figures_of(np.array([1]), one_hot([1], 3), ("a", "b", "c"))
    assert alone["confusion"] == [[2]]
    assert alone["uar"] == among_others["uar"] == among_others["class_accuracy"]["b"] == 1.0


def test_no_utterances_is_said():
    with pytest.raises(SerEdgeError, match="no utterances"):
        figures_of(np.zeros(0, np.int64), np.zeros((0, 2), np.float32), ("a", "b"))


@given(judged())
def test_figures_agree_with_scikit_learn(case):
    targets, scores = case
    guesses, present = scores.argmax(axis=1), np.unique(targets)
    labels = label_names(scores.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = figures_of(targets, scores, labels)
    assert figures["wa"] == pytest.approx(accuracy_score(targets, guesses), abs=ROUNDING)
    by_hand = np.mean([np.mean(guesses[targets == t] == t) for t in present])
    assert figures["uar"] == pytest.approx(by_hand, abs=ROUNDING)
    if set(guesses.tolist()) <= set(targets.tolist()) and len(present) > 1:
        wanted = balanced_accuracy_score(targets, guesses)
        assert figures["uar"] == pytest.approx(wanted, abs=ROUNDING)
        wanted = f1_score(targets, guesses, average="macro")
        assert figures["macro_f1"] == pytest.approx(wanted, abs=ROUNDING)
    for index in present:
        precision, recall, f1, _ = precision_recall_fscore_support(
            targets == index, guesses == index, average="binary", zero_division=0
        )
        name = labels[index]
        assert figures["precision"][name] == pytest.approx(precision, abs=ROUNDING)
        assert figures["recall"][name] == pytest.approx(recall, abs=ROUNDING)
        assert figures["f1"][name] == pytest.approx(f1, abs=ROUNDING)
        accuracy = accuracy_score(targets == index, guesses == index)
        assert figures["class_accuracy"][name] == pytest.approx(accuracy, abs=ROUNDING)
    assert np.sum(figures["confusion"]) == len(targets)
    assert json.loads(json.dumps(figures)) == figures


@given(judged())
def test_calibration_error_is_that_of_its_definition(case):
    targets, scores = case
    figures = figures_of(targets, scores, label_names(scores.shape[1]))
    confidence, right = scores.max(axis=1).astype(float), scores.argmax(axis=1) == targets
    wanted = 0.0
    for m in range(1, 16):
        inside = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            wanted += inside.sum() / len(targets) * gap
            assert figures["reliability"][m - 1]["count"] == inside.sum()
    # A float32 that rounds to just above 1 still belongs to the last bin.
    if confidence.max() <= 1:
        assert figures["ece"] == pytest.approx(wanted, abs=ROUNDING)
    assert sum(one["count"] for one in figures["reliability"]) == len(targets)


def test_an_honest_half_is_calibrated():
    scores = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], dtype=np.float32)
    figures = figures_of(np.array([0, 1]), scores, ("a", "b", "c"))
    assert figures["ece"] == 0.0
    assert figures["reliability"][7] == {"confidence": 0.5, "accuracy": 0.5, "count": 2}


def test_every_corpus_has_its_own_figures():
    targets, scores = np.array([0, 1, 1]), one_hot([0, 0, 1], 2)
    figures = figures_by_corpus(["X", "Y", "X"], targets, scores, ("a", "b"))
    assert figures["by_corpus"]["X"]["wa"] == 1.0
    assert figures["by_corpus"]["Y"]["wa"] == 0.0
    assert "by_corpus" not in figures_by_corpus(["X"] * 3, targets, scores, ("a", "b"))


def test_mean_and_deviation_over_seeds():
    runs = [{"uar": u, "wa": 0.5, "macro_f1": u / 2, "ece": 0.1} for u in (0.6, 0.7, 0.8)]
    assert over_seeds(runs) == {
        "uar": {"mean": 0.7, "std": 0.1},
        "wa": {"mean": 0.5, "std": 0.0},
        "macro_f1": {"mean": 0.35, "std": 0.05},
        "ece": {"mean": 0.1, "std": 0.0},
    }
    assert over_seeds(runs[:1])["uar"] == {"mean": 0.6, "std": None}
    with pytest.raises(SerEdgeError, match="no runs"):
        over_seeds([])
