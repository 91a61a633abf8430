"""Counts the multiply-accumulates of a .tflite file, operator by operator."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import SerEdgeError

# One elementary operation for each value of the output.
ELEMENTWISE = {
    *("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW", "SQUARE"),
    *("RELU", "RELU6", "PRELU", "LEAKY_RELU", "ELU", "GELU", "HARD_SWISH", "LOGISTIC", "TANH"),
    *("SOFTMAX", "EXP", "LOG", "SQRT", "RSQRT", "ABS", "NEG", "QUANTIZE"),
}
# One for each value of the input.
REDUCTIONS = {"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"}
POOLS = {"AVERAGE_POOL_2D", "MAX_POOL_2D"}
# They move data, count a loop's rounds, or unpack weights, which happens once.
FREE = {
    *("RESHAPE", "TRANSPOSE", "CONCATENATION", "SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE"),
    *("PAD", "PADV2", "GATHER", "PACK", "UNPACK", "SQUEEZE", "EXPAND_DIMS", "REVERSE_V2", "FILL"),
    *("SHAPE", "TILE", "CAST", "DEQUANTIZE", "LESS", "LOGICAL_AND", "BROADCAST_TO"),
}
LSTM_MATRICES = slice(1, 9)  # of the inputs: from the input and from the state to the four gates


@dataclass(frozen=True)
class OperatorArithmetic:
    """What the operators of one kind take for one inference.

    Attributes
    ----------
    runs : int
        How often they run.
    macs : dict of str to int
        Multiply-accumulates by the type of the weights, "int8" or "float32".
    elementary : int
        Other operations on single values.
    is_counted : bool
        Whether the kind is one that this module knows to count.
    """

    runs: int
    macs: dict[str, int]
    elementary: int
    is_counted: bool


def arithmetic_of(path: Path) -> dict[str, OperatorArithmetic]:
    """Count the arithmetic of one inference.

    Parameters
    ----------
    path : Path
        A .tflite file. A loop counts as often as its condition lets it run.

    Returns
    -------
    dict of str to OperatorArithmetic
        By kind of operator. An output value of CONV_2D takes ``height * width * channels`` of the
        filter in multiply-accumulates, of DEPTHWISE_CONV_2D ``height * width``, of
        FULLY_CONNECTED and BATCH_MATMUL the length of the dimension summed over. Biases and
        activations that are part of these are not counted.

    Raises
    ------
    SerEdgeError
        When the file is of another format, or holds a loop of no fixed length.
    """
    if path.suffix != ".tflite":
        raise SerEdgeError(f"{path}: multiply-accumulates are counted of .tflite files alone")
    schema = tflite_schema()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    integers = {getattr(schema.TensorType, name) for name in ("INT4", "INT8", "UINT8", "INT16")}
    return _Tally(path, model, names, integers).count()


def tflite_schema() -> Any:
    """Import the classes that read and write .tflite files, which only ai-edge-litert brings.

    Raises
    ------
    SerEdgeError
        When it is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise SerEdgeError(
            "what is inside a .tflite file is read with ai-edge-litert: pip install ai-edge-litert"
        ) from error
    return schema_py_generated


class _Tally:
    """Walks through the graphs of a file, and counts."""

    def __init__(self, path: Path, model: Any, names: dict[int, str], integers: set[int]) -> None:
        self._path = path
        self._model = model
        self._integers = integers
        self._kinds = [
            names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes
        ]
        self._runs: Counter[str] = Counter()
        self._macs: dict[str, Counter[str]] = {}
        self._elementary: Counter[str] = Counter()
        self._unknown: set[str] = set()

    def count(self) -> dict[str, OperatorArithmetic]:
        self._walk(self._model.subgraphs[0], 1)
        return {
            kind: OperatorArithmetic(
                runs,
                dict(self._macs.get(kind, {})),
                self._elementary[kind],
                kind not in self._unknown,
            )
            for kind, runs in sorted(self._runs.items())
        }

    def _walk(self, graph: Any, times: int) -> None:
        for operator in graph.operators:
            kind = self._kinds[operator.opcodeIndex]
            if kind == "WHILE":
                options = operator.builtinOptions
                rounds = self._rounds(self._model.subgraphs[options.condSubgraphIndex])
                self._walk(self._model.subgraphs[options.bodySubgraphIndex], times * rounds)
                continue
            self._runs[kind] += times
            # An input that is left out has the number -1.
            tensors: list[Any] = [graph.tensors[i] if i >= 0 else None for i in operator.inputs]
            outputs = [graph.tensors[i] for i in operator.outputs]
            macs = _macs(kind, tensors, outputs[0], operator.builtinOptions)
            if macs is not None:
                weights = "int8" if tensors[1].type in self._integers else "float32"
                self._macs.setdefault(kind, Counter())[weights] += times * macs
            elif kind in ELEMENTWISE:
                self._elementary[kind] += times * sum(map(_size, outputs))
            elif kind in REDUCTIONS:
                self._elementary[kind] += times * _size(tensors[0])
            elif kind in POOLS:
                options = operator.builtinOptions
                area = options.filterHeight * options.filterWidth
                self._elementary[kind] += times * area * _size(outputs[0])
            elif kind not in FREE:
                self._unknown.add(kind)

    def _rounds(self, condition: Any) -> int:
        """How often a loop runs: what its counters, which begin at zero, are compared with."""
        limits = []
        for operator in condition.operators:
            if self._kinds[operator.opcodeIndex] == "LESS":
                limit = condition.tensors[operator.inputs[1]]
                stored = self._model.buffers[limit.buffer].data
                if stored is not None:
                    limits.append(int(np.frombuffer(bytes(stored), dtype=np.int32)[0]))
        if not limits:
            raise SerEdgeError(f"{self._path}: it holds a loop whose length is not fixed")
        return min(limits)


def _macs(kind: str, inputs: list[Any], output: Any, options: Any) -> int | None:
    """Multiply-accumulates of one operator, or None where it is no product."""
    if kind == "CONV_2D":
        return _size(output) * math.prod(_shape(inputs[1])[1:])
    if kind == "DEPTHWISE_CONV_2D":
        return _size(output) * math.prod(_shape(inputs[1])[1:3])
    if kind == "FULLY_CONNECTED":
        return _size(output) * _shape(inputs[1])[-1]
    if kind == "BATCH_MATMUL":
        return _size(output) * _shape(inputs[0])[-2 if options.adjX else -1]
    if kind == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        matrices = [matrix for matrix in inputs[LSTM_MATRICES] if matrix is not None]
        return math.prod(_shape(inputs[0])[:-1]) * sum(map(_size, matrices))
    return None


def _shape(tensor: Any) -> list[int]:
    return [] if tensor.shape is None else [int(length) for length in tensor.shape]


def _size(tensor: Any) -> int:
    return math.prod(_shape(tensor))
