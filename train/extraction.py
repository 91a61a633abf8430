"""What is computed of a recording before training: a picklable recipe of its own, with a key."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import pad_clip
from edge_runtime.features import FeatureConfig, FeatureExtractor
from train.audio import read_utterance
from train.augment_audio import AudioAugmentation, augment_audio, sources_of
from train.preprocess import preprocess

# Raise it when what follows from the same configuration changes.
EXTRACTION_VERSION = 2


@dataclass(frozen=True)
class Extraction:
    """From a sound file to its frames; the same for the same file, wherever it is computed.

    Attributes
    ----------
    config : FeatureConfig
        Of the frames.
    preprocess : tuple of dict
        Steps on the whole recording, see `train.preprocess`.
    least_frames : int
        Shorter recordings are surrounded with silence; 0 leaves them as they are.
    augmentation : AudioAugmentation or None
        How the recording is varied first.
    corpora : Path or None
        Folder in which the augmentation finds noise and impulse responses.
    copy, seed : int
        Which of the recording's varied copies this is.
    """

    config: FeatureConfig
    preprocess: tuple[dict[str, Any], ...] = ()
    least_frames: int = 0
    augmentation: AudioAugmentation | None = None
    corpora: Path | None = None
    copy: int = 0
    seed: int = 0

    @cached_property
    def key(self) -> str:
        """A text that differs where the frames may; it names a folder of the cache."""
        varied: list[Any] = []
        if self.augmentation is not None:
            sources = sources_of(self.augmentation, self.corpora)
            varied = [asdict(self.augmentation), sources, self.copy, self.seed]
        described = [
            EXTRACTION_VERSION,
            self.config.to_dict(),
            list(self.preprocess),
            self.least_frames,
            varied,
        ]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]

    def __call__(self, path: Path) -> NDArray[np.float32]:
        """Frames of a sound file, (T, frame_dim + 1), the level of each in its last column.

        Raises
        ------
        SerEdgeError
            When the file cannot be read, or a step leaves less than one frame of it.
        """
        rate = self.config.sample_rate
        audio = read_utterance(path, rate, _channel(self.preprocess))
        if self.augmentation is not None:
            rng = np.random.default_rng([self.seed, self.copy, zlib.crc32(audio.tobytes())])
            audio = augment_audio(audio, rate, self.augmentation, rng, self.corpora)
        steps = [step for step in self.preprocess if step["step"] != "mono"]
        audio = preprocess(audio, rate, steps)
        least = max(self.least_frames, 1)
        return _extractor(self.config).frames(pad_clip(audio, self.config, least))


def _channel(steps: tuple[dict[str, Any], ...]) -> int | None:
    """Which channel the recipe asks for; it is chosen in reading, before the rate is changed."""
    return next((step.get("channel") for step in steps if step["step"] == "mono"), None)


_extractor = lru_cache(maxsize=8)(FeatureExtractor)
