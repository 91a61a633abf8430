"""Gives the channels between two layers the same range, so that eight bits serve each of them.

What one layer divides a channel by the next multiplies it with: the network computes the same.
Needs TensorFlow.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

Op = schema.BuiltinOperator
# Layers that give channels, with the axis of their weights that stands for them.
GIVING = {Op.DEPTHWISE_CONV_2D: 3, Op.CONV_2D: 0, Op.FULLY_CONNECTED: 0}
# Layers that read them, likewise.
READING = {Op.CONV_2D: 3, Op.FULLY_CONNECTED: 1}
# Activations f with f(x / s) = f(x) / s for s > 0.
HOMOGENEOUS = {schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU}
# No channel is widened more than a hundredfold, however little of it was seen.
LEAST_SHARE = 1e-2
TINY = float(np.finfo(np.float32).tiny)


def equalised(network: bytes, windows: NDArray[np.float32]) -> tuple[bytes, int]:
    """Equalise the channels of each tensor that one layer gives and one other alone reads.

    Parameters
    ----------
    network : bytes
        A float .tflite file.
    windows : ndarray of float32, shape (n, ...)
        Show the range of every channel.

    Returns
    -------
    network : bytes
        The float network, which computes the same.
    pairs : int
        How many tensors were equalised.

    References
    ----------
    .. [1] M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
       Correction", ICCV 2019, section 4.1 (there of weights, here of activations).
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(network))
    graph = model.subgraphs[0]
    kinds = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    pairs = _pairs(graph, kinds)
    peaks = _peaks(network, [giver.outputs[0] for giver, _ in pairs], windows)
    for (giver, reader), peak in zip(pairs, peaks):
        scale = np.maximum(peak / max(float(peak.max()), TINY), LEAST_SHARE)
        axis = GIVING[kinds[giver.opcodeIndex]]
        _scale_input(model, graph, giver, 1, 1.0 / scale, axis)
        _scale_input(model, graph, giver, 2, 1.0 / scale, 0)
        _scale_input(model, graph, reader, 1, scale, READING[kinds[reader.opcodeIndex]])
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)), len(pairs)


def _pairs(graph: Any, kinds: list[int]) -> list[tuple[Any, Any]]:
    readers: dict[int, list[Any]] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            readers.setdefault(int(index), []).append(operator)
    pairs = []
    for giver in graph.operators:
        given = int(giver.outputs[0])
        reading = readers.get(given, [])
        if (
            kinds[giver.opcodeIndex] in GIVING
            and giver.builtinOptions.fusedActivationFunction in HOMOGENEOUS
            and given not in graph.outputs
            and len(reading) == 1
            and kinds[reading[0].opcodeIndex] in READING
            and reading[0].inputs[0] == given
        ):
            pairs.append((giver, reading[0]))
    return pairs


def _peaks(
    network: bytes, tensors: list[int], windows: NDArray[np.float32]
) -> list[NDArray[np.float64]]:
    """Largest absolute value in every channel of each tensor."""
    interpreter = tf.lite.Interpreter(model_content=network, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    peaks: list[NDArray[np.float64]] = []
    for window in windows:
        interpreter.set_tensor(place, window[None])
        interpreter.invoke()
        values = [np.abs(interpreter.get_tensor(index)) for index in tensors]
        found = [one.reshape(-1, one.shape[-1]).max(axis=0).astype(np.float64) for one in values]
        peaks = [np.maximum(*both) for both in zip(peaks, found)] if peaks else found
    return peaks


def _scale_input(
    model: Any, graph: Any, operator: Any, position: int, scale: NDArray[Any], axis: int
) -> None:
    """Give an operator constants of its own, multiplied along an axis."""
    if position >= len(operator.inputs) or operator.inputs[position] < 0:
        return
    tensor = graph.tensors[operator.inputs[position]]
    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32)
    shape = [1] * len(tensor.shape)
    shape[axis] = -1
    scaled = values.reshape(tensor.shape) * scale.astype(np.float32).reshape(shape)
    # The constants may serve other operators too.
    own, buffer = copy.deepcopy(tensor), schema.BufferT()
    buffer.data = np.frombuffer(scaled.astype(np.float32).tobytes(), np.uint8)
    own.name, own.buffer = tensor.name + b"/equalised", len(model.buffers)
    model.buffers.append(buffer)
    inputs = list(operator.inputs)
    inputs[position] = len(graph.tensors)
    graph.tensors.append(own)
    operator.inputs = np.array(inputs, dtype=np.int32)
