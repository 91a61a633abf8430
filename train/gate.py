"""Fits the small network of the speech gate: ``python -m train.gate --corpora DIR``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.gates.loudness import PARTS_PER_BLOCK, Loudness
from edge_runtime.gates.speech_gate import ROWS, WEIGHTS, SpeechDetector
from edge_runtime.gates.speech_shape import N_BANDS, N_LEVELS, ROW_WIDTH
from edge_runtime.program import run_program
from train.corpora import corpora_folder
from train.gate_sounds import SAMPLE_RATE, Stream, streams
from train.output_files import write_bytes

# A block counts as speech when so many of the newest frames of 32 ms are active: about when a
# listener could tell. Between that and none in the last second it counts as nothing.
LEAST_ACTIVE = {12: 2, 24: 6}
SECOND = 34

CONVOLUTIONS = ((24, 5), (24, 3))  # channels and rows, two rows apart
STRIDE = 2
HIDDEN = 16
EPOCHS = 16
BATCH = 512
LEARNING_RATE = 3e-3
# Microphones and rooms colour the sound: in units of 10 dB.
TILT, BAND_GAIN, JITTER = 0.3, 0.2, 0.05
DIGITS = 4


def main(argv: list[str] | None = None) -> int:
    """Run ``python -m train.gate`` and return its exit status."""
    return run_program("train.gate", _make_parser, argv, extra="train")


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train.gate", description=__doc__)
    parser.add_argument("--corpora", metavar="DIR", help="default: $SER_EDGE_CORPORA")
    parser.add_argument(
        "--folds",
        type=int,
        nargs="+",
        default=[1, 2, 3, 4, 5],
        help="of ESC-10, fitted on (default: all; leave some out to judge what it does on others)",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("-o", "--output", type=Path, default=WEIGHTS, help=f"default: {WEIGHTS}")
    parser.set_defaults(work=_fit_and_write)
    return parser


def _fit_and_write(arguments: argparse.Namespace) -> int:
    rng = np.random.default_rng(arguments.seed)
    detector = SpeechDetector(SAMPLE_RATE)
    seconds, is_speech = [], []
    corpora = corpora_folder(arguments.corpora)
    for stream in tqdm(streams(corpora, arguments.folds, rng), unit="sound", disable=None):
        for second, spoken in examples(detector, stream):
            seconds.append(second)
            is_speech.append(spoken)
    stored = fit(np.stack(seconds), np.array(is_speech), arguments.seed)
    stored["esc10_folds"] = arguments.folds
    text = json.dumps(stored, separators=(",", ":")) + "\n"
    write_bytes(arguments.output, text.encode("utf-8"))
    return 0


def examples(detector: SpeechDetector, stream: Stream) -> list[tuple[NDArray[np.float16], bool]]:
    """Give what the gate would judge of a stream, and whether there was speech.

    Parameters
    ----------
    detector : SpeechDetector
        Describes the blocks.
    stream : tuple of ndarray
        See `train.gate_sounds.streams`.

    Returns
    -------
    list of (ndarray of float16, shape (32, 23), bool)
        Of every block that stands out from the noise; none where it is hard to say.
    """
    sound, active = stream
    detector.reset()
    length = detector.block_length
    loudness = Loudness(length, SAMPLE_RATE)
    found = []
    for number in range(len(sound) // length):
        block = sound[None, number * length : (number + 1) * length]
        if not all(loudness.push(block)):
            detector.scores(block, [False])
            continue
        rows, (start,) = detector.describe(block, [0])
        second = centred(rows[start : start + ROWS]).astype(np.float16)
        past = active[: (number + 1) * PARTS_PER_BLOCK]
        spoken = all(past[-newest:].sum() >= least for newest, least in LEAST_ACTIVE.items())
        if spoken or not past[-SECOND:].any():
            found.append((second, spoken))
    return found


def centred(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give what the network learns from a second: its levels about the mean of all bands.

    Parameters
    ----------
    rows : ndarray of float32, shape (..., 32, 23)
        See `edge_runtime.gates.speech_shape.SpeechShape.rows`.

    Returns
    -------
    ndarray of float32, shape (..., 32, 23)
        The rows less that mean.
    """
    values: NDArray[np.float32] = rows.copy()
    values[..., :N_LEVELS] -= rows[..., :N_BANDS].mean(axis=(-2, -1), keepdims=True)
    return values


def fit(
    seconds: NDArray[np.float16], is_speech: NDArray[np.bool_], seed: int, epochs: int = EPOCHS
) -> dict[str, Any]:
    """Fit the network to seconds of sound, speech and all else counting alike.

    Parameters
    ----------
    seconds : ndarray of float16, shape (n, 32, 23)
        What `examples` gave.
    is_speech : ndarray of bool, shape (n,)
        Whether they hold speech.
    seed : int
        Fixes first weights, order and variation.
    epochs : int
        How often each is seen.

    Returns
    -------
    dict
        What `edge_runtime.gates.speech_gate.SpeechNetwork` reads.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(seed)
    network = new_network()
    steps = epochs * (len(seconds) // BATCH)
    network.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps), weight_decay=1e-3
        ),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    share = is_speech.mean()
    weights = np.where(is_speech, 0.5 / share, 0.5 / (1.0 - share)).astype(np.float32)
    rng = np.random.default_rng(seed)
    for _ in tqdm(range(epochs), desc="fitting", unit="epoch", disable=None):
        order = rng.permutation(len(seconds))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            spoken = is_speech[batch, None].astype(np.float32)
            network.train_on_batch(_coloured(seconds[batch], rng), spoken, weights[batch])
    return stored_weights(network)


def new_network() -> Any:
    """Make the Keras model: seconds, (n, 32, 23), in; logits, (n, 1), out."""
    import keras
    from keras import layers

    rows = layers.Input((ROWS, ROW_WIDTH))
    values = rows
    for channels, size in CONVOLUTIONS:
        values = layers.Conv1D(channels, size, STRIDE, activation="relu")(values)
        values = layers.Dropout(0.1)(values)
    pooled = [layers.GlobalAveragePooling1D()(values), layers.GlobalMaxPooling1D()(values)]
    values = layers.Dropout(0.2)(layers.Concatenate()(pooled))
    values = layers.Dense(HIDDEN, activation="relu")(values)
    return keras.Model(rows, layers.Dense(1)(values))


def _coloured(seconds: NDArray[np.float16], rng: np.random.Generator) -> NDArray[np.float32]:
    """As another microphone in another room would hear it."""
    values = seconds.astype(np.float32)
    tilt = np.linspace(-1.0, 1.0, N_BANDS) * rng.normal(0.0, TILT, (len(values), 1))
    gains = tilt + rng.normal(0.0, BAND_GAIN, (len(values), N_BANDS))
    values[:, :, :N_BANDS] += gains[:, None].astype(np.float32)
    values += rng.normal(0.0, JITTER, values.shape).astype(np.float32)
    return values


def stored_weights(network: Any) -> dict[str, Any]:
    """Weights as the gate reads them: those of a convolution are of its rows, side by side."""
    found: dict[str, Any] = {"convolutions": [], "dense": []}
    for layer in network.layers:
        if not layer.weights:
            continue
        weights, bias = layer.get_weights()
        flat = weights.reshape(-1, weights.shape[-1])
        one = {"weights": np.round(flat.astype(float), DIGITS).tolist()}
        one["bias"] = np.round(bias.astype(float), DIGITS).tolist()
        if weights.ndim == 3:
            found["convolutions"].append({**one, "stride": STRIDE})
        else:
            found["dense"].append(one)
    return found


if __name__ == "__main__":
    sys.exit(main())
