"""The fit of a profile: leaving a clip out is fitting without it, and what helps is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.profiles import fit as fitting
from edge_runtime.profiles.fit import fit
from edge_runtime.profiles.making import gain_of

N_CLASSES, WIDTH = 4, 12


def clips_of(
    seed: int, counts: tuple[int, ...], apart: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings whose classes lie so far apart, probabilities that know nothing, classes."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(counts)), counts)
    means = apart * rng.normal(size=(len(counts), WIDTH))
    embeddings = rng.normal(size=(len(classes), WIDTH)) + means[classes]
    scores = rng.dirichlet(np.ones(len(counts)), len(classes))
    return embeddings, scores, classes


counts = st.lists(st.integers(1, 6), min_size=2, max_size=N_CLASSES).map(tuple)


@given(seed=st.integers(0, 1000), counts=counts, shrinkage=st.sampled_from(fitting.SHRINKAGES))
def test_a_clip_left_out_is_judged_by_a_fit_without_it(
    seed: int, counts: tuple[int, ...], shrinkage: float
) -> None:
    embeddings, _, classes = clips_of(seed, counts, 1.0)
    n_classes = len(counts)
    left_out = fitting._left_out(embeddings, classes, n_classes, shrinkage)
    for clip, own in enumerate(classes):
        others = np.arange(len(classes)) != clip
        if counts[own] == 1:
            assert left_out[clip, own] == -np.inf
            continue
        directions, offsets = fitting._discriminants(
            embeddings[others], classes[others], n_classes, shrinkage
        )
        assert left_out[clip] == pytest.approx(embeddings[clip] @ directions + offsets, abs=1e-6)


@given(seed=st.integers(0, 1000), counts=counts)
def test_where_nothing_can_be_chosen_by_the_usual_is_taken(
    seed: int, counts: tuple[int, ...]
) -> None:
    embeddings, scores, classes = clips_of(seed, counts, 1.0)
    fitted = fit(embeddings, scores, classes, len(counts))
    assert np.isfinite(fitted.weights).all()
    assert np.isfinite(fitted.bias).all()
    n_judged = sum(count > 1 for count in counts)
    if n_judged < 2 or sum(counts) - len(counts) < 2:
        assert fitted.shrinkage == fitting.USUAL_SHRINKAGE
        assert fitted.prior_weight == fitting.USUAL_PRIOR_WEIGHT


def test_equal_clips_and_values_that_never_change_are_no_trouble() -> None:
    embeddings, scores, classes = clips_of(3, (3, 3), 1.0)
    embeddings[:, :4] = 7.0
    embeddings[1] = embeddings[0]
    fitted = fit(embeddings, scores, classes, 2)
    assert np.isfinite(fitted.weights).all()
    constant = fit(np.ones_like(embeddings), scores, classes, 2)
    assert np.isfinite(constant.left_out).all()


def test_one_clip_of_each_class_decides_by_the_nearest() -> None:
    embeddings, _, classes = clips_of(0, (1, 1, 1), 5.0)
    even = np.full((3, 3), 1 / 3)
    fitted = fit(embeddings, even, classes, 3)
    logits = embeddings @ fitted.weights + fitted.bias
    assert logits.argmax(axis=1).tolist() == [0, 1, 2]
    assert fitted.prior_weight == fitting.USUAL_PRIOR_WEIGHT
    assert gain_of(even.argmax(axis=1), fitted.left_out.argmax(axis=1), classes) is None


@given(seed=st.integers(0, 1000))
def test_classes_that_lie_apart_are_told_apart_where_the_model_knows_nothing(seed: int) -> None:
    embeddings, scores, classes = clips_of(seed, (6,) * N_CLASSES, 3.0)
    fitted = fit(embeddings, scores, classes, N_CLASSES)
    gain = gain_of(scores.argmax(axis=1), fitted.left_out.argmax(axis=1), classes)
    assert gain is not None
    assert gain.after > 0.85
    assert gain.helps
    assert (gain.clips, gain.emotions) == (24, 4)
    assert 0.0 < gain.deviation < 0.5


def test_the_model_is_believed_where_the_embedding_says_nothing() -> None:
    embeddings, _, classes = clips_of(1, (8,) * N_CLASSES, 0.0)
    scores = 0.1 + 0.6 * np.eye(N_CLASSES)[classes]
    fitted = fit(embeddings, scores, classes, N_CLASSES)
    knows_nothing = fit(*clips_of(1, (8,) * N_CLASSES, 3.0), N_CLASSES)
    assert fitted.prior_weight > knows_nothing.prior_weight
    assert (fitted.left_out.argmax(axis=1) == classes).mean() > 0.9


@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3), shift=st.floats(-100.0, 100.0))
def test_the_scale_of_the_embedding_does_not_matter(seed: int, scale: float, shift: float) -> None:
    embeddings, scores, classes = clips_of(seed, (3,) * N_CLASSES, 1.0)
    one = fit(embeddings, scores, classes, N_CLASSES)
    other = fit(scale * (embeddings + shift), scores, classes, N_CLASSES)
    assert other.left_out == pytest.approx(one.left_out, rel=1e-4, abs=1e-4)


def test_gain_counts_classes_equally_and_leaves_single_clips_out() -> None:
    classes = np.array([0, 0, 0, 0, 1, 1, 2])
    before = np.array([0, 0, 0, 0, 0, 0, 2])
    after = np.array([0, 0, 0, 1, 1, 0, 0])
    gain = gain_of(before, after, classes)
    assert gain is not None
    assert (gain.before, gain.after) == (0.5, 0.625)
    assert (gain.clips, gain.emotions) == (6, 2)
    # Two of six clips are answered otherwise, one to the better: that is chance.
    assert gain.deviation > 0.125
    assert not gain.helps
