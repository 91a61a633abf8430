"""The ways to make a file of a target, from the plain one to those that cost size or speed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convert.operators import operators_of
from convert.ranges import METHODS
from convert.targets import Target
from convert.workbench import Workbench
from edge_runtime.errors import SerEdgeError

# How many of the worst layers are left in float32, one try after the other.
FLOAT_LAYERS = (1, 2, 4, 8)
LAYER_WINDOWS = 50


class NotQuantisableError(SerEdgeError):
    """The network cannot be quantised to int8 or int16 at all; the message says why."""


@dataclass(frozen=True)
class Attempt:
    """One way to quantise.

    Attributes
    ----------
    ranges : {"minmax", "percentile", "mse"}
        Of the activations.
    equalised : bool
        Whether channels between two layers are given the same range; see `convert.equalise`.
    per_channel_dense : bool
        Whether a dense layer has a scale for every output.
    float_layers : tuple of str
        Layers that stay in float32.
    """

    ranges: str = "minmax"
    equalised: bool = False
    per_channel_dense: bool = False
    float_layers: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{self.ranges} ranges"]
        if self.equalised:
            parts.append("channels equalised")
        if self.per_channel_dense:
            parts.append("a scale per output of dense layers")
        if self.float_layers:
            parts.append(f"{', '.join(self.float_layers)} in float32")
        return ", ".join(parts)


def attempts(bench: Workbench, target: Target) -> Iterator[list[Attempt]]:
    """Give the ways to make a target in groups: the best of a group is taken, if it is good enough.

    The next group is only asked for when none is.
    """
    plain = Attempt(bench.settings.ranges or METHODS[0])
    free = bench.settings.ranges is None
    if target.name == "int8":
        # Which ranges are best differs from network to network, and a try takes a second or two.
        group = [replace(plain, ranges=ranges) for ranges in METHODS] if free else [plain]
        if bench.equalised_tflite():
            group += [replace(one, equalised=True) for one in group]
        yield group
        yield from _costlier(bench, plain)
        return
    yield [plain]
    if target.name == "onnx-int8" and free:
        yield [replace(plain, ranges="percentile")]


def _costlier(bench: Workbench, plain: Attempt) -> Iterator[list[Attempt]]:
    """Ways that need a newer interpreter, or compute in part in float."""
    if bench.settings.device.per_channel_dense:
        yield [replace(plain, per_channel_dense=True)]
    worst = [row["layer"] for row in layer_errors(bench)]
    for count in FLOAT_LAYERS:
        if count < len(worst):
            yield [replace(plain, float_layers=tuple(worst[:count]))]


def layer_errors(bench: Workbench) -> list[dict[str, Any]]:
    """Error of each layer in int8, the worst first; see `convert.quantise.layer_errors`."""
    windows = bench.calibration_windows[:LAYER_WINDOWS]
    options = {"network": str(bench.float_tflite()), "per_channel_dense": False}
    result, _ = bench.work("layers", options, {"windows": windows}, "measuring its layers")
    return list(result["layers"])


def make(bench: Workbench, target: Target, attempt: Attempt, output: Path) -> None:
    """Write a file of a target, without metadata.

    Raises
    ------
    NotQuantisableError
        When a recurrent layer is a loop in the network and cannot be written out.
    SerEdgeError
        When the converter fails or crashes.
    """
    if target.name == "onnx":
        shutil.copy(bench.float_onnx(unrolled=False), output)
    elif target.name == "onnx-int8":
        _make_onnx_int8(bench, attempt, output)
    elif target.is_calibrated:
        _make_quantised(bench, target, attempt, output)
    elif bench.original.kind == "tflite":
        shutil.copy(bench.original.path, output)
    else:
        options = {
            "kind": target.name,
            "per_channel_dense": bench.settings.device.per_channel_dense,
            "output": str(output.resolve()),
        }
        bench.work("tflite", options, {}, f"conversion to {target.name}")


def _make_quantised(bench: Workbench, target: Target, attempt: Attempt, output: Path) -> None:
    network = bench.float_tflite()
    if operators_of(network).has_control_flow:
        raise NotQuantisableError(
            f"{bench.original.path}: a recurrent layer is a loop in it, which {target.name} cannot "
            "be made of; start from the .keras file, where it can be written out"
        )
    options = {
        "kind": target.name,
        "network": str(bench.equalised_tflite() if attempt.equalised else network),
        "ranges": attempt.ranges,
        "per_channel_dense": attempt.per_channel_dense,
        "float_layers": list(attempt.float_layers),
        "output": str(output.resolve()),
    }
    bench.work(
        "quantise",
        options,
        {"windows": bench.calibration_windows},
        f"conversion to {target.name}",
    )


def _make_onnx_int8(bench: Workbench, attempt: Attempt, output: Path) -> None:
    # ONNX Runtime quantises what an LSTM is made of, but not an LSTM.
    network = bench.float_onnx(unrolled=bench.original.kind == "keras")
    options = {
        "network": str(network),
        "ranges": attempt.ranges,
        "output": str(output.resolve()),
    }
    bench.work(
        "onnx-int8", options, {"windows": bench.calibration_windows}, "conversion to int8 ONNX"
    )
