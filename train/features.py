"""From log-mel frames to the frames of a recipe.

Training on windows works on log-mel frames, where gain, noise, tempo and vocal-tract length are
easy to vary, and takes the last linear step, the DCT, afterwards. The frames come from the device's
own front end, and `to_frames` ends in exactly the frames that the device computes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.features import LEVEL_FLOOR, FeatureConfig
from edge_runtime.mel import dct_matrix, lifter_weights

# Far below any recipe's own floor, which can so be applied after a gain, and so far below the floor
# of a frame's level that what it adds up to over the bands does not show there.
CACHE_FLOOR = 1e-16


def log_mel_config(config: FeatureConfig) -> FeatureConfig:
    """Return the configuration of the log-mel frames from which `config`'s frames follow.

    Raises
    ------
    SerEdgeError
        When `config` holds something that does not follow from log-mel frames.
    """
    from_log_mel = set(config.kinds) <= {"mfcc", "log_mel"}
    if not from_log_mel or config.first_coefficient == "log_energy":
        raise SerEdgeError(
            'recipe: with examples = "windows" the features must be mfcc (with C0 or none) or '
            'log_mel; others go with examples = "clips"'
        )
    if config.log_floor < CACHE_FLOOR:
        raise SerEdgeError(f"recipe: log_floor must be at least {CACHE_FLOOR:g} for training")
    return replace(
        config,
        kinds=("log_mel",),
        log="db",
        log_floor=CACHE_FLOOR,
        level="none",
        mean_subtraction=False,
        delta_order=0,
        pool="none",
    )


def to_frames(config: FeatureConfig, log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn log-mel frames into the frames that `FeatureExtractor.frames` gives.

    Parameters
    ----------
    config : FeatureConfig
        The recipe's features.
    log_mel : ndarray of float32, shape (..., T, n_mels)
        Log-mel frames in dB.

    Returns
    -------
    ndarray of float32, shape (..., T, frame_dim + 1)
        Frames with their level last.
    """
    floor_db = 10.0 * np.log10(config.log_floor)
    energy = np.power(10.0, log_mel / 10.0).sum(axis=-1, keepdims=True)
    level = 10.0 * np.log10(np.maximum(energy, LEVEL_FLOOR))
    floored = np.maximum(log_mel, floor_db)
    unit = 1.0 if config.log == "db" else np.log(10.0) / 10.0
    parts = []
    for kind in config.kinds:
        values = floored
        if kind == "mfcc":
            dct = dct_matrix(config.n_mels, config.n_mfcc)
            values = floored @ (dct * lifter_weights(config.n_mfcc, config.lifter))
            values = values[..., 1:] if config.first_coefficient == "none" else values
        parts.append(values)
    return np.asarray(unit * np.concatenate([*parts, level], axis=-1), dtype=np.float32)
