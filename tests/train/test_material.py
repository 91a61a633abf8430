"""What batches are drawn from: who lends a spectrum is of the same class."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.augment import Packed
from train.material import Material


@given(seed=st.integers(0, 1000), n_labels=st.integers(2, 5), n=st.integers(5, 30))
def test_lenders_are_of_the_class_of_those_they_lend_to(seed: int, n_labels: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.dirichlet(np.ones(n_labels), n).astype(np.float32)
    packed = Packed([np.zeros((2, 4), np.float32)] * n)
    material = Material(packed, targets, {}, {}, 0.0)
    chosen = rng.integers(0, n, 40)
    lenders = material.draw_like(chosen, rng)
    assert (targets[lenders].argmax(axis=1) == targets[chosen].argmax(axis=1)).all()
