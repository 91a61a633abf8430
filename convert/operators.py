"""What a .tflite file is made of, and the least runtime that knows all of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The first LiteRT release; it understands what TensorFlow Lite 2.17 did.
FIRST_LITERT, KNOWN_TO_FIRST_LITERT = "1.0.0", (2, 17)
RECURRENT = {"WHILE", "IF", "CALL"}
# From which TensorFlow Lite on a version of an operator is known, for those that speech-emotion
# networks are made of (tensorflow/compiler/mlir/lite/tools/versioning/runtime_version.cc). The
# entry ``min_runtime_version`` of a file is written before it is quantised and misses these.
KNOWN_SINCE = {
    "ADD": {2: "1.14.0", 3: "2.4.0", 4: "2.6.0", 5: "2.13.0"},
    "AVERAGE_POOL_2D": {2: "1.14.0", 3: "2.3.0"},
    "BATCH_MATMUL": {1: "2.3.0", 2: "2.3.0", 3: "2.4.0", 4: "2.5.0"},
    "CONCATENATION": {2: "1.14.0", 3: "2.3.0", 4: "2.14.0", 5: "2.21.0"},
    "CONV_2D": {2: "1.14.0", 3: "1.14.0", 4: "2.3.0", 5: "2.4.0", 6: "2.9.0", 7: "2.11.0"},
    "DEPTHWISE_CONV_2D": {3: "1.14.0", 4: "2.2.0", 5: "2.3.0", 6: "2.3.0", 7: "2.11.0"},
    "FULLY_CONNECTED": {
        **{4: "1.14.0", 5: "2.0.0", 6: "2.1.0", 7: "2.3.0", 8: "2.3.0", 9: "2.3.0"},
        **{10: "2.11.0", 11: "2.15.0", 12: "2.17.0", 13: "2.18.0", 14: "2.21.0"},
    },
    "GATHER": {3: "1.15.0", 4: "2.4.0", 5: "2.5.0", 6: "2.13.0", 7: "2.15.0"},
    "MAX_POOL_2D": {2: "1.14.0", 3: "2.3.0"},
    "MEAN": {2: "1.14.0", 3: "2.4.0"},
    "MUL": {2: "1.14.0", 3: "1.15.0", 4: "2.3.0", 5: "2.6.0", 6: "2.11.0", 7: "2.13.0"},
    "PAD": {2: "1.14.0", 3: "2.4.0", 4: "2.6.0", 5: "2.20.0"},
    "REDUCE_MAX": {2: "1.14.0", 3: "2.5.0"},
    "SOFTMAX": {2: "1.14.0", 3: "2.3.0"},
    "SPLIT": {2: "1.14.0", 3: "1.14.0", 4: "2.3.0"},
    "SUB": {2: "1.14.0", 3: "2.3.0", 4: "2.4.0", 5: "2.4.0"},
    "TRANSPOSE": {3: "1.15.0", 4: "2.3.0", 5: "2.4.0", 6: "2.12.0", 7: "2.14.4"},
}


@dataclass(frozen=True)
class Operators:
    """The operators of a .tflite file.

    Attributes
    ----------
    counts : dict of str to int
        How often each occurs, as ``NAME vVERSION``.
    float_share : float
        Share of the operators that compute in floating point, 0 to 1.
    has_control_flow : bool
        Whether a recurrent layer is a loop in it, which cannot be quantised in full.
    least_tflite : str
        The least version of TensorFlow Lite that knows them all.
    """

    counts: dict[str, int]
    float_share: float
    has_control_flow: bool
    least_tflite: str

    @property
    def least_runtime(self) -> dict[str, str]:
        """For each interpreter package the least version that loads the file."""
        least = version_of(self.least_tflite)
        # LiteRT counts anew; from 2.0 on it knows what TensorFlow Lite 2.21 did.
        litert = FIRST_LITERT if least[:2] <= KNOWN_TO_FIRST_LITERT else "2.0.0"
        return {"tflite-runtime": self.least_tflite, "ai-edge-litert": litert}


def operators_of(path: Path) -> Operators:
    """Read the operators of a .tflite file.

    Parameters
    ----------
    path : Path
        The model file.

    Returns
    -------
    Operators
        Of all its subgraphs.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    names = {
        code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
    }
    kinds = [
        (names[max(code.builtinCode, code.deprecatedBuiltinCode)], int(code.version))
        for code in model.operatorCodes
    ]
    used, floats = Counter[tuple[str, int]](), 0
    for graph in model.subgraphs:
        for operator in graph.operators:
            used[kinds[operator.opcodeIndex]] += 1
            outputs = (graph.tensors[index] for index in operator.outputs)
            floats += any(tensor.type == schema.TensorType.FLOAT32 for tensor in outputs)
    versions = [_stated(model), *(_known_since(*kind) for kind in used)]
    return Operators(
        counts={f"{name} v{version}": count for (name, version), count in sorted(used.items())},
        float_share=round(floats / max(1, used.total()), 4),
        has_control_flow=any(name in RECURRENT for name, _ in used),
        least_tflite=max(filter(None, versions), key=version_of, default=""),
    )


def version_of(text: str) -> tuple[int, ...]:
    """Turn "2.14.0" into (2, 14, 0), to be compared."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _stated(model: Any) -> str:
    """The version that the converter wrote into the file, or nothing."""
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            return bytes(model.buffers[entry.buffer].data).split(b"\0")[0].decode("ascii")
    return ""


def _known_since(name: str, version: int) -> str:
    return KNOWN_SINCE.get(name, {}).get(version, "")
