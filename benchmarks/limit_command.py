"""``ser-bench limit``: how far each stage of a decision is from what the core could do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.arguments import add_outcome, give, positive
from edge_runtime.classifier import DEFAULT_MODEL


def add_parser(commands: Any) -> None:
    """Add ``limit`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "limit", help="each stage of a decision against what the core could do at best"
    )
    parser.add_argument(
        "models",
        type=Path,
        nargs="*",
        metavar="MODEL",
        help=".tflite files (default: the bundled model)",
    )
    parser.add_argument(
        "--rounds",
        type=positive,
        default=50,
        metavar="N",
        help="how often each is timed (default: 50)",
    )
    add_outcome(parser)
    parser.set_defaults(work=limit)


def limit(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench limit``."""
    from benchmarks.limit import bench_limit
    from benchmarks.limit_text import as_text

    result = bench_limit(arguments.models or [DEFAULT_MODEL], arguments.rounds)
    return give(result, as_text, arguments)
