"""The network that ser-edge ships."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


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
        x = _separable_block(x, channels, kernel)
    # Without a rectifier the pooled values vary around zero, and eight bits suffice for them.
    y = layers.BatchNormalization()(layers.Conv2D(channels, 1, use_bias=False)(x))
    gate = layers.Conv2D(channels, 1, activation="sigmoid")(x)
    mean = layers.GlobalAveragePooling2D()(layers.Multiply()([y, gate]))
    maximum = layers.GlobalMaxPooling2D()(y)
    # Summed, not concatenated: mean and maximum have ranges, and int8 scales, of their own. From
    # zero, or training begins with unlearning what the maxima say at random.
    logits = layers.Add()(
        [
            layers.Dense(n_labels, kernel_initializer="zeros")(layers.Dropout(dropout)(pooled))
            for pooled in (mean, maximum)
        ]
    )
    scores = layers.Softmax(name="scores")(logits)
    return keras.Model(inputs, scores, name="edge")


def _separable_block(x: Any, channels: int, kernel: int) -> Any:
    y = layers.DepthwiseConv2D((kernel, 1), padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.Conv2D(channels, 1, use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    if x.shape[-1] == channels:
        y = layers.Add()([x, y])
    return layers.ReLU()(y)
