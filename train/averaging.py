"""A running average of a network's weights, which generalises better than the last of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

# Between neighbouring batches the weights hardly differ.
BATCHES_BETWEEN_UPDATES = 10

Weights = list[NDArray[Any]]


class WeightAverage(keras.callbacks.Callback):  # type: ignore[misc]
    """Exponential moving average of all weights, the statistics of batch normalisation among them.

    Parameters
    ----------
    momentum : float
        How much of the average stays from one batch to the next, below 1: 0.999 averages over
        about a thousand batches, 0 averages nothing.

    Attributes
    ----------
    sums : list of ndarray
        The weighted sum so far; empty before the first update.

    References
    ----------
    B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J.
    Control and Optimization 30(4), 1992; with exponential weights and the correction for the
    beginning of D. Kingma and J. Ba, "Adam", ICLR 2015, section 3.
    """

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self._momentum = momentum**BATCHES_BETWEEN_UPDATES
        self.sums: Weights = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the weights into the average, every tenth batch."""
        if not self._momentum or _batches(self.model) % BATCHES_BETWEEN_UPDATES:
            return
        weights = self.model.get_weights()
        sums = self.sums or [np.zeros_like(weight) for weight in weights]
        self.sums = [
            self._momentum * sum_ + (1.0 - self._momentum) * weight
            for sum_, weight in zip(sums, weights)
        ]

    @contextmanager
    def in_place(self, model: keras.Model) -> Iterator[None]:
        """Give the model the average, if there is one yet, and its own weights back at the end."""
        own = model.get_weights()
        if self.sums:
            updates = _batches(model) // BATCHES_BETWEEN_UPDATES
            share = 1.0 - self._momentum**updates
            model.set_weights([np.asarray(sum_ / share, sum_.dtype) for sum_ in self.sums])
        yield
        model.set_weights(own)


def _batches(model: keras.Model) -> int:
    return int(model.optimizer.iterations.numpy())
