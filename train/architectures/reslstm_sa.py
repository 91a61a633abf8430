"""ResLSTM-SA: two LSTMs, a residual connection past the first, soft attention over the second."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from train.architectures.inputs import sequence_input

# Per step; Keras's own 0.99 needs more steps than small corpora give.
STATISTICS_MOMENTUM = 0.9


def reslstm_sa(
    input_shape: tuple[int, ...],
    n_labels: int,
    hidden: int = 64,
    dropout: float = 0.3,
) -> keras.Model:
    """ResLSTM-SA; with 64 hidden units the variant h64 of the paper.

    The first LSTM is as wide as the features, so that they can be added to what it gives; the sum
    is normalised over the batch and read by the second LSTM. A learnt vector u rates each of its
    outputs h_t, and ``sum(softmax(u . h)_t * h_t)`` is normalised and classified.

    The paper reads 46 values per frame (34 MFCC and 12 chroma) and counts 46,772 trainable
    parameters for eight classes. It counts two biases for every gate, as its framework keeps them.
    They act as their sum, and here there is one: 46,772 - 4 * 46 - 4 * 64 = 46,332 parameters for
    the same network.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D) or (D,); D = 46 in the paper.
    n_labels : int
        Number of classes.
    hidden : int
        Width of the second LSTM; 32, 64 and 128 in the paper.
    dropout : float
        Share of the attended values dropped while training.

    Returns
    -------
    keras.Model
        (batch, T, D) or (batch, D) -> (batch, n_labels) probabilities.

    References
    ----------
    .. [1] D. Krasnoproshin and M. Vashkevich, "Speech Emotion Recognition using Attention-based
       LSTM-Network with Residual Connection", DSPA 2026, arXiv:2606.03359.
    .. [2] S. Mirsamadi, E. Barsoum and C. Zhang, "Automatic Speech Emotion Recognition Using
       Recurrent Neural Networks with Local Attention", ICASSP 2017 (the attention).
    """
    inputs, sequence = sequence_input(input_shape)
    x = _lstm(sequence.shape[-1], "lstm_1")(sequence)
    x = layers.Add(name="residual")([x, sequence])
    x = _batch_normalisation("residual_normalised")(x)
    x = _lstm(hidden, "lstm_2")(x)
    x = _attended(x, hidden)
    x = _batch_normalisation("attended_normalised")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    scores = layers.Dense(n_labels, activation="softmax", name="scores")(x)
    return keras.Model(inputs, scores, name="reslstm_sa")


def _lstm(units: int, name: str) -> Any:
    return layers.LSTM(units, return_sequences=True, kernel_initializer="glorot_normal", name=name)


def _batch_normalisation(name: str) -> Any:
    return layers.BatchNormalization(momentum=STATISTICS_MOMENTUM, name=name)


def _attended(x: Any, width: int) -> Any:
    """Mean over time, weighted by how the learnt vector rates each frame."""
    ratings = layers.Dense(1, use_bias=False, kernel_initializer="glorot_normal", name="attention")(
        x
    )
    weights = layers.Softmax(axis=1, name="attention_weights")(ratings)
    summed = layers.Dot(axes=1, name="weighted_sum")([weights, x])
    return layers.Reshape((width,), name="attended")(summed)
