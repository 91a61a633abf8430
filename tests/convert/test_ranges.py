"""The range of an activation: it holds zero, and a better one has less error."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convert.ranges import METHODS, Histogram, range_of, squared_error

VALUES = arrays(
    np.float32,
    st.integers(2, 300),
    elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
).filter(lambda values: np.ptp(values) > 1e-3)


def histogram_of(values: np.ndarray) -> Histogram:
    histogram = Histogram(float(values.min()), float(values.max()))
    for part in np.array_split(values, 3):
        histogram.add(part)
    return histogram


def error(histogram: Histogram, method: str) -> float:
    return squared_error(histogram.centres, histogram.counts, *range_of(histogram, method))


@given(VALUES, st.sampled_from(METHODS))
def test_range_holds_zero_and_no_more_than_occurs(values, method):
    low, high = range_of(histogram_of(values), method)
    assert low <= 0.0 <= high
    assert low < high
    assert min(values.min(), 0.0) <= low + 1e-6 * abs(low)
    assert high - 1e-6 * abs(high) <= max(values.max(), 0.0)


@given(VALUES)
def test_minmax_is_the_whole_range(values):
    low, high = range_of(histogram_of(values), "minmax")
    assert (low, high) == (min(values.min(), 0.0), max(values.max(), 0.0))


@given(VALUES)
def test_every_value_is_counted_once(values):
    assert histogram_of(values).counts.sum() == len(values)


@given(VALUES)
def test_least_squared_error_is_no_worse_than_the_whole_range(values):
    histogram = histogram_of(values)
    assert error(histogram, "mse") <= error(histogram, "minmax") * (1 + 1e-9)


def test_a_far_outlier_does_not_take_the_steps_of_a_percentile():
    values = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    values[0] = 30.0
    histogram = histogram_of(values)
    assert range_of(histogram, "percentile")[1] < 0.2 * range_of(histogram, "minmax")[1]
    counts = np.where(np.abs(histogram.centres) < 3.0, histogram.counts, 0)
    errors = [
        squared_error(histogram.centres, counts, *range_of(histogram, name))
        for name in ("percentile", "minmax")
    ]
    assert errors[0] < errors[1] / 4


@given(st.floats(-50, 0), st.floats(0.1, 50), st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_error_within_the_range_is_at_most_half_a_step(low, high, places):
    values = low + (high - low) * np.array(places)
    step = (high - low) / 255
    counts = np.ones(len(values), dtype=np.int64)
    assert squared_error(values, counts, low, high) <= (step / 2) ** 2 * (1 + 1e-6) + 1e-12
