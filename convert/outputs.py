"""Puts the outputs of a .tflite file in the order of the network's. Needs TensorFlow."""

from __future__ import annotations

from tensorflow.lite.tools import flatbuffer_utils


def in_order(network: bytes) -> bytes:
    """Let the outputs of a network come as its signature numbers them.

    TensorFlow's converter gives several outputs in an order of its own.

    Parameters
    ----------
    network : bytes
        A .tflite file as the converter wrote it.

    Returns
    -------
    bytes
        The same file where there is one output, or no signature.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(network))
    graph = model.subgraphs[0]
    if len(graph.outputs) == 1 or not model.signatureDefs:
        return network
    named = {output.name: output.tensorIndex for output in model.signatureDefs[0].outputs}
    graph.outputs = [named[name] for name in sorted(named)]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
