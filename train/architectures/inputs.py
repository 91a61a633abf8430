"""The input of networks that read frames one after another."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def sequence_input(input_shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Input layer, and its values as a sequence.

    Features averaged over time have no frames left; the recurrent systems published on them read
    the coefficients one after another.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D), or (D,) for features averaged over time.

    Returns
    -------
    inputs : KerasTensor, shape (batch, T, D) or (batch, D)
        What the network is fed.
    sequence : KerasTensor, shape (batch, T, D) or (batch, D, 1)
        What its first layer reads.

    Raises
    ------
    ValueError
        When the shape has neither one nor two sizes.
    """
    if len(input_shape) not in (1, 2):
        raise ValueError(f"input must be (T, D) or (D,), not {tuple(input_shape)}")
    inputs = keras.Input(input_shape, name="features")
    if len(input_shape) == 1:
        return inputs, layers.Reshape((input_shape[0], 1), name="sequence")(inputs)
    return inputs, inputs
