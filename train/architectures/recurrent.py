"""Recurrent networks as published for speech emotion, and plain ones beside them.

Each takes (T, D), or (D,) for features averaged over time, which it reads as D steps of width one.
Padding is not masked: the published systems feed its zeros to the network too.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from train.architectures.inputs import sequence_input


def lstm(
    input_shape: tuple[int, ...],
    n_labels: int,
    units: int = 128,
    dense: int = 64,
    dropout: float = 0.3,
) -> keras.Model:
    """One LSTM and one hidden layer.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D) or (D,).
    n_labels : int
        Number of classes.
    units, dense : int
        Width of the LSTM and of the hidden layer.
    dropout : float
        Share of the LSTM's outputs dropped while training.

    Returns
    -------
    keras.Model
        (batch, T, D) or (batch, D) -> (batch, n_labels) probabilities.

    References
    ----------
    .. [1] S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8),
       1997.
    """
    inputs, sequence = sequence_input(input_shape)
    x = layers.LSTM(units, name="lstm")(sequence)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = _dense(x, 1, dense)
    return _classifier("lstm", inputs, x, n_labels)


def lstm123(
    input_shape: tuple[int, ...],
    n_labels: int,
    units: int = 123,
    dense: tuple[int, ...] = (64, 32),
    dropouts: tuple[float, ...] = (0.22, 0.12),
) -> keras.Model:
    """LSTM of 123 units and two hidden layers, each with a dropout of its own.

    The model summary that this network is known by gives its LSTM 51,084 parameters. No width D of
    the input yields them: 123 units have 4 * 123 * (123 + D + 1), which is 61,500 for D = 1 and
    80,688 for D = 40. The other layers are as in that summary: 7,936, 2,080 and, for seven
    classes, 231.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D) or (D,).
    n_labels : int
        Number of classes.
    units : int
        Width of the LSTM.
    dense : tuple of int
        Width of each hidden layer.
    dropouts : tuple of float
        Share of each hidden layer's outputs dropped while training.

    Returns
    -------
    keras.Model
        (batch, T, D) or (batch, D) -> (batch, n_labels) probabilities.

    Raises
    ------
    ValueError
        When there are not as many dropouts as hidden layers.
    """
    inputs, sequence = sequence_input(input_shape)
    x = layers.LSTM(units, name="lstm")(sequence)
    x = _hidden_layers(x, dense, dropouts)
    return _classifier("lstm123", inputs, x, n_labels)


def lstm256(
    input_shape: tuple[int, ...],
    n_labels: int,
    units: int = 256,
    dense: tuple[int, ...] = (128, 64),
    dropout: float = 0.2,
) -> keras.Model:
    """LSTM of 256 units and two hidden layers, as tutorials train it on TESS.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D) or (D,); the tutorials average 40 MFCC over time: (40,).
    n_labels : int
        Number of classes.
    units : int
        Width of the LSTM.
    dense : tuple of int
        Width of each hidden layer.
    dropout : float
        Share dropped, while training, after the LSTM and after each hidden layer.

    Returns
    -------
    keras.Model
        (batch, T, D) or (batch, D) -> (batch, n_labels) probabilities.
    """
    return _tapering_lstm("lstm256", input_shape, n_labels, units, dense, dropout)


def lstm256_dropout(
    input_shape: tuple[int, ...],
    n_labels: int,
    units: int = 256,
    dense: tuple[int, ...] = (128, 64, 32),
    dropout: float = 0.5,
) -> keras.Model:
    """LSTM of 256 units, three hidden layers, and a half dropped after each of the four.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D) or (D,).
    n_labels : int
        Number of classes.
    units : int
        Width of the LSTM.
    dense : tuple of int
        Width of each hidden layer.
    dropout : float
        Share dropped, while training, after the LSTM and after each hidden layer.

    Returns
    -------
    keras.Model
        (batch, T, D) or (batch, D) -> (batch, n_labels) probabilities.
    """
    return _tapering_lstm("lstm256_dropout", input_shape, n_labels, units, dense, dropout)


def bilstm(
    input_shape: tuple[int, ...],
    n_labels: int,
    units: int = 64,
    dense: int = 64,
    dropout: float = 0.3,
) -> keras.Model:
    """Two bidirectional LSTMs, one over the other, and one hidden layer.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D) or (D,).
    n_labels : int
        Number of classes.
    units, dense : int
        Width of each direction of each LSTM, and of the hidden layer.
    dropout : float
        Share dropped, while training, after each LSTM and after the hidden layer.

    Returns
    -------
    keras.Model
        (batch, T, D) or (batch, D) -> (batch, n_labels) probabilities.

    References
    ----------
    .. [1] M. Schuster and K. Paliwal, "Bidirectional Recurrent Neural Networks", IEEE
       Transactions on Signal Processing 45(11), 1997.
    """
    inputs, sequence = sequence_input(input_shape)
    x = layers.Bidirectional(layers.LSTM(units, return_sequences=True), name="lstm_1")(sequence)
    x = layers.Dropout(dropout, name="dropout_lstm_1")(x)
    x = layers.Bidirectional(layers.LSTM(units), name="lstm_2")(x)
    x = layers.Dropout(dropout, name="dropout_lstm_2")(x)
    x = _hidden_layers(x, (dense,), (dropout,))
    return _classifier("bilstm", inputs, x, n_labels)


def _tapering_lstm(
    name: str,
    input_shape: tuple[int, ...],
    n_labels: int,
    units: int,
    dense: tuple[int, ...],
    dropout: float,
) -> keras.Model:
    inputs, sequence = sequence_input(input_shape)
    x = layers.LSTM(units, name="lstm")(sequence)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = _hidden_layers(x, dense, (dropout,) * len(dense))
    return _classifier(name, inputs, x, n_labels)


def _hidden_layers(x: Any, widths: tuple[int, ...], dropouts: tuple[float, ...]) -> Any:
    if len(widths) != len(dropouts):
        raise ValueError(f"{len(widths)} hidden layers but {len(dropouts)} dropouts")
    for number, (width, dropout) in enumerate(zip(widths, dropouts), start=1):
        x = _dense(x, number, width)
        x = layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return x


def _dense(x: Any, number: int, width: int) -> Any:
    return layers.Dense(width, activation="relu", name=f"dense_{number}")(x)


def _classifier(name: str, inputs: Any, x: Any, n_labels: int) -> keras.Model:
    scores = layers.Dense(n_labels, activation="softmax", name="scores")(x)
    return keras.Model(inputs, scores, name=name)
