"""Tells speech by the shape of about a second of sound, in numpy alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.gates.loudness import PARTS_PER_BLOCK
from edge_runtime.gates.speech_shape import LEAST_SAMPLE_RATE, SpeechShape, centred

WEIGHTS = Path(__file__).parent / "speech.json"
ROWS = 32  # a row is one frame of 32 ms


class SpeechDetector:
    """Scores blocks of 128 ms, each together with the second that it ends.

    A block that is skipped costs next to nothing: its frames are described only if one that is
    judged follows within a second.

    Parameters
    ----------
    sample_rate : int
        Samples per second, at least 16000.

    Raises
    ------
    SerEdgeError
        When the rate is lower.
    """

    open_from = 0.8
    close_below = 0.5

    def __init__(self, sample_rate: int) -> None:
        if sample_rate < LEAST_SAMPLE_RATE:
            raise SerEdgeError(
                f"the gate 'energy' needs {LEAST_SAMPLE_RATE} Hz or more, and the model works at "
                f"{sample_rate}; choose 'webrtc' or 'off'"
            )
        self._shape = SpeechShape(sample_rate)
        self._network = SpeechNetwork(json.loads(WEIGHTS.read_text(encoding="utf-8")))
        self.block_length = PARTS_PER_BLOCK * self._shape.frame_length
        self.reset()

    def reset(self) -> None:
        """Forget all blocks."""
        silence = np.zeros(self._shape.frame_length, dtype=np.float32)
        self._rows = np.repeat(self._shape.rows(silence), ROWS, axis=0)
        self._skipped: list[NDArray[np.float32]] = []

    def skip(self, block: NDArray[np.float32]) -> None:
        """Keep a block, (block_length,), for when the next one is judged."""
        most = ROWS // PARTS_PER_BLOCK - 1
        self._skipped = [*self._skipped[1 - most :], block.copy()]

    def score(self, block: NDArray[np.float32]) -> float:
        """Say how probably there is speech in what a block, (block_length,), ends with."""
        return self._network.probability(self.describe(block))

    def describe(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give what the network reads of the second that ends with a block, (block_length,).

        Returns
        -------
        ndarray of float32, shape (32, 23)
            See `edge_runtime.gates.speech_shape.centred`.
        """
        new = self._shape.rows(np.concatenate((*self._skipped, block)))
        self._skipped = []
        self._rows = np.concatenate((self._rows[len(new) :], new))
        return centred(self._rows)


class SpeechNetwork:
    """A small convolutional network, as ``python -m train.gate`` fits it.

    Layers of rectified convolutions over time, their mean and maximum over time, a rectified
    layer and a logistic unit.

    Parameters
    ----------
    stored : dict
        ``convolutions`` and ``dense``, lists of layers: ``weights``, (inputs, outputs), and
        ``bias``; of a convolution also ``stride``. Its inputs are those of a stretch of rows.
    """

    def __init__(self, stored: dict[str, Any]) -> None:
        self._convolutions = [(*_weights(one), one["stride"]) for one in stored["convolutions"]]
        self._dense = [_weights(one) for one in stored["dense"]]

    def probability(self, rows: NDArray[np.float32]) -> float:
        """Say how probably rows, (T, width), hold speech: 0 to 1."""
        values = rows
        for weights, bias, stride in self._convolutions:
            values = np.maximum(_stretches(values, len(weights), stride) @ weights + bias, 0.0)
        values = np.concatenate((values.mean(axis=0), values.max(axis=0)))
        *hidden, (weights, bias) = self._dense
        for hidden_weights, hidden_bias in hidden:
            values = np.maximum(values @ hidden_weights + hidden_bias, 0.0)
        logit = float((values @ weights + bias)[0])
        return 0.5 * (1.0 + math.tanh(0.5 * logit))


def _weights(layer: dict[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weights = np.array(layer["weights"], dtype=np.float32)
    return weights, np.array(layer["bias"], dtype=np.float32)


def _stretches(rows: NDArray[np.float32], size: int, stride: int) -> NDArray[np.float32]:
    """Overlapping stretches of rows, side by side: (n_stretches, size)."""
    width = rows.shape[1]
    n_stretches = (len(rows) - size // width) // stride + 1
    step = rows.itemsize
    view: NDArray[np.float32] = np.ndarray(
        (n_stretches, size), rows.dtype, rows, 0, (stride * width * step, step)
    )
    # BLAS takes no rows that overlap.
    return np.ascontiguousarray(view)
