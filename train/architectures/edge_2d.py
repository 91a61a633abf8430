"""A small network that looks for shapes in time and frequency before it looks over time alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from edge_runtime.mel import dct_matrix
from edge_runtime.metadata import ModelMetadata
from train.architectures.blocks import gated_scores, separable_block

SPECTRUM = "spectrum"
# Log-mel bands vary by about as many dB from one moment to another.
TYPICAL_DEVIATION_DB = 15.0


def edge_2d(
    input_shape: tuple[int, ...],
    n_labels: int,
    spectrum: bool = True,
    stem_channels: int = 12,
    plane_channels: tuple[int, int] = (16, 24),
    channels: int = 88,
    kernels: tuple[int, ...] = (5, 5, 5),
    dropout: float = 0.3,
) -> keras.Model:
    """Small convolutional network over time and frequency, then over time.

    A voice that is higher, or a throat that is shorter, moves a pattern along the mel axis; the
    two-dimensional convolutions know it again there. MFCC have no such axis: a first layer turns
    them back into a spectrum.

    Parameters
    ----------
    input_shape : tuple of int
        (T, D).
    n_labels : int
        Number of classes.
    spectrum : bool
        Whether the inputs are MFCC, which a layer turns into D bands of a spectrum; see
        `begin_with_inverse_dct`.
    stem_channels : int
        Width of the first convolution, which halves time and frequency.
    plane_channels : tuple of two int
        Width of the separable convolutions that follow; the first halves the frequency, the second
        time and frequency.
    channels : int
        Width of the blocks over time.
    kernels : tuple of int
        Length of each block's depthwise convolution, in frames of a quarter of the rate.
    dropout : float
        Share of pooled values dropped while training.

    Returns
    -------
    keras.Model
        (batch, T, D) -> (batch, n_labels) probabilities.
    """
    frames, width = input_shape
    inputs = keras.Input((frames, width), name="features")
    x = inputs
    if spectrum:
        x = layers.Reshape((frames, 1, width))(x)
        x = layers.Conv2D(width, 1, name=SPECTRUM)(x)
    x = layers.Reshape((frames, width, 1))(x)
    x = layers.Conv2D(stem_channels, 5, 2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = _plane(x, plane_channels[0], (1, 2))
    x = _plane(x, plane_channels[1], (2, 2))
    x = layers.Reshape((x.shape[1], 1, x.shape[2] * x.shape[3]))(x)
    x = layers.Conv2D(channels, 1, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for kernel in kernels:
        x = separable_block(x, channels, kernel)
    return keras.Model(inputs, gated_scores(x, channels, n_labels, dropout), name="edge_2d")


def _plane(x: Any, channels: int, strides: tuple[int, int]) -> Any:
    """Separable convolution over time and frequency that makes the plane smaller."""
    if strides[0] == strides[1]:
        y = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x)
    else:
        # No kernel has strides of its own for each axis.
        y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        y = layers.AveragePooling2D(strides, padding="same")(y)
    y = layers.BatchNormalization()(y)
    y = layers.Conv2D(channels, 1, use_bias=False)(y)
    return layers.ReLU()(layers.BatchNormalization()(y))


def begin_with_inverse_dct(model: keras.Model, metadata: ModelMetadata) -> None:
    """Let a network's first layer begin as what turns its standardised MFCC into log-mel bands.

    Training may change it. A network without that layer, or one of other features than as many MFCC
    as there are bands, is left as it is.

    Parameters
    ----------
    model : keras.Model
        A network of `train.architectures`.
    metadata : ModelMetadata
        Its features, and how they are standardised.
    """
    config = metadata.features
    names = {layer.name for layer in model.layers}
    square = config.kinds == ("mfcc",) and config.n_mfcc == config.n_mels == config.feature_dim
    if SPECTRUM not in names or not square or config.lifter:
        return
    # Orthonormal: its transpose is its inverse.
    to_bands = (
        np.array(metadata.feature_scale)[:, None] * dct_matrix(config.n_mels, config.n_mfcc).T
    )
    kernel, bias = model.get_layer(SPECTRUM).get_weights()
    kernel = (to_bands / TYPICAL_DEVIATION_DB).reshape(kernel.shape)
    model.get_layer(SPECTRUM).set_weights([kernel, bias])
