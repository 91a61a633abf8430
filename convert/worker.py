"""The conversions themselves, run as ``python -m convert.worker`` by `convert.child`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from convert.child import Arrays, serve
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import OUTPUTS

Task = dict[str, Any]
Answer = tuple[dict[str, Any], Arrays]


def work(task: Task, arrays: Arrays) -> Answer:
    """Do one task; its ``task`` names which."""
    return TASKS[task["task"]](task, arrays)


def shape(task: Task, arrays: Arrays) -> Answer:
    """Tell the shape of the original network's input, without the batch axis: {"shape": [...]}."""
    from convert import networks

    original = task["original"]
    path = Path(original["path"])
    if original["kind"] == "saved-model":
        return {"shape": networks.saved_input_shape(path)}, {}
    weights = Path(original["weights"]) if original["weights"] else None
    return {"shape": list(networks.load_keras(path, weights).input_shape[1:])}, {}


def scores(task: Task, arrays: Arrays) -> Answer:
    """Run windows through the original network: scores, (n, n_labels), and any embedding."""
    from convert.networks import outputs_of

    given, *more = outputs_of(_network(task), arrays["windows"])
    if given.ndim != 2:
        raise SerEdgeError(f"it gives values of shape {given.shape[1:]}, not a score per label")
    return {}, dict(zip(OUTPUTS, (given, *more)))


def tflite(task: Task, arrays: Arrays) -> Answer:
    """Write the network as .tflite: in float32, float16 or with a dynamic range."""
    import tensorflow as tf
    from tensorflow.lite.python.convert import ConverterError

    from convert.outputs import in_order

    converter = _tflite_converter(task)
    if task["kind"] != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if task["kind"] == "float16":
        converter.target_spec.supported_types = [tf.float16]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not task[
        "per_channel_dense"
    ]
    try:
        Path(task["output"]).write_bytes(in_order(converter.convert()))
    except ConverterError as error:
        if "TensorList" not in str(error):
            raise
        raise SerEdgeError(
            "a recurrent layer of it takes batches of any size, which TFLite cannot; export it "
            "with a batch of one, or start from the .keras file"
        ) from error
    return {}, {}


def quantise(task: Task, arrays: Arrays) -> Answer:
    """Write an int8 or int16 file of a float .tflite file."""
    from convert import quantise as steps
    from convert.compact import compact

    network, windows = Path(task["network"]).read_bytes(), arrays["windows"]
    output = Path(task["output"])
    if task["kind"] == "int16":
        output.write_bytes(compact(steps.quantised_int16(network, windows)))
        return {}, {}
    noted = steps.calibrated(network, windows, task["ranges"])
    dense, kept = task["per_channel_dense"], tuple(task["float_layers"])
    output.write_bytes(compact(steps.quantised_int8(noted, dense, kept)))
    return {}, {}


def equalise(task: Task, arrays: Arrays) -> Answer:
    """Equalise the channels of a float .tflite file: {"pairs": how many tensors}."""
    from convert.equalise import equalised

    network, pairs = equalised(Path(task["network"]).read_bytes(), arrays["windows"])
    Path(task["output"]).write_bytes(network)
    return {"pairs": pairs}, {}


def layers(task: Task, arrays: Arrays) -> Answer:
    """Measure each layer's error in int8: {"layers": [...]}."""
    from convert import quantise as steps

    windows = arrays["windows"]
    noted = steps.calibrated(Path(task["network"]).read_bytes(), windows, "minmax")
    return {"layers": steps.layer_errors(noted, task["per_channel_dense"], windows)}, {}


def onnx(task: Task, arrays: Arrays) -> Answer:
    """Write the network as .onnx in float32."""
    from convert import onnx_files

    onnx_files.export(_network(task), task["original"], tuple(task["shape"]), Path(task["output"]))
    return {}, {}


def onnx_int8(task: Task, arrays: Arrays) -> Answer:
    """Quantise a float .onnx file."""
    from convert import onnx_files

    onnx_files.quantise(
        Path(task["network"]), Path(task["output"]), arrays["windows"], task["ranges"]
    )
    return {}, {}


def _network(task: Task) -> Any:
    """The original network for one window at a time: a Keras model or a function."""
    from convert import networks

    original, shape = task["original"], tuple(task["shape"])
    path = Path(original["path"])
    if original["kind"] == "saved-model":
        return networks.saved_function(path, shape)
    if original["kind"] == "tflite":
        return None
    weights = Path(original["weights"]) if original["weights"] else None
    model = networks.load_keras(path, weights)
    if task.get("unrolled") and networks.is_recurrent(model):
        model = networks.unrolled(model)
    return networks.with_batch_of_one(model, shape)


def _tflite_converter(task: Task) -> Any:
    import keras
    import tensorflow as tf

    network = _network(task)
    if isinstance(network, keras.Model):
        return tf.lite.TFLiteConverter.from_keras_model(network)
    return tf.lite.TFLiteConverter.from_concrete_functions(
        [network.get_concrete_function()], network
    )


TASKS = {
    "shape": shape,
    "scores": scores,
    "tflite": tflite,
    "quantise": quantise,
    "equalise": equalise,
    "layers": layers,
    "onnx": onnx,
    "onnx-int8": onnx_int8,
}

if __name__ == "__main__":
    np.seterr(all="ignore")
    serve(work)
