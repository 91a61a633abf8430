"""Write one small Keras model in every form; run by the fixture `converted_models`."""

from __future__ import annotations

import sys
from pathlib import Path

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

    def converter(quantised: bool, per_channel: bool) -> bytes:
        made = tf.lite.TFLiteConverter.from_keras_model(model)
        if quantised:
            made.optimizations = [tf.lite.Optimize.DEFAULT]
            made.representative_dataset = lambda: ([window[None]] for window in windows)
            made.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            made.inference_input_type = made.inference_output_type = tf.int8
            name = "_experimental_disable_per_channel_quantization_for_dense_layers"
            setattr(made, name, not per_channel)
        return made.convert()

    (folder / "float32.tflite").write_bytes(converter(quantised=False, per_channel=False))
    (folder / "int8.tflite").write_bytes(converter(quantised=True, per_channel=False))
    (folder / "per_channel.tflite").write_bytes(converter(quantised=True, per_channel=True))
    model(windows[:1])
    model.export(folder / "float32.onnx", format="onnx", verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
