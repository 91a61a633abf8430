"""Writes a .tflite file again without what it says twice. Needs TensorFlow."""

from __future__ import annotations

import re
from typing import Any

import flatbuffers
from numpy.typing import NDArray
from tensorflow.lite.tools import flatbuffer_utils

FILE_IDENTIFIER = b"TFL3"
FIRST_SIZE = 1 << 16
# Interpreters read weights where they lie in the file.
WEIGHTS_ALIGNMENT = 16
# What networks within networks put in front of a layer's name.
OUTER = re.compile(rb"^(functional(_\d+)*/)+")


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Writes each array once; whatever has an equal one refers to it."""

    def __init__(self) -> None:
        super().__init__(FIRST_SIZE)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, array: NDArray[Any]) -> int:  # noqa: N802 - the base class's name
        key = array.dtype.str, array.tobytes()
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(array)
        return self._written[key]

    def StartVector(self, element: int, count: int, alignment: int) -> int:  # noqa: N802
        # Of the arrays of a network only weights have elements of one byte.
        wanted = WEIGHTS_ALIGNMENT if element == 1 else alignment
        return int(super().StartVector(element, count, wanted))


def compact(network: bytes) -> bytes:
    """Let equal arrays of a network be one, and the names of its tensors short.

    An int8 network has a zero point of eight bytes for every channel of every layer, and all of
    weights and biases are zero: written once for each length they are a seventh of a small file
    less. Every interpreter reads such a file, for whatever refers to an array names its place. The
    converter names a tensor after every layer that it fused; the first of them, the last to
    compute, is kept.

    Parameters
    ----------
    network : bytes
        A .tflite file.

    Returns
    -------
    bytes
        The same network, with other names of tensors.

    References
    ----------
    FlatBuffers internals, "Vectors": an offset may name any place after it, and several offsets
    the same (https://flatbuffers.dev/internals/).
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(network))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = OUTER.sub(b"", tensor.name.partition(b";")[0])
    builder = _SharingBuilder()
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())
