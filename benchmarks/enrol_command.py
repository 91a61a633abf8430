"""``ser-bench enrol``: measures what enrolment gains, and draws it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.arguments import add_corpora, add_format, add_results
from benchmarks.enrol_tables import KIND, enrolment_table
from benchmarks.results import load_all, store
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import model_hash

MODEL = "model.int8.tflite"


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "enrol", help="what enrolling a voice gains, by clips of each emotion"
    )
    parser.add_argument(
        "runs",
        type=Path,
        nargs="*",
        metavar="RUN",
        help="folders that ser-train wrote, of the protocol cross-corpus, each with its model "
        f"converted to {MODEL}",
    )
    add_corpora(parser)
    parser.add_argument("--again", action="store_true", help="measure what is stored already, too")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="draw all that is stored, after the runs"
    )
    add_results(parser)
    add_format(parser)
    parser.set_defaults(work=enrol)


def enrol(arguments: argparse.Namespace) -> int:
    """Measure run by run; one that cannot be used does not keep the others from it."""
    if not arguments.runs and arguments.plot is None:
        raise SerEdgeError("name runs to measure, or --plot FILE.png to draw what is stored")
    done = [_is_measured(run, arguments) for run in arguments.runs]
    if arguments.plot is not None:
        from benchmarks.enrol_plot import enrolment_curves
        from train.output_files import write_bytes

        write_bytes(arguments.plot, enrolment_curves(load_all(arguments.results)))
    return 0 if all(done) else 1


def _is_measured(run: Path, arguments: argparse.Namespace) -> bool:
    # Not at the top: the base install has not what reads corpora.
    from benchmarks.enrol import bench_enrolment
    from train.corpora import corpora_folder

    name = f"{run.resolve().parent.name}-{run.resolve().name}.json"
    path = arguments.results / KIND / name
    model = run / MODEL
    if path.is_file() and not arguments.again:
        print(f"{name}: stored earlier{_of_another(path, model)}", flush=True)
        return True
    try:
        if not model.is_file():
            raise SerEdgeError(
                f"{model}: no such file; ser-convert {run / 'model.keras'} --int8 makes it"
            )
        result = bench_enrolment(run, model, corpora_folder(arguments.corpora))
        store(result, path)
    except SerEdgeError as error:
        print(f"ser-bench: {error}", file=sys.stderr, flush=True)
        return False
    told = json.dumps(result) if arguments.format == "jsonl" else enrolment_table({KIND: [result]})
    print(told, flush=True)
    return True


def _of_another(stored: Path, model: Path) -> str:
    """Say so where a result is not of the model file that is there now."""
    try:
        same = json.loads(stored.read_text(encoding="utf-8"))["model"] == model_hash(model)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SerEdgeError(f"{stored}: is damaged ({error}); measure --again") from error
    return "" if same else ", of another model file; --again measures this one"
