"""Mixup: training on weighted sums of two windows and of their targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError

Batch = NDArray[np.float32]


def mixup(
    inputs: Batch, targets: Batch, alpha: float, rng: np.random.Generator
) -> tuple[Batch, Batch]:
    """Mix every window of a batch with another of the same batch, drawn at random.

    Parameters
    ----------
    inputs : ndarray of float32, shape (n, ...)
        The windows.
    targets : ndarray of float32, shape (n, n_labels)
        One-hot, or any probabilities.
    alpha : float
        Of the distribution Beta(alpha, alpha) that each pair's weight is drawn from: below 1 most
        pairs are nearly one of the two, at 1 all weights are equally likely; 0 mixes nothing.
        0.1 to 0.4 is usual.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    inputs : ndarray of float32, shape (n, ...)
        The mixed windows.
    targets : ndarray of float32, shape (n, n_labels)
        Their targets, mixed alike.

    Raises
    ------
    SerEdgeError
        When alpha is negative or no number, or inputs and targets differ in number.

    References
    ----------
    H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018, equation 1.

    Examples
    --------
    >>> windows, targets = np.zeros((8, 31, 24), np.float32), np.eye(8, dtype=np.float32)
    >>> _, mixed = mixup(windows, targets, 0.2, np.random.default_rng(0))
    >>> np.allclose(mixed.sum(axis=1), 1.0)
    True
    """
    if not 0.0 <= alpha < np.inf:
        raise SerEdgeError(f"mixup: alpha must be a number, 0 or more, not {alpha!r}")
    if len(inputs) != len(targets):
        raise SerEdgeError(
            f"mixup: {len(inputs)} inputs but {len(targets)} targets; give one target for each"
        )
    if alpha == 0.0:
        return inputs, targets
    weight = rng.beta(alpha, alpha, len(inputs))
    partner = rng.permutation(len(inputs))
    return _mix(inputs, partner, weight), _mix(targets, partner, weight)


def _mix(batch: Batch, partner: NDArray[np.intp], weight: NDArray[np.float64]) -> Batch:
    own = weight.reshape(-1, *[1] * (batch.ndim - 1)).astype(batch.dtype)
    return own * batch + (1 - own) * batch[partner]
