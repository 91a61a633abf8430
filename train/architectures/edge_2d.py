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
    stem_channels: int = 16,
    plane_channels: int = 24,
    channels: int = 100,
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
        Width of the first convolution, which halves the time and quarters the frequency.
    plane_channels : int
        Width of the separable convolution that follows and halves both.
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
    # A convolution of one channel costs a device far more than its sums: few places of it are
    # worth more than many.
    x = layers.Conv2D(stem_channels, 5, (2, 4), padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = _mixed(x, plane_channels)
    x = layers.Reshape((x.shape[1], 1, x.shape[2] * x.shape[3]))(x)
    x = _mixed(x, channels)
    for kernel in kernels:
        x = separable_block(x, channels, kernel)
    return keras.Model(inputs, gated_scores(x, channels, n_labels, dropout), name="edge_2d")


def _mixed(x: Any, channels: int) -> Any:
    """Each place's channels, mixed."""
    x = layers.Conv2D(channels, 1, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


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
