"""Write one small Keras model in every form; run by the fixture `converted_models`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (30, 10)
N_LABELS = 7


def weights() -> dict[str, np.ndarray]:
    """Weights that make the probabilities differ: a convolution and two dense layers."""
    rng = np.random.default_rng(5)
    shapes = {"kernel": (3, 10, 8), "bias": (8,), "hidden": (8, 16), "scores": (16, N_LABELS)}
    return {
        name: (0.6 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()
    }


def main(folder: Path) -> None:
    import keras
    import tensorflow as tf

    values = weights()
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(1, *SHAPE)),
            keras.layers.Conv1D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(16, activation="relu", use_bias=False),
            keras.layers.Dense(N_LABELS, activation="softmax", use_bias=False),
        ]
    )
    model.set_weights(list(values.values()))
    rng = np.random.default_rng(6)
    windows = (rng.normal(size=(60, *SHAPE)) + rng.normal(size=(60, 1, 10))).astype(np.float32)
    np.save(folder / "windows.npy", windows)
    np.savez(folder / "weights.npz", **values)

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (folder / "float32.tflite").write_bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([window[None]] for window in windows)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (folder / "int8.tflite").write_bytes(converter.convert())
    (folder / "newer.tflite").write_bytes(_with_newer_operator(keras, tf))
    model(windows[:1])
    model.export(folder / "float32.onnx", format="onnx", verbose=False)


def _with_newer_operator(keras: Any, tf: Any) -> bytes:
    """A model of the same shape with FULLY_CONNECTED version 12: per-channel weights in Dense."""
    layers = [keras.Input(batch_shape=(1, *SHAPE)), keras.layers.Flatten()]
    layers += [keras.layers.Dense(N_LABELS, activation="softmax")]
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Sequential(layers))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    made: bytes = converter.convert()
    return made


if __name__ == "__main__":
    main(Path(sys.argv[1]))
