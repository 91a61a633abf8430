"""Plain matrix products: what multiply-accumulates a core reaches when nothing else is in the way.

In numpy, whose BLAS is tuned for the processor, and as a .tflite file of nothing but one
FULLY_CONNECTED, run by the interpreter that runs the models.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.limit_network import tflite_schema
from edge_runtime.backends import INTERPRETER_MODULES
from edge_runtime.quiet import quiet_libraries

NUMPY_FLOAT = "float32, numpy"
FLOAT = "float32, interpreter"
INT8 = "int8, interpreter"
NUMPY_SIZES = (64, 128, 256, 512)
LAYERS = ((64, 256, 256), (256, 256, 256), (256, 512, 512))  # rows, inputs, outputs
VERSIONS = {FLOAT: 1, INT8: 4}  # of FULLY_CONNECTED: the first with each type


@dataclass(frozen=True)
class Product:
    """A matrix product that is ready to run.

    Attributes
    ----------
    kind : str
        `NUMPY_FLOAT`, `FLOAT` or `INT8`.
    macs : int
        Multiply-accumulates of one call.
    run : callable
        Multiplies once, on as many threads as its library was told to use.
    """

    kind: str
    macs: int
    run: Callable[[], Any]


def products(backend: str) -> dict[str, Product]:
    """Make the products of all kinds and sizes.

    Parameters
    ----------
    backend : {"litert", "tflite-runtime"}
        Which interpreter runs the layers.

    Returns
    -------
    dict of str to Product
        By kind and size, such as "int8, interpreter 64 x 256 x 256".
    """
    made = {}
    for size in NUMPY_SIZES:
        made[f"{NUMPY_FLOAT} {size} x {size} x {size}"] = _numpy_product(size)
    for kind in (FLOAT, INT8):
        for rows, inputs, outputs in LAYERS:
            run = invocation(backend, fully_connected(kind, rows, inputs, outputs))
            name = f"{kind} {rows} x {inputs} x {outputs}"
            made[name] = Product(kind, rows * inputs * outputs, run)
    return made


def fully_connected(kind: str, rows: int, inputs: int, outputs: int) -> bytes:
    """Make a .tflite file of one fully connected layer without bias.

    Parameters
    ----------
    kind : str
        `FLOAT`, or `INT8` with int8 inputs, weights and outputs, one scale for each.
    rows, inputs, outputs : int
        The layer multiplies (rows, inputs) by (inputs, outputs).

    Returns
    -------
    bytes
        The file.
    """
    flatbuffers: Any = importlib.import_module("flatbuffers")
    schema = tflite_schema()
    rng = np.random.default_rng(0)
    weights = _values(kind, (outputs, inputs), rng)
    # A product's deviation is about that of its terms times the root of their number.
    scales = {"in": 1.0, "weights": 1.0, "out": 64.0 * np.sqrt(inputs)}
    shapes = {"in": (rows, inputs), "weights": (outputs, inputs), "out": (rows, outputs)}
    tensors = []
    for number, (name, shape) in enumerate(shapes.items()):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), int(number == 1)
        if kind == INT8:
            tensor.type = schema.TensorType.INT8
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scales[name]], [0]
        tensors.append(tensor)

    layer = schema.OperatorT()
    layer.inputs, layer.outputs = [0, 1, -1], [2]
    layer.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    layer.builtinOptions = schema.FullyConnectedOptionsT()
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [layer], [0], [2]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = VERSIONS[kind]
    stored = schema.BufferT()
    stored.data = np.frombuffer(weights.tobytes(), dtype=np.uint8)
    model = schema.ModelT()
    model.version = 3
    model.subgraphs, model.operatorCodes = [graph], [code]
    model.buffers = [schema.BufferT(), stored]  # the first stands for "none"
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _numpy_product(size: int) -> Product:
    rng = np.random.default_rng(0)
    left, right = (_values(NUMPY_FLOAT, (size, size), rng) for _ in range(2))
    out = np.empty_like(left)
    return Product(NUMPY_FLOAT, size**3, lambda: np.matmul(left, right, out=out))


def _values(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
    if kind == INT8:
        return rng.integers(-127, 128, shape, dtype=np.int8)
    return rng.standard_normal(shape, dtype=np.float32)


def invocation(backend: str, content: bytes) -> Callable[[], Any]:
    """Load a .tflite file of one input, and give what runs it on numbers drawn at random.

    Parameters
    ----------
    backend : {"litert", "tflite-runtime"}
        Which interpreter runs it, on one thread.
    content : bytes
        The file.

    Returns
    -------
    callable
        Runs it, and neither writes its input nor reads its outputs.
    """
    module = importlib.import_module(INTERPRETER_MODULES[backend])
    with quiet_libraries():
        interpreter = module.Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    rng = np.random.default_rng(0)
    is_integer = np.issubdtype(given["dtype"], np.integer)
    values = _values(INT8 if is_integer else FLOAT, tuple(given["shape"]), rng)
    interpreter.set_tensor(given["index"], values.astype(given["dtype"]))
    invoke: Callable[[], Any] = interpreter.invoke
    return invoke
