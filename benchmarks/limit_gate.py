"""The energy gate at work on every block, and the arithmetic that this needs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.arithmetic import real_fft
from edge_runtime.gates import make_gate
from edge_runtime.gates.loudness import PARTS_PER_BLOCK
from edge_runtime.gates.speech_gate import ROWS, WEIGHTS
from edge_runtime.gates.speech_shape import (
    FRAME_SECONDS,
    HIGHEST_HZ,
    HIGHEST_PITCH_HZ,
    LOWEST_HZ,
    LOWEST_PITCH_HZ,
    N_BANDS,
    ROW_WIDTH,
)
from edge_runtime.mel import mel_filter_bank

FAINT = 0.1  # of the amplitude, for half a block: what is louder by 20 dB is always judged


def of_block(sample_rate: int) -> dict[str, int]:
    """Count the additions and multiplications that it takes to judge a block.

    Parameters
    ----------
    sample_rate : int
        Samples per second, at least 16000.

    Returns
    -------
    dict of str to int
        By part: of the four frames of a block the window, the FFT, the power, the mel bands, the
        decibels and the autocorrelation, by an FFT; then the network, see `network_macs`.
    """
    frame_length = round(FRAME_SECONDS * sample_rate)
    fft_size = 1 << (frame_length - 1).bit_length()
    bank = mel_filter_bank(sample_rate, fft_size, N_BANDS, LOWEST_HZ, HIGHEST_HZ, norm="none")
    half_rate = sample_rate / 2.0
    n_lags = int(np.ceil(half_rate / LOWEST_PITCH_HZ)) + 1 - int(half_rate / HIGHEST_PITCH_HZ)
    frame = {
        "window": frame_length,
        "FFT": real_fft(fft_size),
        "power": 3 * (fft_size // 2 + 1),
        "mel bands": 2 * int(np.count_nonzero(bank)),
        "decibels": N_BANDS - 1 + 2 * (N_BANDS + 1),
        # Its lags are two samples apart, which halves the transform.
        "autocorrelation": real_fft(fft_size // 2) + 2 * n_lags,
    }
    needed = {part: PARTS_PER_BLOCK * count for part, count in frame.items()}
    return {**needed, "network": 2 * network_macs()}


def network_macs() -> int:
    """Multiply-accumulates of the gate's network for a block, from its stored weights.

    Returns
    -------
    int
        The first layer is linear up to where it is rectified, so that of its stretches of rows
        only the new ones count; the others count for all of the second that ends with the block.
    """
    stored = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    n_rows, width, macs = ROWS, ROW_WIDTH, 0
    for number, layer in enumerate(stored["convolutions"]):
        n_inputs, n_outputs = len(layer["weights"]), len(layer["weights"][0])
        n_rows = (n_rows - n_inputs // width) // layer["stride"] + 1
        n_new = n_rows if number else PARTS_PER_BLOCK // layer["stride"]
        macs += n_new * n_inputs * n_outputs
        width = n_outputs
    return macs + sum(len(one["weights"]) * len(one["weights"][0]) for one in stored["dense"])


def blocks_in(n_samples: int, sample_rate: int) -> int:
    """Number of the gate's blocks that cover so many samples."""
    return math.ceil(n_samples / (PARTS_PER_BLOCK * round(FRAME_SECONDS * sample_rate)))


def judging(n_blocks: int, sample_rate: int) -> Callable[[], None]:
    """Make what shows a gate so many blocks at once, each of which stands out from the noise.

    Parameters
    ----------
    n_blocks : int
        Number of blocks.
    sample_rate : int
        Samples per second.

    Returns
    -------
    callable
        Pushes the blocks.
    """
    gate = make_gate("energy", sample_rate)
    length = PARTS_PER_BLOCK * round(FRAME_SECONDS * sample_rate)
    noise = np.random.default_rng(0).normal(0.0, 0.1, n_blocks * length)
    noise[: length // 2] *= FAINT
    sound: NDArray[np.float32] = noise.astype(np.float32)
    return lambda: gate.push(sound)
