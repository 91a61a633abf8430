"""Mixup: sums of two, whose weights are those of their targets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from train.mixup import mixup

SEEDS = st.integers(0, 2**32 - 1)
ALPHAS = st.floats(0.01, 10.0)
N_LABELS = 7


def batch(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 5, 3)).astype(np.float32)
    return inputs, np.eye(N_LABELS, dtype=np.float32)[rng.integers(0, N_LABELS, count)]


@given(st.integers(1, 40), ALPHAS, SEEDS)
def test_targets_stay_probabilities_and_inputs_within_the_batch(count, alpha, seed):
    inputs, targets = batch(count, seed)
    mixed, mixed_targets = mixup(inputs, targets, alpha, np.random.default_rng(seed))
    assert mixed.shape == inputs.shape
    assert mixed_targets.shape == targets.shape
    assert mixed.dtype == mixed_targets.dtype == np.float32
    np.testing.assert_allclose(mixed_targets.sum(axis=1), 1.0, atol=1e-6)
    assert np.all(mixed_targets >= 0.0)
    assert np.all(mixed <= inputs.max(axis=0) + 1e-5)
    assert np.all(mixed >= inputs.min(axis=0) - 1e-5)


@given(st.integers(2, 30), ALPHAS, SEEDS)
def test_inputs_and_targets_are_mixed_alike(count, alpha, seed):
    """Of one-hot inputs the result says which two were mixed, and by which weight."""
    one_hot = np.eye(count, dtype=np.float32)
    as_images = np.repeat(one_hot[:, :, None], 4, axis=2)
    mixed, targets = mixup(as_images, one_hot, alpha, np.random.default_rng(seed))
    np.testing.assert_array_equal(mixed, np.repeat(targets[:, :, None], 4, axis=2))
    assert np.all(np.count_nonzero(targets, axis=1) <= 2)


@given(st.integers(1, 30), SEEDS)
def test_alpha_0_gives_the_batch_back(count, seed):
    inputs, targets = batch(count, seed)
    mixed, mixed_targets = mixup(inputs, targets, 0.0, np.random.default_rng(seed))
    np.testing.assert_array_equal(mixed, inputs)
    np.testing.assert_array_equal(mixed_targets, targets)


@given(st.integers(1, 30), ALPHAS, SEEDS)
def test_the_seed_fixes_it_and_the_batch_is_left_alone(count, alpha, seed):
    inputs, targets = batch(count, seed)
    before = inputs.copy(), targets.copy()
    once, again = (mixup(inputs, targets, alpha, np.random.default_rng(seed)) for _ in range(2))
    for first, second in zip(once, again):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(inputs, before[0])
    np.testing.assert_array_equal(targets, before[1])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_weights_follow_the_beta_distribution(alpha):
    """Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)); each pair has a weight of its own."""
    count = 4000
    one_hot = np.eye(count, dtype=np.float32)
    _, targets = mixup(one_hot, one_hot, alpha, np.random.default_rng(0))
    weights = np.diag(targets)
    assert weights.mean() == pytest.approx(0.5, abs=0.03)
    assert weights.var() == pytest.approx(1.0 / (4.0 * (2.0 * alpha + 1.0)), rel=0.1)


@pytest.mark.parametrize("alpha", [-0.1, math.nan, math.inf])
def test_an_alpha_without_sense_is_refused(alpha):
    with pytest.raises(SerEdgeError, match="alpha"):
        mixup(*batch(4, 0), alpha, np.random.default_rng(0))


def test_each_input_needs_a_target():
    inputs, targets = batch(4, 0)
    with pytest.raises(SerEdgeError, match="4 inputs but 3 targets"):
        mixup(inputs, targets[:3], 0.2, np.random.default_rng(0))
