"""The command line of ``ser-bench``."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from edge_runtime.program import run_program

RESULTS = Path("benchmarks/results")


def main(argv: list[str] | None = None) -> int:
    """Run ``ser-bench`` and return its exit status."""
    # Libraries of threads read this when they are loaded; comparisons are on one thread.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    return run_program("ser-bench", _parser, argv, extra="bench")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ser-bench", description="What ser-edge costs, and how well it does."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    features = commands.add_parser(
        "features", help="speed and agreement of the features against other libraries"
    )
    features.add_argument(
        "--rounds",
        type=_positive,
        default=100,
        metavar="N",
        help="how often each is timed (default: 100)",
    )
    features.add_argument(
        "--sound", type=Path, metavar="FILE", help="of at least 3 s (default: synthesised)"
    )
    features.add_argument("--store", type=Path, metavar="FILE.json", help="keep the result")
    features.add_argument(
        "--format", choices=("text", "jsonl"), default="text", help="of the result (default: text)"
    )
    features.set_defaults(work=_features)

    accuracy = commands.add_parser(
        "accuracy", help="judge model files on a training run's test utterances"
    )
    accuracy.add_argument("run", type=Path, metavar="RUN", help="folder that ser-train wrote")
    accuracy.add_argument(
        "models", type=Path, nargs="+", metavar="MODEL", help=".tflite or .onnx files made from it"
    )
    accuracy.add_argument(
        "--corpora",
        metavar="DIR",
        help="folder with one subfolder per corpus (default: $SER_EDGE_CORPORA)",
    )
    accuracy.add_argument(
        "--store", type=Path, metavar="FILE.json", help="keep the result, every prediction included"
    )
    accuracy.set_defaults(work=_accuracy)

    tables = commands.add_parser("tables", help="write the tables of the documents from results")
    tables.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help=f"stored results (default: {RESULTS})",
    )
    tables.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 when a document is out of date",
    )
    tables.add_argument("documents", type=Path, nargs="+", metavar="FILE.md")
    tables.set_defaults(work=_tables)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _features(arguments: argparse.Namespace) -> int:
    from benchmarks.features import as_table, bench_features
    from benchmarks.results import store

    result = bench_features(arguments.rounds, arguments.sound)
    if arguments.store:
        store(result, arguments.store)
    print(json.dumps(result) if arguments.format == "jsonl" else as_table(result))
    return 0


def _accuracy(arguments: argparse.Namespace) -> int:
    from benchmarks.accuracy import judge_run
    from benchmarks.results import store
    from train.corpora import corpora_folder

    result = judge_run(arguments.run, arguments.models, corpora_folder(arguments.corpora))
    if arguments.store:
        store(result, arguments.store)
    print(f"{result['protocol']}; {result['split']}, seed {result['seed']}")
    for name, model in result["models"].items():
        figures = model["figures"]
        print(
            f"{name}: UAR {figures['uar']:.3f}, WA {figures['wa']:.3f}, "
            f"{figures['utterances']} utterances, {model['bytes'] / 1024:.1f} KB, "
            f"{model['backend']}"
        )
    return 0


def _tables(arguments: argparse.Namespace) -> int:
    from benchmarks.results import load_all
    from benchmarks.tables import update_documents

    results = load_all(arguments.results)
    stale = update_documents(arguments.documents, results, write=not arguments.check)
    for path in stale:
        print(f"{path}: {'is out of date' if arguments.check else 'written'}")
    return 1 if arguments.check and stale else 0
