"""The loop's looks at the validation part, and a training that diverges."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from edge_runtime.errors import SerEdgeError
from train.checkpoint import Checkpoint
from train.loop import Plan, run_rounds, validation_figures


class OneBatch(keras.utils.PyDataset):
    """A single batch of two."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return np.ones((2, 3), np.float32), np.eye(2, dtype=np.float32)


def scores(guesses: np.ndarray, n_labels: int) -> np.ndarray:
    return np.float32(0.9) * np.eye(n_labels, dtype=np.float32)[guesses] + np.float32(0.02)


def test_uar_is_over_the_classes_of_the_validation_part():
    targets, guesses = np.array([0, 0, 2, 2]), np.array([0, 1, 2, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = validation_figures(targets, scores(guesses, 4))
    assert figures["validation_uar"] == 0.5
    assert figures["validation_accuracy"] == 0.5


def test_uar_is_scikit_learns_to_the_last_bit():
    rng = np.random.default_rng(0)
    for _ in range(50):
        targets, guesses = rng.integers(0, 7, (2, 43))
        known = balanced_accuracy_score(targets, guesses)
        assert validation_figures(targets, scores(guesses, 7))["validation_uar"] == known


def test_weights_that_the_last_step_of_a_round_spoils():
    """The loss of a round's only step is finite; the rate makes the weights infinite after it."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(optimizer=keras.optimizers.SGD(1e39), loss="categorical_crossentropy")
    with pytest.raises(SerEdgeError, match=r"diverged in round 1 \(the scores .*lower learning_r"):
        run_rounds(
            model,
            lambda _: OneBatch(),
            lambda fitted: fitted.predict(np.ones((2, 3)), verbose=0),
            np.array([0, 1]),
            Plan(rounds=2, monitor="uar"),
            Checkpoint(None, ""),
        )


def trained(average: float, restore_best: bool = False) -> keras.Model:
    """A small network after 3 rounds of 20 batches."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss="categorical_crossentropy")

    class Batches(OneBatch):
        def __len__(self) -> int:
            return 20

    plan = Plan(rounds=3, monitor="uar", restore_best=restore_best, average=average)
    run_rounds(
        model,
        lambda _: Batches(),
        lambda fitted: fitted.predict(np.ones((2, 3)), verbose=0),
        np.array([0, 1]),
        plan,
        Checkpoint(None, ""),
    )
    return model


def test_average_of_weights_is_kept_in_place_of_the_last():
    """Plain descent goes one way here, so the average lies between the first and the last."""
    last, averaged, nearly_last = trained(0.0), trained(0.98), trained(0.01)
    moved = last.get_weights()[0] - trained(0.9999).get_weights()[0]
    behind = last.get_weights()[0] - averaged.get_weights()[0]
    assert np.all(np.abs(behind) > 1e-6)
    np.testing.assert_array_equal(np.sign(behind), np.sign(moved))
    assert np.abs(behind).max() < np.abs(moved).max()
    for one, two in zip(last.get_weights(), nearly_last.get_weights()):
        np.testing.assert_allclose(one, two, atol=1e-6)
