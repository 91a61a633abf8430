"""The voice activity detector of WebRTC: mixtures of Gaussians over six bands."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError

SAMPLE_RATES = (8000, 16000, 32000, 48000)
FRAME_SECONDS = 0.03
FRAMES_PER_BLOCK = 4
MOST_AGGRESSIVE = 3
FULL_SCALE = 32767


class WebrtcDetector:
    """Scores blocks with the detector of WebRTC, in its most aggressive mode [1]_.

    Parameters
    ----------
    sample_rate : int
        Samples per second: 8000, 16000, 32000 or 48000.

    Raises
    ------
    SerEdgeError
        When webrtcvad-wheels is not installed, or the rate is another.

    References
    ----------
    .. [1] https://github.com/daanzu/py-webrtcvad-wheels
    """

    open_from = 0.6
    close_below = 0.3

    def __init__(self, sample_rate: int) -> None:
        if sample_rate not in SAMPLE_RATES:
            raise SerEdgeError(
                f"WebRTC's detector works at 8, 16, 32 and 48 kHz, and the model at "
                f"{sample_rate} Hz; choose another gate"
            )
        try:
            package = importlib.import_module("webrtcvad")
        except ImportError as error:
            raise SerEdgeError(
                "the gate 'webrtc' needs webrtcvad-wheels; run: pip install 'ser-edge[vad]'"
            ) from error
        self._new: Callable[[int], Any] = package.Vad
        self._sample_rate = sample_rate
        self.block_length = FRAMES_PER_BLOCK * round(FRAME_SECONDS * sample_rate)
        self.reset()

    def reset(self) -> None:
        """Forget all blocks."""
        self._detector = self._new(MOST_AGGRESSIVE)

    def scores(self, blocks: NDArray[np.float32], heard: list[bool]) -> list[float]:
        """Give the share of each block's frames of 30 ms that are speech; see `Detector`."""
        return [self._score(block) if judged else 0.0 for block, judged in zip(blocks, heard)]

    def _score(self, block: NDArray[np.float32]) -> float:
        pcm = np.rint(np.clip(block, -1.0, 1.0) * FULL_SCALE).astype("<i2")
        frames = pcm.reshape(FRAMES_PER_BLOCK, -1)
        spoken = [self._detector.is_speech(one.tobytes(), self._sample_rate) for one in frames]
        return sum(map(bool, spoken)) / len(spoken)
