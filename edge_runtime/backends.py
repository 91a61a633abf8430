"""One small interface over the interpreters that can run a model.

Each back end takes one window of standardised float32 features and gives the model's outputs as
float32: it quantises the input and dequantises the outputs from the tensors' own parameters.
"""

from __future__ import annotations

import importlib
import platform
import re
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.quiet import quiet_libraries

# In order of preference for each kind of file: name on the command line -> package on PyPI.
BACKENDS = {
    ".tflite": {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime"},
    ".onnx": {"onnxruntime": "onnxruntime"},
}
BACKEND_NAMES = tuple(name for packages in BACKENDS.values() for name in packages)
ARM_32_BIT = ("armv7l", "armv8l")  # armv8l: on a 64-bit kernel, under linux32
MAX_THREADS = 64  # no device has more cores; interpreters crash on absurd numbers
INTERPRETER_MODULES = {
    "litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}


class Backend(Protocol):
    """What the classifier needs of an interpreter.

    Attributes
    ----------
    name, version : str
        Of the back end.
    input_shape : tuple of int
        Of one window.
    output_sizes : tuple of int
        Number of values of each output.
    score_step : float
        Real value of one step of the scores; 0.0 where they are floating point.
    """

    name: str
    version: str
    input_shape: tuple[int, ...]
    output_sizes: tuple[int, ...]
    score_step: float

    def run(self, features: NDArray[np.float32], outputs: int = 1) -> list[NDArray[np.float32]]:
        """Run the model on one window.

        Parameters
        ----------
        features : ndarray of float32, shape `input_shape`
            Standardised features of one window.
        outputs : int
            How many of the outputs to read; the scores come first.

        Returns
        -------
        list of ndarray of float32, each 1-D
            The outputs in the model's order.
        """
        ...


def quantise(
    values: NDArray[np.float32], scale: float, zero_point: int, dtype: Any
) -> NDArray[Any]:
    """Quantise real values to an integer type: round, shift, clip.

    Parameters
    ----------
    values : ndarray of float32
        Real values.
    scale : float
        Real value of one step, > 0.
    zero_point : int
        The integer that stands for zero.
    dtype : numpy integer type
        What to return; values beyond its range saturate.

    Returns
    -------
    ndarray of `dtype`, of the shape of `values`
        ``clip(round(values / scale) + zero_point)``.

    References
    ----------
    .. [1] B. Jacob et al., "Quantization and training of neural networks for efficient
       integer-arithmetic-only inference", CVPR 2018, eq. 1.

    Examples
    --------
    >>> quantise(np.array([0.0, 0.26, 99.0], np.float32), 0.5, 3, np.int8).tolist()
    [3, 4, 127]
    """
    least, most = _limits(dtype)
    steps = np.divide(values, scale, dtype=np.float32)
    np.rint(steps, out=steps)
    steps += zero_point
    result: NDArray[Any] = np.clip(steps, least, most, out=steps).astype(dtype)
    return result


@lru_cache
def _limits(dtype: Any) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return limits.min, limits.max


def dequantise(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """Turn quantised values back into real ones: ``(values - zero_point) * scale``.

    Examples
    --------
    >>> dequantise(np.array([3, 4], np.int8), 0.5, 3).tolist()
    [0.0, 0.5]
    """
    real: NDArray[np.float32] = values.astype(np.float32)
    real -= zero_point
    real *= scale
    return real


def load_backend(path: str | Path, backend: str = "auto", threads: int = 1) -> Backend:
    """Load a model file into an interpreter.

    Parameters
    ----------
    path : path-like
        A .tflite or .onnx file.
    backend : {"auto", "litert", "tflite-runtime", "onnxruntime"}
        "auto" takes the first that is installed.
    threads : int
        Number of threads the interpreter may use, 1 to 64.

    Returns
    -------
    Backend
        Ready to run.

    Raises
    ------
    SerEdgeError
        When no fitting interpreter is installed, or the one chosen cannot run the file; the
        message names the package to install.
    """
    path = Path(path)
    if not 1 <= threads <= MAX_THREADS:
        raise SerEdgeError(f"threads must be 1 to {MAX_THREADS}, not {threads}")
    packages = BACKENDS.get(path.suffix)
    if packages is None:
        raise SerEdgeError(f"{path}: a model file ends in .tflite or .onnx")
    name = _choose(path, packages) if backend == "auto" else backend
    if name not in packages:
        raise SerEdgeError(
            f"{path}: the back end {name!r} cannot run {path.suffix} files; "
            f"use --backend {' or '.join(packages)}"
        )
    if path.suffix == ".onnx":
        return OnnxBackend(path, threads)
    return TfliteBackend(path, name, threads)


def _choose(path: Path, packages: dict[str, str]) -> str:
    for name, package in packages.items():
        if _installed_version(package):
            return name
    raise SerEdgeError(f"{path}: no interpreter for it is installed; {_how_to_get(packages)}")


def _how_to_get(packages: dict[str, str]) -> str:
    """What to do where no interpreter is installed: there is not one for every system."""
    is_for_tflite = "tflite-runtime" in packages.values()
    if is_for_tflite and platform.machine() in ARM_32_BIT and sys.version_info >= (3, 12):
        return (
            f"none is published for Python {sys.version_info[0]}.{sys.version_info[1]} on 32-bit "
            "ARM: install a 64-bit system, or one with Python 3.9 to 3.11 and there pip install "
            "tflite-runtime"
        )
    return f"pip install {' or '.join(packages.values())}"


def _installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _import(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        reason = "is not installed" if not _installed_version(package) else f"fails ({error})"
        raise SerEdgeError(f"the back end {package} {reason}: pip install {package}") from error


class TfliteBackend:
    """Runs a .tflite file in ai-edge-litert or tflite-runtime.

    Parameters
    ----------
    path : Path
        The model file.
    name : {"litert", "tflite-runtime"}
        Which interpreter.
    threads : int
        Number of threads.
    """

    def __init__(self, path: Path, name: str, threads: int) -> None:
        package = BACKENDS[".tflite"][name]
        module = _import(INTERPRETER_MODULES[name], package)
        self.name = name
        self.version = _installed_version(package)
        try:
            # The interpreter announces its delegates on standard error.
            with quiet_libraries():
                # From memory, so that replacing the file later cannot change a loaded model.
                self._interpreter = module.Interpreter(
                    model_content=path.read_bytes(), num_threads=threads
                )
                self._interpreter.allocate_tensors()
        except (SystemError, ImportError) as error:
            # What a binding built against numpy 1 does under numpy 2.
            raise SerEdgeError(
                f"{path}: {package} {self.version} does not work with numpy {np.__version__}; "
                "pip install 'numpy<2'"
            ) from error
        except (ValueError, RuntimeError, OSError) as error:
            raise _load_error(path, package, self.version, str(error)) from error
        inputs = self._interpreter.get_input_details()
        _require_one_window(path, [tuple(details["shape"]) for details in inputs])
        self._input = inputs[0]
        self._outputs = self._interpreter.get_output_details()
        _require_scales(path, [self._input, *self._outputs])
        self.input_shape = tuple(int(n) for n in self._input["shape"][1:])
        self.output_sizes = tuple(int(np.prod(o["shape"][1:])) for o in self._outputs)
        self.score_step = float(self._outputs[0]["quantization"][0])

    def run(self, features: NDArray[np.float32], outputs: int = 1) -> list[NDArray[np.float32]]:
        """Run the model on one window; see `Backend.run`."""
        tensor = _to_tensor(features[None], self._input)
        self._interpreter.set_tensor(self._input["index"], tensor)
        self._interpreter.invoke()
        return [self._output(details) for details in self._outputs[:outputs]]

    def _output(self, details: dict[str, Any]) -> NDArray[np.float32]:
        values = self._interpreter.get_tensor(details["index"])[0].ravel()
        scale, zero_point = details["quantization"]
        if values.dtype.kind in "iu":
            return dequantise(values, scale, zero_point)
        return np.asarray(values, dtype=np.float32)


def _to_tensor(values: NDArray[np.float32], details: dict[str, Any]) -> NDArray[Any]:
    dtype = details["dtype"]
    if np.issubdtype(dtype, np.integer):
        scale, zero_point = details["quantization"]
        return quantise(values, scale, zero_point, dtype)
    return values.astype(dtype, copy=False)


def _load_error(path: Path, package: str, package_version: str, message: str) -> SerEdgeError:
    """One line for an interpreter's refusal, which may span many."""
    op = re.search(r"builtin opcode '(\w+)' version '(\d+)'", message)
    if op:
        upgrade = "ai-edge-litert" if package == "tflite-runtime" else f"--upgrade {package}"
        return SerEdgeError(
            f"{path}: {package} {package_version} is too old for its operator {op[1]} version "
            f"{op[2]}; pip install {upgrade}, or convert the model again with ser-convert"
        )
    first_line = message.strip().splitlines()[0] if message.strip() else "no reason given"
    return SerEdgeError(f"{path}: {package} {package_version} cannot load it ({first_line})")


def _require_scales(path: Path, tensors: list[dict[str, Any]]) -> None:
    for tensor in tensors:
        if np.issubdtype(tensor["dtype"], np.integer) and not tensor["quantization"][0] > 0.0:
            raise SerEdgeError(
                f"{path}: its tensor {tensor['name']} holds integers without a scale; "
                "convert the model again with ser-convert"
            )


def _require_one_window(path: Path, shapes: list[tuple[Any, ...]]) -> None:
    # ONNX gives a batch axis of any size as a name or as nothing.
    batches = [shape[0] for shape in shapes if shape]
    if len(batches) != 1 or (isinstance(batches[0], (int, np.integer)) and batches[0] != 1):
        found = " and ".join(" x ".join(map(str, shape)) for shape in shapes)
        raise SerEdgeError(
            f"{path}: the model reads {found} values, not one window at a time; "
            "convert the model again with ser-convert"
        )


def onnx_session(path: Path, threads: int) -> Any:
    """Open an ONNX Runtime session.

    Parameters
    ----------
    path : Path
        The .onnx file.
    threads : int
        Number of threads within an operator.

    Returns
    -------
    onnxruntime.InferenceSession
        The session.

    Raises
    ------
    SerEdgeError
        When ONNX Runtime is missing or refuses the file.
    """
    onnxruntime = _import("onnxruntime", "onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    # ONNX Runtime's exceptions share no base class below Exception.
    except Exception as error:
        raise _load_error(
            path, "onnxruntime", _installed_version("onnxruntime"), str(error)
        ) from error


class OnnxBackend:
    """Runs an .onnx file in ONNX Runtime.

    Parameters
    ----------
    path : Path
        The model file.
    threads : int
        Number of threads.
    """

    name = "onnxruntime"
    score_step = 0.0

    def __init__(self, path: Path, threads: int) -> None:
        self.version = _installed_version("onnxruntime")
        self._session = onnx_session(path, threads)
        inputs = self._session.get_inputs()
        _require_one_window(path, [tuple(i.shape) for i in inputs])
        model_input = inputs[0]
        if model_input.type != "tensor(float)":
            raise SerEdgeError(
                f"{path}: the model reads {model_input.type}, not tensor(float); "
                "convert the model again with ser-convert"
            )
        self._input_name = model_input.name
        self.input_shape = tuple(model_input.shape[1:])
        outputs = self._session.get_outputs()
        for output in outputs:
            if not all(isinstance(size, int) for size in output.shape[1:]):
                raise SerEdgeError(
                    f"{path}: its output {output.name} has no fixed size; "
                    "convert the model again with ser-convert"
                )
        self._output_names = [output.name for output in outputs]
        self.output_sizes = tuple(int(np.prod(output.shape[1:])) for output in outputs)

    def run(self, features: NDArray[np.float32], outputs: int = 1) -> list[NDArray[np.float32]]:
        """Run the model on one window; see `Backend.run`."""
        wanted = self._output_names[:outputs]
        given = self._session.run(wanted, {self._input_name: features[None]})
        return [np.asarray(output[0], dtype=np.float32).ravel() for output in given]
