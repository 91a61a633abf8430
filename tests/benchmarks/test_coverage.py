"""What a model that may say "unsure" answers, and how much of it is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.coverage import THRESHOLDS, at_threshold, coverage_curve, coverage_table

N_LABELS = 3
# Few different ones, so that many are equal.
SCORES = st.integers(1, 40).flatmap(
    lambda n: arrays(np.int64, (n, N_LABELS), elements=st.integers(0, 8))
)


@given(SCORES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_curve_is_what_counting_gives_at_every_threshold(counts, random):
    scores = counts / 8.0
    targets = np.array([random.randrange(N_LABELS) for _ in scores])
    curve = coverage_curve(targets, scores)
    assert np.all(np.diff(curve.threshold) < 0)
    assert np.all(np.diff(curve.coverage) > 0)
    assert curve.coverage[-1] == 1.0
    assert curve.accuracy[-1] == pytest.approx(np.mean(scores.argmax(axis=1) == targets))
    for threshold in np.linspace(0.0, 1.1, 23):
        answered = scores.max(axis=1) >= threshold
        coverage, accuracy = at_threshold(curve, threshold)
        assert coverage == pytest.approx(answered.mean())
        if answered.any():
            right = scores[answered].argmax(axis=1) == targets[answered]
            assert accuracy == pytest.approx(right.mean())
        else:
            assert accuracy is None


def test_table_marks_the_model_s_own_threshold():
    scores = [[0.9, 0.1], [0.6, 0.4], [0.45, 0.55]]
    model = {"scores": scores, "conversion": {"calibration": {"rejection_threshold": 0.58}}}
    run = {"targets": [0, 1, 1], "models": {"model.int8.tflite": model}}
    lines = coverage_table({"bundled": [run]}).splitlines()
    assert len(lines) == 2 + len(THRESHOLDS) + 1
    assert "| model.int8.tflite | **0.58** | 66.7% | 50.0% |" in lines
    assert "| model.int8.tflite | 0.00 | 100.0% | 66.7% |" in lines
    assert "| model.int8.tflite | 0.90 | 33.3% | 100.0% |" in lines
