"""``ser-bench enrol``: measures what enrolment gains, and draws it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.enrol_tables import KIND, enrolment_table
from benchmarks.measured_runs import Result, add_arguments, is_measured
from benchmarks.results import load_all
from edge_runtime.errors import SerEdgeError


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "enrol", help="what enrolling a voice gains, by clips of each emotion"
    )
    add_arguments(parser, ", of the protocol cross-corpus")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="draw all that is stored, after the runs"
    )
    parser.set_defaults(work=enrol)


def enrol(arguments: argparse.Namespace) -> int:
    """Measure run by run; one that cannot be used does not keep the others from it."""
    if not arguments.runs and arguments.plot is None:
        raise SerEdgeError("name runs to measure, or --plot FILE.png to draw what is stored")
    done = [is_measured(run, arguments, KIND, _measure, _as_text) for run in arguments.runs]
    if arguments.plot is not None:
        from benchmarks.enrol_plot import enrolment_curves
        from train.output_files import write_bytes

        write_bytes(arguments.plot, enrolment_curves(load_all(arguments.results)))
    return 0 if all(done) else 1


def _measure(run: Path, model: Path, corpora: Path) -> Result:
    # Not at the top: the base install has not what judges.
    from benchmarks.enrol import bench_enrolment

    return bench_enrolment(run, model, corpora)


def _as_text(result: Result) -> str:
    return enrolment_table({KIND: [result]})
