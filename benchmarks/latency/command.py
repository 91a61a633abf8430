"""``ser-bench latency``: what one decision costs on this machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.arguments import add_format, positive
from benchmarks.pictures import require_drawable
from benchmarks.results import store
from edge_runtime.backends import BACKEND_NAMES, MAX_THREADS
from edge_runtime.errors import SerEdgeError

ROUNDS = 30
LONGEST_HOP_SECONDS = 10.0  # of sound, which must all be heard for one time


def add_parser(commands: Any) -> None:
    """Add ``latency`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "latency",
        help="what one decision costs on this machine: every back end and model file, by stage",
        description="Measures each model file in each interpreter that is installed: start, first "
        "inference, every stage of a decision, processor and memory.",
    )
    parser.add_argument(
        "models",
        type=Path,
        nargs="*",
        metavar="MODEL",
        help=".tflite or .onnx files (default: those that ser-edge ships)",
    )
    parser.add_argument(
        "--backend",
        nargs="+",
        choices=BACKEND_NAMES,
        default=[],
        metavar="NAME",
        help=f"after the models: of {', '.join(BACKEND_NAMES)} (default: all that are installed)",
    )
    parser.add_argument(
        "--threads",
        type=_threads,
        nargs="+",
        metavar="N",
        help="after the models: of the interpreter (default: 1, and all cores, but at most 4)",
    )
    parser.add_argument(
        "--hop", type=float, metavar="S", help="between decisions (default: each model's own)"
    )
    parser.add_argument(
        "--rounds",
        type=positive,
        default=ROUNDS,
        metavar="N",
        help=f"of 40 decisions each (default: {ROUNDS})",
    )
    parser.add_argument(
        "--sound",
        type=Path,
        metavar="FILE",
        help="a recording of speech, of which the first minute is heard (default: synthesised)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the result: .png or .html")
    parser.add_argument("--store", type=Path, metavar="FILE.json", help="keep the result")
    parser.add_argument(
        "--row",
        action="store_true",
        help="print this machine's row for the hardware page, and keep the result that it is made "
        "of: in --store, by default MACHINE.json here",
    )
    add_format(parser)
    parser.set_defaults(work=latency)


def latency(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench latency``."""
    from benchmarks.hardware_page import file_name, row_text
    from benchmarks.latency.configurations import configurations, default_threads, shipped_models
    from benchmarks.latency.measure import bench_latency
    from benchmarks.latency.text import as_text

    hop = arguments.hop
    if hop is not None and not 0.0 < hop <= LONGEST_HOP_SECONDS:
        raise SerEdgeError(
            f"--hop must be above 0 and at most {LONGEST_HOP_SECONDS:g} seconds here, not {hop:g}"
        )
    require_drawable(arguments.plot, (".png", ".html"))
    chosen, missing = configurations(
        arguments.models or shipped_models(),
        arguments.backend,
        arguments.threads or default_threads(),
    )
    result = bench_latency(chosen, missing, hop, arguments.rounds, arguments.sound)
    print(json.dumps(result) if arguments.format == "jsonl" else as_text(result))
    kept = arguments.store or Path(file_name(result))
    if arguments.store or arguments.row:
        store(result, kept)
    if arguments.row and arguments.format == "text":
        print(row_text(result, kept))
    if arguments.plot:
        from benchmarks.latency.plot import write_plot

        write_plot(result, arguments.plot)
    return 0


def _threads(text: str) -> int:
    number = positive(text)
    if number > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"must be at most {MAX_THREADS}, not {number}")
    return number
