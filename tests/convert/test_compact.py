"""Compact files: the same network in fewer bytes, its weights where interpreters can read them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from convert.compact import compact

layers = keras.layers
SHAPE = (1, 12, 1, 6)
DATA = 4  # the field's place in the schema


@pytest.fixture(scope="module")
def network() -> bytes:
    """An int8 network with a scale and a zero point for each of many channels."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input(batch_shape=SHAPE)
    x = inputs
    for _ in range(3):
        x = layers.Conv2D(24, (3, 1), padding="same", activation="relu")(x)
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    rng = np.random.default_rng(0)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.normal(size=SHAPE).astype(np.float32)] for _ in range(8)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return bytes(converter.convert())


def scores(network: bytes) -> np.ndarray:
    interpreter = Interpreter(model_content=network)
    interpreter.allocate_tensors()
    place, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    given = []
    for window in np.random.default_rng(2).normal(size=(20, *SHAPE)).astype(np.float32):
        interpreter.set_tensor(place["index"], window)
        interpreter.invoke()
        given.append(interpreter.get_tensor(answer["index"])[0])
    return np.stack(given)


def test_same_scores_in_fewer_bytes(network):
    smaller = compact(network)
    assert len(smaller) < 0.9 * len(network)
    np.testing.assert_array_equal(scores(smaller), scores(network))


def test_nothing_of_the_network_is_lost(network):
    before, after = (
        flatbuffer_utils.convert_bytearray_to_object(bytearray(one))
        for one in (network, compact(network))
    )
    assert len(after.subgraphs[0].tensors) == len(before.subgraphs[0].tensors)
    for one, two in zip(before.subgraphs[0].tensors, after.subgraphs[0].tensors):
        np.testing.assert_array_equal(one.quantization.scale, two.quantization.scale)
        np.testing.assert_array_equal(one.quantization.zeroPoint, two.quantization.zeroPoint)
    for one, two in zip(before.buffers, after.buffers):
        np.testing.assert_array_equal(one.data, two.data)
    assert [m.name for m in after.metadata] == [m.name for m in before.metadata]


def test_a_tensor_is_named_after_one_layer(network):
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(compact(network)))
    names = [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
    assert all(names)
    assert not any(";" in name or name.startswith("functional") for name in names)
    assert sum("conv2d" in name for name in names) >= 3


def test_weights_begin_where_interpreters_expect_them(network):
    model = schema.Model.GetRootAsModel(compact(network), 0)
    buffers = [model.Buffers(number) for number in range(model.BuffersLength())]
    weights = [buffer for buffer in buffers if buffer.DataLength() > 64]
    assert len(weights) >= 6
    for buffer in weights:
        place = buffer._tab.Vector(buffer._tab.Offset(DATA))
        assert place % 16 == 0


def test_compact_is_compact(network):
    once = compact(network)
    assert len(compact(once)) == len(once)
