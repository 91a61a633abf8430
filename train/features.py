"""Features for training: log-mel frames of every utterance, cached on disk.

Training works on log-mel frames, where gain, noise, tempo and vocal-tract length are easy to
vary, and takes the last linear step, the DCT, afterwards. The frames come from the device's own
front end, and `to_frames` ends in exactly the frames that the device computes.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.classifier import pad_clip
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import LEVEL_FLOOR, FeatureConfig, FeatureExtractor
from edge_runtime.mel import dct_matrix, lifter_weights
from train.audio import read_utterance
from train.corpora import Utterance

# Far below any recipe's own floor, which can so be applied after a gain, and so far below the floor
# of a frame's level that what it adds up to over the bands does not show there.
CACHE_FLOOR = 1e-16
CACHE_VERSION = 1


def log_mel_config(config: FeatureConfig) -> FeatureConfig:
    """Return the configuration of the log-mel frames from which `config`'s frames follow.

    Raises
    ------
    SerEdgeError
        When `config` holds something that does not follow from log-mel frames.
    """
    from_log_mel = set(config.kinds) <= {"mfcc", "log_mel"}
    if not from_log_mel or config.first_coefficient == "log_energy":
        raise SerEdgeError("recipe: training features must be mfcc (with C0 or none) or log_mel")
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


class FeatureCache:
    """Log-mel frames of sound files, computed once and kept by content and configuration.

    Parameters
    ----------
    folder : Path
        Where to keep them.
    config : FeatureConfig
        The recipe's features.
    window_frames : int
        Length of the model's window; shorter clips are padded with silence as on the device.
    """

    def __init__(self, folder: Path, config: FeatureConfig, window_frames: int) -> None:
        self.config = log_mel_config(config)
        self.window_frames = window_frames
        described = json.dumps([CACHE_VERSION, window_frames, self.config.to_dict()])
        self.folder = folder / hashlib.sha256(described.encode()).hexdigest()[:16]

    def load(self, utterances: list[Utterance], jobs: int = 1) -> list[NDArray[np.float32]]:
        """Log-mel frames, (T, n_mels) in dB, of every utterance, in order.

        Parameters
        ----------
        utterances : list of Utterance
            What to load.
        jobs : int
            Number of processes; -1 is one per core.

        Returns
        -------
        list of ndarray of float32
            One array per utterance.

        Raises
        ------
        SerEdgeError
            When a sound file cannot be read, or the cache not be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SerEdgeError(f"{self.folder}: cannot be made ({error.strerror})") from error
        tasks = (delayed(self._load_one)(u.path) for u in utterances)
        results = Parallel(n_jobs=jobs, return_as="generator")(tasks)
        bar = tqdm(results, total=len(utterances), desc="features", unit="utt", disable=None)
        return list(bar)

    def _load_one(self, path: Path) -> NDArray[np.float32]:
        cached = self.folder / f"{hashlib.sha256(path.read_bytes()).hexdigest()}.npy"
        try:
            kept: NDArray[np.float32] = np.load(cached, allow_pickle=False)
            return kept
        except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
            # Absent, or cut short by a crash or a full disk: compute it again.
            log_mel = self._compute(path)
        temporary = cached.with_name(f"{cached.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                np.save(file, log_mel, allow_pickle=False)
            temporary.replace(cached)
        except OSError as error:
            raise SerEdgeError(f"{cached}: cannot be written ({error.strerror})") from error
        finally:
            temporary.unlink(missing_ok=True)
        return log_mel

    def _compute(self, path: Path) -> NDArray[np.float32]:
        audio = read_utterance(path, self.config.sample_rate)
        padded = pad_clip(audio, self.config, self.window_frames)
        return FeatureExtractor(self.config).frames(padded)[:, :-1]
