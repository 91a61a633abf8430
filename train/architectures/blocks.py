"""What the networks that ser-edge ships are made of: blocks over time, and pooling."""

from __future__ import annotations

from typing import Any

from keras import layers


def separable_block(x: Any, channels: int, kernel: int) -> Any:
    """Residual depthwise-separable convolution over time.

    Parameters
    ----------
    x : KerasTensor, shape (batch, T, 1, C)
        Time is the height, so that TFLite needs no reshaping.
    channels : int
        Width of the result; the residual is left out where it differs from C.
    kernel : int
        Length of the depthwise convolution, in frames.

    Returns
    -------
    KerasTensor, shape (batch, T, 1, channels)

    References
    ----------
    A. Howard et al., "MobileNets", arXiv:1704.04861, 2017, section 3.1.
    """
    y = layers.DepthwiseConv2D((kernel, 1), padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.Conv2D(channels, 1, use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    if x.shape[-1] == channels:
        y = layers.Add()([x, y])
    return layers.ReLU()(y)


def gated_scores(x: Any, channels: int, n_labels: int, dropout: float) -> Any:
    """Probabilities from the gated mean and the maximum over time.

    Parameters
    ----------
    x : KerasTensor, shape (batch, T, 1, C)
        What was found at each time.
    channels : int
        Width of what is pooled.
    n_labels : int
        Number of classes.
    dropout : float
        Share of pooled values dropped while training.

    Returns
    -------
    KerasTensor, shape (batch, n_labels)
    """
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
    return layers.Softmax(name="scores")(logits)
