"""Quantises a float .tflite file: calibrate, choose ranges, keep layers in float.

The steps of TensorFlow's own converter, one by one, so that the ranges can be chosen between
calibration and quantisation. Needs TensorFlow.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize.calibrator import Calibrator, add_intermediate_tensors
from tensorflow.lite.tools import flatbuffer_utils

from convert.ranges import Histogram, range_of

VERIFIED = "NumericVerify/"
# A recurrent network that is written out has thousands of activations.
HISTOGRAM_WINDOWS = 200
# What Keras' export puts before the names of a network's layers.
WRAPPERS = ("functional", "StatefulPartitionedCall", "sequential")
Windows = NDArray[np.float32]


def calibrated(network: bytes, windows: Windows, ranges: str) -> bytes:
    """Run a float network over the representative dataset and note the range of every activation.

    Parameters
    ----------
    network : bytes
        The float .tflite file.
    windows : ndarray of float32, shape (n, ...)
        The representative dataset.
    ranges : {"minmax", "percentile", "mse"}
        See `convert.ranges.range_of`.

    Returns
    -------
    bytes
        The network with a range in every activation.
    """
    noted: bytes = Calibrator(add_intermediate_tensors(network)).calibrate(
        lambda: _one_by_one(windows)
    )
    return noted if ranges == "minmax" else _with_ranges(noted, windows, ranges)


def quantised_int8(
    network: bytes, per_channel_dense: bool, float_layers: tuple[str, ...] = ()
) -> bytes:
    """Quantise a calibrated network to int8, from input to output.

    Parameters
    ----------
    network : bytes
        What `calibrated` gave.
    per_channel_dense : bool
        Whether a dense layer has a scale for every output, or one for all.
    float_layers : tuple of str
        Layers, as `layer_errors` names them, that stay in float32.
    """
    kept = _of_layers(network, float_layers)
    with _hushed():
        result: bytes = mlir_quantize(
            network,
            input_data_type=tf.int8,
            output_data_type=tf.int8,
            disable_per_channel_for_dense_layers=not per_channel_dense,
            denylisted_nodes=kept or None,
        )
    return result


def quantised_int16(network: bytes, windows: Windows) -> bytes:
    """Quantise a float network to int16 activations and int8 weights, from input to output."""
    with _hushed():
        result: bytes = Calibrator(add_intermediate_tensors(network)).calibrate_and_quantize(
            lambda: _one_by_one(windows),
            tf.int16,
            tf.int16,
            False,
            tf.int16,
            tf.int64,
            # A scale per output of a dense layer is a version that older interpreters lack.
            disable_per_channel=False,
            disable_per_channel_quantization_for_dense_layers=True,
        )
    return result


def layer_errors(network: bytes, per_channel_dense: bool, windows: Windows) -> list[dict[str, Any]]:
    """How much of its signal each layer loses by quantisation, given the same input.

    Parameters
    ----------
    network : bytes
        What `calibrated` gave.
    per_channel_dense : bool
        See `quantised_int8`.
    windows : ndarray of float32, shape (n, ...)
        What it is measured on.

    Returns
    -------
    list of dict
        For every layer whose output varies, the worst first: ``layer``, ``operators`` (how many of
        it were measured) and ``sqnr_db``, the signal to quantisation noise ratio of its worst
        operator.
    """
    with _hushed():
        verified = mlir_quantize(
            network,
            enable_numeric_verify=True,
            disable_per_channel_for_dense_layers=not per_channel_dense,
        )
    debugger = tf.lite.experimental.QuantizationDebugger(
        quant_debug_model_content=verified,
        debug_dataset=lambda: _one_by_one(windows),
        debug_options=tf.lite.experimental.QuantizationDebugOptions(
            layer_direct_compare_metrics={"signal": _signal, "noise": _noise}
        ),
    )
    debugger.run()
    by_layer: dict[str, list[float]] = {}
    for name, measured in debugger.layer_statistics.items():
        ratios = by_layer.setdefault(layer_of(name.removeprefix(VERIFIED)), [])
        if measured["signal"] > 0.0 and measured["noise"] > 0.0:
            ratios.append(10.0 * float(np.log10(measured["signal"] / measured["noise"])))
    rows = [
        {"layer": layer, "operators": len(ratios), "sqnr_db": round(min(ratios), 1)}
        for layer, ratios in by_layer.items()
        if ratios
    ]
    return sorted(rows, key=lambda row: float(row["sqnr_db"]))


def layer_of(tensor: str) -> str:
    """The layer that a tensor belongs to, by its name: ``functional_1/edge_1/conv2d_1/Relu``."""
    parts = tensor.split(";")[0].split(":")[0].split("/")
    inner = parts[2:-1] if len(parts) > 3 and parts[0].startswith(WRAPPERS) else parts[:-1]
    # A cell is the inside of a recurrent layer.
    return "/".join(takewhile(lambda part: "_cell" not in part, inner)) or parts[0]


def _one_by_one(windows: Windows) -> Iterator[list[Windows]]:
    for window in windows:
        yield [window[None]]


def _signal(real: NDArray[Any], steps: NDArray[Any], scale: float, zero_point: int) -> float:
    """Power of what varies in each channel: an offset carries nothing, but costs steps."""
    rows = real.astype(np.float64).reshape(-1, real.shape[-1])
    return float(np.mean(np.var(rows, axis=0) if len(rows) > 1 else np.square(rows)))


def _noise(real: NDArray[Any], steps: NDArray[Any], scale: float, zero_point: int) -> float:
    dequantised = (steps.astype(np.float64) - zero_point) * scale
    return float(np.mean(np.square(real - dequantised)))


def _of_layers(network: bytes, layers: tuple[str, ...]) -> list[str]:
    """Names of what the layers' operators write, and of what those write that read it.

    Between an operator in float and one in int8 stands what the layer gives, quantised.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(network))
    names = []
    for graph in model.subgraphs:
        for operator in graph.operators:
            written = [graph.tensors[index].name.decode() for index in operator.outputs]
            read = [graph.tensors[index].name.decode() for index in operator.inputs if index >= 0]
            if any(layer_of(name) in layers for name in (*written, *read)):
                names += written
    return names


def _with_ranges(network: bytes, windows: Windows, method: str) -> bytes:
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(network))
    tensors = {
        index: tensor.quantization
        for index, tensor in enumerate(model.subgraphs[0].tensors)
        if tensor.quantization is not None and tensor.quantization.min is not None
    }
    histograms = {
        index: Histogram(float(noted.min[0]), float(noted.max[0]))
        for index, noted in tensors.items()
        if noted.max[0] > noted.min[0]
    }
    interpreter = tf.lite.Interpreter(model_content=network, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    for window in windows[:HISTOGRAM_WINDOWS]:
        interpreter.set_tensor(place, window[None])
        interpreter.invoke()
        for index, histogram in histograms.items():
            # What the interpreter optimised away has no values, and keeps its range.
            with contextlib.suppress(ValueError):
                histogram.add(interpreter.get_tensor(index))
    for index, histogram in histograms.items():
        low, high = range_of(histogram, method)
        tensors[index].min = np.array([low], dtype=np.float32)
        tensors[index].max = np.array([high], dtype=np.float32)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep what the quantiser prints on standard output, from C++, away from there."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
