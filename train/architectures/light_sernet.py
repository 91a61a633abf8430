"""LIGHT-SERNET: a fully convolutional network with three parallel views of the MFCC."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, regularizers

PATH_KERNELS = ((11, 1), (1, 9), (3, 3))  # along time, along the coefficients, along both
BLOCK_POOLING = ((2, 2), (2, 2), (2, 1), (2, 1))


def light_sernet(
    input_shape: tuple[int, ...],
    n_labels: int,
    path_filters: int = 32,
    block_filters: tuple[int, ...] = (64, 96, 128, 160),
    last_filters: int = 320,
    dropout: float = 0.3,
    l2: float = 1e-6,
) -> keras.Model:
    """LIGHT-SERNET, 463,335 parameters for seven classes.

    Three convolutions side by side look along time, along the coefficients and along both. What
    they find is concatenated and goes through local feature learning blocks: a convolution, batch
    normalisation, a rectifier and average pooling. The convolution of the fifth and last block has
    width one, and its pooling is global; what it gives is classified. No convolution has a bias:
    the batch normalisation after it has one.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D); (184, 40) in the paper, three seconds of 40 MFCC.
    n_labels : int
        Number of classes.
    path_filters : int
        Filters of each parallel convolution.
    block_filters : tuple of int
        Filters of the first four blocks.
    last_filters : int
        Filters of the last block.
    dropout : float
        Share of pooled values dropped while training.
    l2 : float
        Weight, in the loss, of the squares of the blocks' weights; 0 leaves them out.

    Returns
    -------
    keras.Model
        (batch, T, D) -> (batch, n_labels) probabilities.

    Raises
    ------
    ValueError
        When the input is not (T, D), or `block_filters` not four.

    References
    ----------
    .. [1] A. Aftab, A. Morsali, S. Ghaemmaghami and B. Champagne, "LIGHT-SERNET: A Lightweight
       Fully Convolutional Neural Network for Speech Emotion Recognition", ICASSP 2022,
       arXiv:2110.03435.
    """
    if len(input_shape) != 2:
        raise ValueError(f"input must be (T, D), not {tuple(input_shape)}")
    if len(block_filters) != len(BLOCK_POOLING):
        raise ValueError(f"block_filters must be {len(BLOCK_POOLING)} numbers")
    inputs = keras.Input(input_shape, name="features")
    image = layers.Reshape((*input_shape, 1), name="image")(inputs)
    paths = [
        _pooled(_convolved(image, path_filters, kernel, 0.0), (2, 2)) for kernel in PATH_KERNELS
    ]
    x = layers.Concatenate(name="paths")(paths)
    for filters, pool in zip(block_filters, BLOCK_POOLING):
        x = _pooled(_convolved(x, filters, (3, 3), l2), pool)
    x = _convolved(x, last_filters, (1, 1), l2)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    scores = layers.Dense(n_labels, activation="softmax", name="scores")(x)
    return keras.Model(inputs, scores, name="light_sernet")


def _convolved(x: Any, filters: int, kernel: tuple[int, int], l2: float) -> Any:
    regularizer = regularizers.L2(l2) if l2 else None
    convolution = layers.Conv2D(
        filters, kernel, padding="same", use_bias=False, kernel_regularizer=regularizer
    )
    return layers.ReLU()(layers.BatchNormalization()(convolution(x)))


def _pooled(x: Any, size: tuple[int, int]) -> Any:
    # "same": no frame is lost at the end, and no input is too small.
    return layers.AveragePooling2D(size, padding="same")(x)
