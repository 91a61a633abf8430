"""Fuzzes the reader of a model file's metadata: whatever the bytes, metadata or one line."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris

from tests.fuzz.one_line import require_one_line

with atheris.instrument_imports(include=["edge_runtime"]):
    from edge_runtime.errors import SerEdgeError
    from edge_runtime.metadata import ModelMetadata, read_metadata

FOLDER = Path(tempfile.mkdtemp(prefix="ser-edge-fuzz-"))


def read(data: bytes) -> None:
    """Read the bytes as a .tflite file, as an .onnx file, and as the text of metadata."""
    kind, rest = data[:1], data[1:]
    try:
        if kind == b"j":
            ModelMetadata.from_json(rest.decode("utf-8", "surrogateescape"))
            return
        path = FOLDER / f"{os.getpid()}{'.onnx' if kind == b'o' else '.tflite'}"
        path.write_bytes(rest)
        read_metadata(path)
    except SerEdgeError as error:
        require_one_line(error)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
