"""The conversions themselves.

They run in a child process, started as ``python -m convert.targets``: a converter that crashes,
as TensorFlow's does on some quantised recurrent layers, then ends in an error and not in silence.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.fitted import FittedModel
from edge_runtime.errors import SerEdgeError

SUFFIXES = {"int8": ".tflite", "float32": ".tflite", "onnx": ".onnx"}


def convert_in_child(fitted: FittedModel, target: str, output: Path) -> None:
    """Convert a model to a file without metadata, in a process of its own.

    Parameters
    ----------
    fitted : FittedModel
        What to convert.
    target : {"int8", "float32", "onnx"}
        What to make of it.
    output : Path
        The file to write.

    Raises
    ------
    SerEdgeError
        When the converter fails or crashes, with the last thing it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        windows = Path(folder) / "calibration.npy"
        np.save(windows, fitted.calibration, allow_pickle=False)
        command = [
            sys.executable,
            "-m",
            "convert.targets",
            target,
            str(fitted.path.resolve()),
            str(windows),
            str(output.resolve()),
        ]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            # Away from the user's folder, whose files `python -m` would take for modules.
            cwd=folder,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": _module_path()},
        )
    if result.returncode < 0:
        raise SerEdgeError(f"{fitted.path}: {_crash(target, signal.Signals(-result.returncode))}")
    if result.returncode != 0:
        said = result.stderr.strip().splitlines() or ["no reason given"]
        raise SerEdgeError(f"{fitted.path}: cannot be converted to {target} ({said[-1]})")


def _module_path() -> str:
    """Where this very package is found, then what the user named."""
    root = str(Path(__file__).resolve().parents[1])
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([root, *(str(Path(entry).resolve()) for entry in named if entry)])


def _crash(target: str, by: signal.Signals) -> str:
    if by == signal.SIGKILL:
        return f"the {target} converter was killed, most likely for want of memory"
    return (
        f"the {target} converter crashed ({by.name}); a recurrent layer that is not unrolled does "
        "this to int8: use --float32 or --onnx"
    )


def _load_keras(path: Path) -> Any:
    import keras

    model = keras.models.load_model(path, compile=False, safe_mode=True)
    # With a fixed batch of one every shape is known, which the converters need.
    inputs = keras.Input(batch_shape=(1, *model.input_shape[1:]))
    return keras.Model(inputs, model(inputs))


def _tflite(target: str, model: Any, windows: NDArray[np.float32]) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if target == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _one_by_one(windows)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        # Per-channel weights in Dense need FULLY_CONNECTED version 12, which tflite-runtime 2.14,
        # the only interpreter for 32-bit devices, does not know.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    converted: bytes = converter.convert()
    return converted


def _one_by_one(windows: NDArray[np.float32]) -> Iterator[list[NDArray[np.float32]]]:
    for window in windows:
        yield [window[None]]


def _convert(target: str, model_path: Path, windows_path: Path, output: Path) -> None:
    model = _load_keras(model_path)
    if target == "onnx":
        model(np.zeros(model.input_shape, dtype=np.float32))  # export wants a model that has run
        model.export(output, format="onnx", verbose=False)
    else:
        windows = np.load(windows_path, allow_pickle=False)
        output.write_bytes(_tflite(target, model, windows))


if __name__ == "__main__":
    _convert(sys.argv[1], *map(Path, sys.argv[2:5]))
