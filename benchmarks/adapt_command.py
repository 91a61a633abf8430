"""``ser-bench adapt``: measures what getting used to a voice gains."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.adapt_tables import KIND, adaptation_table
from benchmarks.arguments import positive
from benchmarks.measured_runs import Result, add_arguments, is_measured
from edge_runtime.errors import SerEdgeError


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "adapt", help="what getting used to a voice gains, by what was heard of it before"
    )
    add_arguments(parser, "")
    parser.add_argument(
        "--draws", type=positive, metavar="N", help="how often the past is drawn (default: 5)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the draws (default: 0)"
    )
    parser.set_defaults(work=adapt)


def adapt(arguments: argparse.Namespace) -> int:
    """Measure run by run; one that cannot be used does not keep the others from it."""
    if not arguments.runs:
        raise SerEdgeError("name runs to measure")

    def measure(run: Path, model: Path, corpora: Path) -> Result:
        # Not at the top: the base install has not what judges.
        from benchmarks.adapt import DRAWS, bench_adaptation

        return bench_adaptation(run, model, corpora, arguments.draws or DRAWS, arguments.seed)

    done = [
        is_measured(run, arguments, f"{KIND}/{run.resolve().parents[1].name}", measure, _as_text)
        for run in arguments.runs
    ]
    return 0 if all(done) else 1


def _as_text(result: Result) -> str:
    return adaptation_table({KIND: [result]})
