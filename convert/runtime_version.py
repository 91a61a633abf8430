"""The least runtime that can load a .tflite file, as its converter wrote it there."""

from __future__ import annotations

from pathlib import Path

# The first LiteRT release; it understands what TensorFlow Lite 2.17 did.
FIRST_LITERT = "1.0.0"


def least_tflite_runtime(path: Path) -> dict[str, str]:
    """Read the ``min_runtime_version`` entry of a .tflite file.

    Parameters
    ----------
    path : Path
        The model file.

    Returns
    -------
    dict of str to str
        Package name to least version; empty when the file does not say.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            text = bytes(model.buffers[entry.buffer].data).split(b"\0")[0].decode("ascii")
            return {"tflite-runtime": text, "ai-edge-litert": FIRST_LITERT}
    return {}
