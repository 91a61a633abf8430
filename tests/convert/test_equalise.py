"""Equalised channels: the same network, with ranges that eight bits serve better."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from convert.equalise import equalised

layers = keras.layers


def as_tflite(*inner: keras.Layer) -> bytes:
    """A network whose channels differ fiftyfold."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input(batch_shape=(1, 12, 1, 6))
    x = inputs
    for layer in inner:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    for layer in model.layers:
        if isinstance(layer, layers.DepthwiseConv2D):
            kernel, bias = layer.get_weights()
            spread = np.geomspace(2e-2, 1.0, kernel.shape[2])
            layer.set_weights([kernel * spread[:, None], bias + 0.3 * spread])
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


@pytest.fixture
def windows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 12, 1, 6)).astype(np.float32)


def run(network: bytes, windows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Scores, and the peak of every channel of each activation."""
    interpreter = Interpreter(model_content=network, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    place, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    wanted = [
        details
        for details in interpreter.get_tensor_details()
        if len(details["shape"]) == 4 and details["shape"][1] == 12
    ]
    scores, peaks = [], {details["name"]: np.zeros(details["shape"][-1]) for details in wanted}
    for window in windows:
        interpreter.set_tensor(place["index"], window[None])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(answer["index"])[0])
        for details in wanted:
            values = np.abs(interpreter.get_tensor(details["index"]))
            highest = values.reshape(-1, values.shape[-1]).max(axis=0)
            peaks[details["name"]] = np.maximum(peaks[details["name"]], highest)
    return np.stack(scores), peaks


@pytest.mark.parametrize("activation", [None, "relu"])
def test_same_scores_and_even_channels(windows, activation):
    network = as_tflite(
        layers.DepthwiseConv2D((3, 1), padding="same", activation=activation, name="wide"),
        layers.Conv2D(5, 1, name="reader"),
    )
    evened, pairs = equalised(network, windows)
    assert pairs == 1
    before, uneven = run(network, windows)
    after, even = run(evened, windows)
    assert np.ptp(before) > 0.01
    np.testing.assert_allclose(after, before, atol=1e-5)
    (name,) = (name for name in uneven if "wide" in name)
    assert uneven[name].max() > 20 * uneven[name].min()
    assert even[name].max() < 2 * even[name].min()


@pytest.mark.parametrize(
    "inner",
    [
        [layers.DepthwiseConv2D((3, 1), padding="same", activation="tanh"), layers.Conv2D(5, 1)],
        [layers.DepthwiseConv2D((3, 1), padding="same"), layers.Activation("sigmoid")],
    ],
    ids=["an activation that does not scale", "nobody that reads channels"],
)
def test_what_cannot_be_moved_is_left_alone(windows, inner):
    network = as_tflite(*inner)
    evened, pairs = equalised(network, windows)
    assert pairs == 0
    np.testing.assert_array_equal(run(evened, windows)[0], run(network, windows)[0])
