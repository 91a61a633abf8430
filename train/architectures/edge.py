"""The network that ser-edge ships."""

from __future__ import annotations

import keras
from keras import layers

from train.architectures.blocks import gated_scores, separable_block


def edge(
    input_shape: tuple[int, ...],
    n_labels: int,
    stem_channels: int = 64,
    channels: int = 80,
    kernels: tuple[int, ...] = (5, 5, 7, 7),
    dropout: float = 0.3,
) -> keras.Model:
    """Small convolutional network over time: what ser-edge ships.

    One strided convolution, residual depthwise-separable blocks, then gated mean and maximum
    over time. Time is the height of 2-D convolutions of width one, which TFLite runs without
    reshaping between layers; every operator has an int8 kernel.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D).
    n_labels : int
        Number of classes.
    stem_channels, channels : int
        Width of the first convolution and of the blocks.
    kernels : tuple of int
        Length of each block's depthwise convolution, in frames of the halved rate.
    dropout : float
        Share of pooled values dropped while training.

    Returns
    -------
    keras.Model
        (batch, T, D) -> (batch, n_labels) probabilities.

    References
    ----------
    .. [1] A. Howard et al., "MobileNets", arXiv:1704.04861, 2017 (depthwise-separable
       convolutions).
    """
    frames, width = input_shape
    inputs = keras.Input((frames, width), name="features")
    x = layers.Reshape((frames, 1, width))(inputs)
    x = layers.Conv2D(stem_channels, (5, 1), (2, 1), padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for kernel in kernels:
        x = separable_block(x, channels, kernel)
    return keras.Model(inputs, gated_scores(x, channels, n_labels, dropout), name="edge")
