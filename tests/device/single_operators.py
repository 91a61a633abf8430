"""Takes a .tflite file apart: each operator as a file of its own, with the input that it gets."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def take_apart(model: Path, windows: np.ndarray, folder: Path) -> None:
    """Write ``NN-NAME.tflite`` and ``NN-NAME.npz``, its int8 inputs, for every operator.

    The inputs are what the reference kernels make of the windows, (n, *input_shape).
    """
    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model.read_bytes(), 0))
    (graph,) = whole.subgraphs
    tensors = _tensors(whole, windows, folder / "all-outputs.tflite")
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    for number, operator in enumerate(graph.operators):
        code = whole.operatorCodes[operator.opcodeIndex]
        kind = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        inputs = [int(tensor) for tensor in operator.inputs if int(tensor) in tensors]
        part = folder / f"{number:02d}-{kind}.tflite"
        part.write_bytes(_with(whole, [operator], inputs, operator.outputs))
        np.savez(part.with_suffix(".npz"), *[tensors[tensor] for tensor in inputs])


def _tensors(whole: Any, windows: np.ndarray, working: Path) -> dict[int, np.ndarray]:
    """The values of all tensors that are computed, by number."""
    (graph,) = whole.subgraphs
    numbers = [int(tensor) for operator in graph.operators for tensor in operator.outputs]
    working.write_bytes(_with(whole, graph.operators, graph.inputs, numbers))
    interpreter = Interpreter(
        str(working), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    working.unlink()
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    values: dict[int, list[np.ndarray]] = {int(graph.inputs[0]): [], **{n: [] for n in numbers}}
    for window in windows:
        values[int(graph.inputs[0])].append(window[None])
        interpreter.set_tensor(given["index"], window[None])
        interpreter.invoke()
        for number, output in zip(numbers, interpreter.get_output_details()):
            values[number].append(interpreter.get_tensor(output["index"]).copy())
    return {number: np.stack(each) for number, each in values.items()}


def _with(whole: Any, operators: Any, inputs: Any, outputs: Any) -> bytes:
    """The same file with other operators in its graph."""
    part = copy.copy(whole)
    (graph,) = whole.subgraphs
    part.subgraphs = [copy.copy(graph)]
    part.subgraphs[0].operators = list(operators)
    part.subgraphs[0].inputs, part.subgraphs[0].outputs = list(inputs), list(outputs)
    part.signatureDefs = part.metadata = None
    builder = flatbuffers.Builder()
    builder.Finish(part.Pack(builder), b"TFL3")
    return bytes(builder.Output())
