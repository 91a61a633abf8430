"""Tells speech by the shape of about a second of sound, in numpy alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.gates.loudness import PARTS_PER_BLOCK
from edge_runtime.gates.speech_shape import (
    LEAST_SAMPLE_RATE,
    N_BANDS,
    N_LEVELS,
    ROW_WIDTH,
    SpeechShape,
)

WEIGHTS = Path(__file__).parent / "speech.json"
ROWS = 32  # a row is one frame of 32 ms
MOST_SKIPPED = ROWS // PARTS_PER_BLOCK - 1  # blocks that a later one may still look back at


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
        self._skipped = np.zeros((0, self.block_length), dtype=np.float32)

    def scores(self, blocks: NDArray[np.float32], heard: list[bool]) -> list[float]:
        """Say how probably there is speech in what each block ends with; see `Detector`."""
        scores = [0.0] * len(blocks)
        judged = [index for index, is_heard in enumerate(heard) if is_heard]
        if judged:
            found = self._network.probabilities(*self.describe(blocks, judged)).tolist()
            for index, probability in zip(judged, found):
                scores[index] = probability
        else:
            self._skipped = np.concatenate((self._skipped, blocks))[-MOST_SKIPPED:]
        return scores

    def describe(
        self, blocks: NDArray[np.float32], judged: list[int]
    ) -> tuple[NDArray[np.float32], list[int]]:
        """Give what the network reads of the seconds that end with some of the blocks.

        Parameters
        ----------
        blocks : ndarray of float32, shape (n_blocks, block_length)
            The next blocks, at most 8.
        judged : list of int
            Which of them, at least one, in order.

        Returns
        -------
        rows : ndarray of float32, shape (T, 23)
            See `edge_runtime.gates.speech_shape.SpeechShape.rows`.
        starts : list of int
            For each judged block, where in the rows the 32 of its second begin.
        """
        n_described = judged[-1] + 1
        new = self._shape.rows(np.concatenate((self._skipped, blocks[:n_described])))
        self._skipped = blocks[n_described:].copy()
        rows = np.concatenate((self._rows, new))
        self._rows = rows[-ROWS:]
        first = len(rows) - n_described * PARTS_PER_BLOCK
        return rows, [first + (index + 1) * PARTS_PER_BLOCK - ROWS for index in judged]


class SpeechNetwork:
    """A small convolutional network, as ``python -m train.gate`` fits it.

    It reads the rows of a second with their levels about the mean of all bands, so that the
    loudness of the sound does not count. Layers of rectified convolutions over time, their mean
    and maximum over time, a rectified layer and a logistic unit.

    Parameters
    ----------
    stored : dict
        ``convolutions`` and ``dense``, lists of layers: ``weights``, (inputs, outputs), and
        ``bias``; of a convolution also ``stride``. Its inputs are those of a stretch of rows.
    """

    def __init__(self, stored: dict[str, Any]) -> None:
        first, *self._convolutions = [
            (*_weights(one), one["stride"]) for one in stored["convolutions"]
        ]
        self._first_weights, self._first_bias, self._first_stride = first
        by_input = self._first_weights.reshape(-1, ROW_WIDTH, self._first_weights.shape[1])
        self._per_level = by_input[:, :N_LEVELS].sum(axis=(0, 1))
        self._dense = [_weights(one) for one in stored["dense"]]

    def probabilities(self, rows: NDArray[np.float32], starts: list[int]) -> NDArray[np.float32]:
        """Say how probably seconds hold speech.

        Parameters
        ----------
        rows : ndarray of float32, shape (T, 23)
            What `SpeechShape.rows` gave.
        starts : list of int
            Where in the rows the 32 of each second begin: multiples of 4.

        Returns
        -------
        ndarray of float32, shape (len(starts),)
            0 to 1.
        """
        values = self._first_layer(rows, starts)
        for weights, bias, stride in self._convolutions:
            values = _rectified(_stretches(values, len(weights), stride) @ weights, bias)
        mean = np.add.reduce(values, axis=1) / np.float32(values.shape[1])
        values = np.concatenate((mean, np.maximum.reduce(values, axis=1)), axis=1)
        *hidden, (weights, bias) = self._dense
        for hidden_weights, hidden_bias in hidden:
            values = _rectified(values @ hidden_weights, hidden_bias)
        logits = (values @ weights + bias)[:, 0]
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))

    def _first_layer(self, rows: NDArray[np.float32], starts: list[int]) -> NDArray[np.float32]:
        """Of each second, (n, n_stretches, outputs).

        Seconds that overlap share the products of their rows; what the mean level of each takes
        from them is the same for all its stretches.
        """
        weights, stride = self._first_weights, self._first_stride
        (products,) = _stretches(rows[None], len(weights), stride) @ weights
        n_stretches = (ROWS - len(weights) // ROW_WIDTH) // stride + 1
        of_seconds = [products[at // stride : at // stride + n_stretches] for at in starts]
        levels = np.add.reduce(rows[:, :N_BANDS], axis=1).tolist()
        means = [[sum(levels[at : at + ROWS]) / (ROWS * N_BANDS)] for at in starts]
        bias = self._first_bias - np.array(means, dtype=np.float32) * self._per_level
        return _rectified(np.stack(of_seconds), bias[:, None])


def _rectified(values: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add the bias to the values, which it overwrites, and let nothing fall below zero."""
    values += bias
    return np.maximum(values, 0.0, out=values)


def _weights(layer: dict[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weights = np.array(layer["weights"], dtype=np.float32)
    return weights, np.array(layer["bias"], dtype=np.float32)


def _stretches(rows: NDArray[np.float32], size: int, stride: int) -> NDArray[np.float32]:
    """Overlapping stretches of rows, side by side: (n, n_stretches, size)."""
    n, n_rows, width = rows.shape
    n_stretches = (n_rows - size // width) // stride + 1
    step = rows.itemsize
    strides = (n_rows * width * step, stride * width * step, step)
    view: NDArray[np.float32] = np.ndarray((n, n_stretches, size), rows.dtype, rows, 0, strides)
    # BLAS takes no rows that overlap.
    return np.ascontiguousarray(view)
