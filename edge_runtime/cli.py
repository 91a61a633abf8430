"""The command line of ``ser-edge``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from edge_runtime import __version__
from edge_runtime.backends import BACKEND_NAMES, MAX_THREADS
from edge_runtime.commands import classify, devices, info, listen
from edge_runtime.listener import MAX_HOP_SECONDS
from edge_runtime.program import run_program
from edge_runtime.sources.pcm_stream import DTYPES

FORMATS = ("text", "jsonl")
ENVIRONMENT = "SER_EDGE_"


def main(argv: list[str] | None = None) -> int:
    """Run ``ser-edge`` and return its exit status."""
    return run_program("ser-edge", _parser, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ser-edge",
        description="Recognise emotion in speech on a small device.",
        epilog=f"Every option can be set in the environment too: --model as {ENVIRONMENT}MODEL.",
    )
    parser.add_argument("--version", action="version", version=f"ser-edge {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("listen", help="classify a microphone, file or pipe as it goes")
    _option(command, "--source", "mic", "mic, a sound FILE, or - for raw PCM on standard input")
    _option(command, "--device", None, "microphone: a number or part of its name", metavar="N|NAME")
    _option(
        command,
        "--hop",
        None,
        "seconds between decisions (default: the model's)",
        type=_hop_seconds,
        metavar="S",
    )
    _option(
        command,
        "--pcm-format",
        "s16le",
        "of raw PCM: mono at the model's sample rate",
        choices=tuple(DTYPES),
    )
    command.add_argument(
        "--realtime",
        action="store_true",
        default=_flag_set("--realtime"),
        help="pace a file like a microphone",
    )
    _add_model_options(command)
    command.set_defaults(work=listen)

    command = commands.add_parser("classify", help="one answer for each sound file")
    command.add_argument("files", nargs="+", metavar="FILE", help="holds one utterance")
    _add_model_options(command)
    command.set_defaults(work=classify)

    command = commands.add_parser("devices", help="list the microphones")
    _add_format(command)
    command.set_defaults(work=devices)

    command = commands.add_parser("info", help="what a model file says about itself")
    command.add_argument(
        "model",
        nargs="?",
        type=Path,
        metavar="MODEL",
        default=os.environ.get(_variable("--model")) or None,
        help="a .tflite or .onnx file (default: the bundled model)",
    )
    _add_format(command)
    command.set_defaults(work=info)
    return parser


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    _option(
        parser,
        "--model",
        None,
        "a .tflite or .onnx file (default: the bundled model)",
        type=Path,
        metavar="FILE",
    )
    _option(parser, "--backend", "auto", "interpreter", choices=("auto", *BACKEND_NAMES))
    _option(parser, "--threads", 1, "threads of the interpreter", type=_threads, metavar="N")
    _add_format(parser)


def _add_format(parser: argparse.ArgumentParser) -> None:
    _option(parser, "--format", "text", "of the results", choices=FORMATS)


def _option(
    parser: argparse.ArgumentParser, flag: str, default: Any, text: str, **settings: Any
) -> None:
    """Add an option whose default comes from the environment, where it is set there."""
    stated = "" if default is None else f" (default: {default})"
    # A default given as text goes through the option's type, with its error message. A variable
    # that is set to nothing counts as not set.
    given = os.environ.get(_variable(flag)) or default
    choices = settings.get("choices")
    if choices and given not in choices:
        parser.error(f"{_variable(flag)} must be one of {', '.join(choices)}, not {given!r}")
    parser.add_argument(flag, default=given, help=text + stated, **settings)


def _hop_seconds(text: str) -> float:
    seconds = float(text)
    if not 0.0 < seconds <= MAX_HOP_SECONDS:
        raise argparse.ArgumentTypeError(f"must be above 0, at most {MAX_HOP_SECONDS:g} seconds")
    return seconds


def _threads(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_THREADS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_THREADS}")
    return number


def _flag_set(flag: str) -> bool:
    return os.environ.get(_variable(flag), "").lower() in ("1", "true", "yes", "on")


def _variable(flag: str) -> str:
    return ENVIRONMENT + flag.lstrip("-").upper().replace("-", "_")


if __name__ == "__main__":
    sys.exit(main())
