"""The command line of ``ser-convert``."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from edge_runtime.errors import SerEdgeError
from edge_runtime.program import run_program
from edge_runtime.quiet import quiet_libraries


def main(argv: list[str] | None = None) -> int:
    """Run ``ser-convert`` and return its exit status."""
    return run_program("ser-convert", _parser, argv, extra="convert")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ser-convert",
        description="Turn a fitted model into one file for the device, and compare the two.",
    )
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL.keras",
        help="as ser-train leaves it, with ser_edge.json beside it",
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--int8",
        dest="target",
        action="store_const",
        const="int8",
        help="TFLite, weights, activations, input and output in int8",
    )
    target.add_argument(
        "--float32", dest="target", action="store_const", const="float32", help="TFLite in float32"
    )
    target.add_argument(
        "--onnx", dest="target", action="store_const", const="onnx", help="ONNX in float32"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: MODEL.int8.tflite, MODEL.float32.tflite or MODEL.onnx",
    )
    parser.add_argument(
        "--representative",
        type=Path,
        metavar="FILE.npz",
        help="windows to calibrate int8 with, array 'windows' of shape (n, T, D) "
        "(default: representative.npz beside the model)",
    )
    parser.add_argument(
        "--format", choices=("text", "jsonl"), default="text", help="of the report (default: text)"
    )
    parser.set_defaults(work=_convert)
    return parser


def _convert(arguments: argparse.Namespace) -> int:
    from convert.fitted import load_fitted
    from convert.targets import SUFFIXES

    fitted = load_fitted(arguments.model, arguments.representative)
    suffix = SUFFIXES[arguments.target]
    default = ".onnx" if arguments.target == "onnx" else f".{arguments.target}{suffix}"
    output = arguments.output or arguments.model.with_suffix(default)
    if output.suffix != suffix:
        raise SerEdgeError(f"{output}: a file for --{arguments.target} must end in {suffix}")
    # TensorFlow's start-up notes stay out of the log, unless the user asked for them.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_libraries():
        from convert.pipeline import convert

    comparison = convert(fitted, arguments.target, output)
    if arguments.format == "jsonl":
        print(json.dumps({"file": str(output), "target": arguments.target, **comparison.to_dict()}))
    else:
        print(f"{output}: {comparison}")
    return 0
