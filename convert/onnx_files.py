"""Makes .onnx files, in float32 and quantised. Needs TensorFlow and tf2onnx, or ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError

# ONNX Runtime's quantiser takes time with the square of the nodes, and for a recurrent layer that
# was written out over hundreds of steps it never ends with what passes on its input's scale.
LARGE = 2000
WITH_WEIGHTS = ("Conv", "Gemm", "MatMul")
OPSET = 17  # ONNX 1.12 and ONNX Runtime 1.12, 2022; what the runtime asks for is newer
Windows = NDArray[np.float32]


def export(network: Any, original: dict[str, Any], shape: tuple[int, ...], output: Path) -> None:
    """Write a network in float32.

    Parameters
    ----------
    network : keras.Model, tf.function or None
        What `convert.networks` loaded; None for a .tflite file, which is read itself.
    original : dict
        Says of what kind the original is, and where.
    shape : tuple of int
        Of one window.
    output : Path
        The file to write.
    """
    import tf2onnx

    if original["kind"] == "tflite":
        tf2onnx.convert.from_tflite(original["path"], opset=OPSET, output_path=str(output))
    elif original["kind"] == "saved-model":
        tf2onnx.convert.from_function(
            network,
            input_signature=network.input_signature,
            opset=OPSET,
            output_path=str(output),
        )
    else:
        network(np.zeros((1, *shape), dtype=np.float32))  # export wants a model that has run
        network.export(output, format="onnx", verbose=False)


def quantise(network: Path, output: Path, windows: Windows, ranges: str) -> None:
    """Quantise weights and activations to int8 with QDQ nodes, input and output left in float32.

    Of a network with more than `LARGE` nodes only the operators with weights are quantised.

    Parameters
    ----------
    network : Path
        The float file.
    output : Path
        The file to write.
    windows : ndarray of float32, shape (n, ...)
        The representative dataset.
    ranges : {"minmax", "percentile"}
        Of the activations.

    Raises
    ------
    SerEdgeError
        When no node of it can be quantised.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    methods = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(network), str(prepared), skip_symbolic_shape=True)
        is_large = len(onnx.load(str(prepared)).graph.node) > LARGE
        quantize_static(
            str(prepared),
            str(output),
            _Reader(str(prepared), windows),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=methods[ranges],
            op_types_to_quantize=list(WITH_WEIGHTS) if is_large else None,
        )
    kinds = {node.op_type for node in onnx.load(str(output)).graph.node}
    if "QuantizeLinear" not in kinds:
        raise SerEdgeError("ONNX Runtime quantises none of its layers; use --onnx")


class _Reader:
    """Gives ONNX Runtime's calibration one window after the other."""

    def __init__(self, network: str, windows: Windows) -> None:
        import onnx

        self._name = onnx.load(network).graph.input[0].name
        self._windows: Iterator[Windows] = iter(windows)

    def get_next(self) -> dict[str, Windows] | None:
        """The next input, or None."""
        window = next(self._windows, None)
        return None if window is None else {self._name: window[None]}

    def __iter__(self) -> Iterator[dict[str, Windows]]:
        return iter(self.get_next, None)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Part of what ONNX Runtime asks of a reader; it is read in one go."""
