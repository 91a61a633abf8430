"""The command line of ``ser-convert``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from convert.devices import DEVICES
from convert.ranges import METHODS
from convert.targets import TARGETS, Target
from edge_runtime.errors import SerEdgeError
from edge_runtime.program import run_program

REPRESENTATIVE, HELD_OUT = "representative.npz", "held_out.npz"


def main(argv: list[str] | None = None) -> int:
    """Run ``ser-convert`` and return its exit status."""
    return run_program("ser-convert", make_parser, argv, extra="convert")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of ``ser-convert``."""
    parser = argparse.ArgumentParser(
        prog="ser-convert",
        description="Turn a fitted model into one file for the device, and prove that it works.",
    )
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="a .keras file, a .json with its weights in .h5, the folder of a SavedModel, or a "
        "float .tflite or .onnx file; ser_edge.json beside it says what its features and labels "
        "are",
    )
    kinds = parser.add_mutually_exclusive_group(required=True)
    for target in TARGETS.values():
        kinds.add_argument(
            f"--{target.name}",
            dest="kind",
            action="store_const",
            const=target.name,
            help=target.described,
        )
    kinds.add_argument(
        "--all",
        dest="kind",
        action="store_const",
        const="all",
        help="each of these that can be made, and a comparison",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: beside the model, named after the target, as model.int8.tflite",
    )
    parser.add_argument(
        "--target",
        dest="device",
        choices=tuple(DEVICES),
        help="the devices that must run the file: "
        + "; ".join(f"{device.name}, {device.described}" for device in DEVICES.values())
        + " (default: any, as far as its interpreters are at hand here)",
    )
    _add_data(parser)
    _add_limits(parser)
    parser.add_argument(
        "--format", choices=("text", "jsonl"), default="text", help="of the report (default: text)"
    )
    parser.set_defaults(work=_convert)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--representative",
        type=Path,
        metavar="FILE.npz|DIR",
        help="what int8 is calibrated with: an array 'windows' of shape (n, T, D), or sound files "
        f"(default: {REPRESENTATIVE} beside the model)",
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="FILE.npz|DIR",
        help="labelled recordings that the model was not trained on, to judge and calibrate with: "
        "as ser-train leaves them, or a folder of sound files for each label, in it one for each "
        "speaker where they are known "
        f"(default: {HELD_OUT} beside the model, if it is there)",
    )
    parser.add_argument(
        "--labels",
        metavar="A,B,...|FILE",
        help="the classes in the order of the scores, for a model without ser_edge.json",
    )
    parser.add_argument(
        "--features",
        metavar="NAME|FILE.json",
        help="what the model reads, for one without ser_edge.json: a preset (librosa, "
        "python_speech_features), a ser_edge.json, or the features of one",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-uar-drop",
        type=_points,
        default=0.5,
        metavar="POINTS",
        help="how many points (hundredths) of UAR on validation may be lost; when plain "
        "quantisation loses more, the noisiest layers stay in float "
        "(default: 0.5)",
    )
    parser.add_argument(
        "--ranges",
        choices=METHODS,
        help="how the range of activations is chosen (default: each is tried, the best taken)",
    )
    parser.add_argument(
        "--tflite-python",
        metavar="PYTHON",
        help="a Python that has tflite-runtime (default: $SER_EDGE_TFLITE_PYTHON)",
    )


def _points(text: str) -> float:
    try:
        points = float(text)
    except ValueError:
        points = -1.0
    if not 0.0 <= points <= 100.0:
        raise argparse.ArgumentTypeError(f"must be a number of points from 0 to 100, not {text!r}")
    return points


def _convert(arguments: argparse.Namespace) -> int:
    targets = list(TARGETS.values()) if arguments.kind == "all" else [TARGETS[arguments.kind]]
    _check_output(arguments.output, targets)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ser-convert-"))
        bench = stack.enter_context(closing(_workbench(arguments, Path(folder))))
        if arguments.kind == "all":
            return _convert_all(bench, targets, arguments.format)
        from convert.pipeline import with_fallback

        report, reason = with_fallback(bench, targets[0], arguments.output)
    _print(report, reason, arguments.format)
    return 0


def _check_output(output: Path | None, targets: list[Target]) -> None:
    if output is None:
        return
    if len(targets) > 1:
        raise SerEdgeError("--all: names its files itself, so it goes without -o")
    if output.suffix != targets[0].suffix:
        raise SerEdgeError(
            f"{output}: a file for --{targets[0].name} must end in {targets[0].suffix}"
        )
    if output.is_dir():
        raise SerEdgeError(f"{output}: is a folder; name a file")


def _workbench(arguments: argparse.Namespace, folder: Path) -> Any:
    from convert.datasets import load_held_out, load_representative, random_windows
    from convert.original import load_original
    from convert.workbench import Settings, Workbench

    original = load_original(arguments.model, arguments.labels, arguments.features)
    settings = Settings(
        device=DEVICES[arguments.device or "any"],
        is_device_chosen=arguments.device is not None,
        max_uar_drop=arguments.max_uar_drop,
        ranges=arguments.ranges,
        tflite_python=arguments.tflite_python,
    )
    beside = original.path if original.kind == "saved-model" else original.folder
    given = arguments.representative or beside / REPRESENTATIVE
    if arguments.representative is None and not given.exists() and not _needs_sound(arguments):
        representative = random_windows(original.metadata)
    else:
        representative = load_representative(given, original.metadata)
    held_out_path = arguments.held_out or beside / HELD_OUT
    held_out = None
    if arguments.held_out or held_out_path.exists():
        held_out = load_held_out(held_out_path, original.metadata)
    return Workbench(original, representative, held_out, settings, folder)


def _needs_sound(arguments: argparse.Namespace) -> bool:
    """Whether ranges are to be found; else any numbers show that two networks are the same."""
    return arguments.kind == "all" or TARGETS[arguments.kind].is_calibrated


def _convert_all(bench: Any, targets: list[Target], form: str) -> int:
    """Make each target; one that fails does not keep the others from being made."""
    from convert.original import POSSIBLE
    from convert.pipeline import with_fallback
    from convert.report import comparison

    reports, failed = [], 0
    for target in targets:
        if target.name not in POSSIBLE[bench.original.kind]:
            _say(f"{target.name}: cannot be made of a {bench.original.path.suffix} file")
            continue
        try:
            report, reason = with_fallback(bench, target, None)
        except SerEdgeError as error:
            failed += 1
            _say(str(error))
            continue
        _print(report, reason, form)
        if not reason:
            reports.append(report)
    if form == "text" and reports:
        print(comparison(reports))
    return 1 if failed else 0


def _print(report: dict[str, Any], reason: str, form: str) -> None:
    from convert.report import line

    if reason:
        _say(reason)
    if form == "jsonl":
        print(json.dumps(report), flush=True)
    else:
        print(f"{report['file']}: {line(report)}", flush=True)


def _say(text: str) -> None:
    print(f"ser-convert: {text}", file=sys.stderr, flush=True)
