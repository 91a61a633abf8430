"""The command line of ``ser-bench``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.arguments import (
    add_corpora,
    add_format,
    add_outcome,
    add_results,
    give,
    positive,
)
from convert.targets import TARGETS
from edge_runtime.errors import SerEdgeError
from edge_runtime.program import run_program


def main(argv: list[str] | None = None) -> int:
    """Run ``ser-bench`` and return its exit status."""
    # Libraries of threads read this when they are loaded; comparisons are on one thread.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    return run_program("ser-bench", make_parser, argv, extra="bench")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of ``ser-bench``."""
    from benchmarks import (
        accuracy_command,
        adapt_command,
        arm64_command,
        compare,
        enrol_command,
        limit_command,
        tested,
        walkthrough_command,
    )
    from benchmarks.installs import command as installs_command
    from benchmarks.installs import debian, exposure
    from benchmarks.latency import command as latency_command
    from benchmarks.mutation import command as mutation_command
    from benchmarks.peers import command as peers_command

    parser = argparse.ArgumentParser(
        prog="ser-bench", description="What ser-edge costs, and how well it does."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    latency_command.add_parser(commands)
    compare.add_parser(commands)
    _add_features(commands)
    accuracy_command.add_parser(commands)
    enrol_command.add_parser(commands)
    adapt_command.add_parser(commands)
    _add_preparation(commands)
    _add_sounds(commands)
    _add_listening(commands)
    _add_soak(commands)
    _add_conversions(commands)
    _add_collect(commands)
    _add_pending(commands)
    limit_command.add_parser(commands)
    peers_command.add_parser(commands)
    arm64_command.add_parser(commands)
    walkthrough_command.add_parser(commands)
    installs_command.add_parser(commands)
    debian.add_parser(commands)
    exposure.add_parser(commands)
    tested.add_parser(commands)
    mutation_command.add_parser(commands)
    _add_tables(commands)
    return parser


def _add_features(commands: Any) -> None:
    features = commands.add_parser(
        "features", help="speed and agreement of the features against other libraries"
    )
    _add_rounds(features, 100)
    features.add_argument(
        "--sound", type=Path, metavar="FILE", help="of at least 3 s (default: synthesised)"
    )
    add_outcome(features)
    features.set_defaults(work=_features)


def _add_preparation(commands: Any) -> None:
    preparation = commands.add_parser(
        "preparation", help="speed of preparing a corpus for training, beside librosa's chain"
    )
    preparation.add_argument(
        "--corpus", default="TESS", metavar="NAME", help="what is prepared (default: TESS)"
    )
    add_corpora(preparation)
    preparation.add_argument(
        "--utterances",
        type=positive,
        default=100,
        metavar="N",
        help="how many, drawn at random (default: 100)",
    )
    preparation.add_argument(
        "--as",
        dest="form",
        choices=("stored", "wav"),
        default="stored",
        help="the files as they are stored, or lossless copies of them as WAV, made in a temporary "
        "folder (default: stored)",
    )
    _add_rounds(preparation, 5)
    add_outcome(preparation)
    preparation.set_defaults(work=_preparation)


def _add_sounds(commands: Any) -> None:
    from benchmarks import gates, nonspeech

    gates.add_parser(commands)
    nonspeech.add_parser(commands)


def _add_listening(commands: Any) -> None:
    listening = commands.add_parser(
        "listening", help="processor, memory and start of listening, beside a wake-word daemon"
    )
    listening.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        metavar="S",
        help="of speech and of a quiet room each, in real time (default: 60)",
    )
    add_corpora(listening)
    add_outcome(listening)
    listening.set_defaults(work=_listening)


def _add_soak(commands: Any) -> None:
    soak = commands.add_parser(
        "soak", help="hours of sound through the daemon: does anything grow or get lost"
    )
    soak.add_argument(
        "--hours", type=float, default=24.0, metavar="H", help="of sound (default: 24)"
    )
    soak.add_argument("--seed", type=int, default=0, metavar="N", help="of the sound (default: 0)")
    add_corpora(soak)
    add_outcome(soak)
    soak.set_defaults(work=_soak)


def _add_conversions(commands: Any) -> None:
    conversions = commands.add_parser(
        "conversions", help="convert training runs to every target and store what each costs"
    )
    conversions.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="folders that ser-train wrote, of one run"
    )
    conversions.add_argument(
        "--targets",
        nargs="+",
        choices=tuple(TARGETS),
        default=tuple(TARGETS),
        metavar="TARGET",
        help=f"after the runs: which of {', '.join(TARGETS)} (default: all)",
    )
    conversions.add_argument(
        "--again", action="store_true", help="convert to what is stored already, too"
    )
    add_results(conversions)
    add_format(conversions)
    conversions.set_defaults(work=_conversions)


def _add_pending(commands: Any) -> None:
    waiting = commands.add_parser(
        "pending", help="list the runs that are not stored yet: protocol, recipe, seed"
    )
    waiting.add_argument("recipes", nargs="+", metavar="RECIPE", help="names of bundled recipes")
    waiting.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the first seed (default: 0)"
    )
    waiting.add_argument(
        "--seeds", type=positive, default=3, metavar="K", help="how many seeds (default: 3)"
    )
    add_results(waiting)
    waiting.set_defaults(work=_pending)


def _add_collect(commands: Any) -> None:
    collect = commands.add_parser(
        "collect", help="store the runs of ser-train evaluate as results, compactly"
    )
    collect.add_argument(
        "runs",
        type=Path,
        metavar="RUNS",
        help="folder that ser-train evaluate wrote into, its --out",
    )
    add_results(collect)
    collect.set_defaults(work=_collect)


def _add_tables(commands: Any) -> None:
    tables = commands.add_parser("tables", help="write the tables of the documents from results")
    add_results(tables)
    tables.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 when a document is out of date",
    )
    tables.add_argument(
        "documents", type=Path, nargs="+", metavar="FILE.md", help="with marks for tables in it"
    )
    tables.set_defaults(work=_tables)


def _add_rounds(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument(
        "--rounds",
        type=positive,
        default=default,
        metavar="N",
        help=f"how often each is timed (default: {default})",
    )


def _features(arguments: argparse.Namespace) -> int:
    from benchmarks.features import as_table, bench_features

    result = bench_features(arguments.rounds, arguments.sound)
    return give(result, as_table, arguments)


def _preparation(arguments: argparse.Namespace) -> int:
    from benchmarks.preparation import bench_preparation
    from benchmarks.preparation_table import as_text
    from train.corpora import corpora_folder

    result = bench_preparation(
        corpora_folder(arguments.corpora),
        arguments.corpus,
        arguments.utterances,
        arguments.rounds,
        arguments.form == "wav",
    )
    return give(result, as_text, arguments)


def _listening(arguments: argparse.Namespace) -> int:
    from benchmarks.listening import as_text, bench_listening

    result = bench_listening(arguments.seconds, _corpora_or_none(arguments))
    return give(result, as_text, arguments)


def _soak(arguments: argparse.Namespace) -> int:
    from benchmarks.soak import as_text, bench_soak

    result = bench_soak(arguments.hours, _corpora_or_none(arguments), arguments.seed)
    return give(result, as_text, arguments)


def _corpora_or_none(arguments: argparse.Namespace) -> Path | None:
    from train.corpora import corpora_folder

    is_named = arguments.corpora or os.environ.get("SER_EDGE_CORPORA")
    return corpora_folder(arguments.corpora) if is_named else None


def _conversions(arguments: argparse.Namespace) -> int:
    """Convert each run; one that cannot be does not keep the others from it."""
    done = [_is_converted(folder, arguments) for folder in arguments.runs]
    return 0 if all(done) else 1


def _is_converted(folder: Path, arguments: argparse.Namespace) -> bool:
    from benchmarks.conversions import convert_run

    try:
        for one in convert_run(folder, arguments.targets, arguments.results, arguments.again):
            _print_conversion(one, arguments.format)
    except SerEdgeError as error:
        print(f"ser-bench: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _print_conversion(one: Any, form: str) -> None:
    from benchmarks.conversion_record import line

    if form == "jsonl":
        where = {name: one.run[name] for name in ("recipe", "protocol_name", "seed", "split")}
        told = {**where, "asked": one.target, "new": one.is_new, **one.record}
        print(json.dumps(told), flush=True)
        return
    name = f"{one.run['protocol_name']}/{one.run['recipe']}-seed{one.run['seed']}"
    earlier = "" if one.is_new else " (stored earlier)"
    print(f"{name}-{one.run['split']} {one.target}: {line(one.record)}{earlier}", flush=True)


def _pending(arguments: argparse.Namespace) -> int:
    from benchmarks.pending import pending
    from benchmarks.results import load_all

    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    for one in pending(load_all(arguments.results), arguments.recipes, seeds):
        print(*one)
    return 0


def _collect(arguments: argparse.Namespace) -> int:
    from benchmarks.collect import collect

    collected = collect(arguments.runs, arguments.results)
    written = [*collected.added, *collected.replaced]
    for path in collected.added:
        print(f"{path}: added, {path.stat().st_size / 1024:.1f} KB")
    for path in collected.replaced:
        print(f"{path}: replaced by a newer run")
    for path in collected.kept:
        print(f"{path}: kept; the run differs and is no newer")
    for folder in collected.incomplete:
        print(f"{folder}: left out; not done yet")
    print(
        f"{len(collected.added)} added, {len(collected.replaced)} replaced, "
        f"{len(collected.unchanged)} already stored, {len(collected.kept)} kept, "
        f"{len(collected.incomplete)} not done; {_size(written)}"
    )
    return 0


def _size(paths: list[Path]) -> str:
    sizes = [path.stat().st_size for path in paths]
    if not sizes:
        return "nothing written"
    return f"{sum(sizes) / 1024:.1f} KB written, {max(sizes) / 1024:.1f} KB the largest"


def _tables(arguments: argparse.Namespace) -> int:
    from benchmarks.results import load_all
    from benchmarks.tables import update_documents

    results = load_all(arguments.results)
    stale = update_documents(arguments.documents, results, write=not arguments.check)
    for path in stale:
        print(f"{path}: {'is out of date' if arguments.check else 'written'}")
    return 1 if arguments.check and stale else 0
