"""``ser-bench arm64``: instructions for a decision on 64-bit ARM, and the runtime's tests there."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.arguments import add_outcome, positive
from benchmarks.arm64_root import CPUS, INTERPRETERS, ready_root
from benchmarks.results import store

N_HOPS = 32


def add_parser(commands: Any) -> None:
    """Add ``arm64`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "arm64", help="instructions for a decision on 64-bit ARM, counted under qemu; the tests"
    )
    parser.add_argument(
        "models",
        type=Path,
        nargs="*",
        metavar="MODEL",
        help=".tflite files of ser-convert (default: the bundled one, and what it is in float and "
        "with dynamic ranges)",
    )
    parser.add_argument(
        "--peer",
        type=_named,
        nargs="+",
        default=[],
        metavar="[NAME=]FILE",
        help="other .tflite files, of which inference alone is counted",
    )
    parser.add_argument(
        "--cpus", nargs="+", choices=CPUS, default=CPUS, metavar="CPU", help=_choice(CPUS)
    )
    parser.add_argument(
        "--interpreters",
        nargs="+",
        choices=INTERPRETERS,
        default=INTERPRETERS,
        metavar="NAME",
        help=_choice(INTERPRETERS),
    )
    parser.add_argument(
        "--hops",
        type=positive,
        default=N_HOPS,
        metavar="N",
        help=f"that are counted; multiples of 8 are whole rounds of the gate (default: {N_HOPS})",
    )
    parser.add_argument(
        "--tests",
        action="store_true",
        help="run the runtime's own tests instead, on the first of the CPUs and interpreters",
    )
    parser.add_argument(
        "--wheel",
        type=Path,
        metavar="FILE.whl",
        help="with --tests: test what is in this wheel (default: what is in the checkout)",
    )
    add_outcome(parser)
    parser.set_defaults(work=arm64)


def _choice(names: Sequence[str]) -> str:
    return f"which of {', '.join(names)} (default: all)"


def arm64(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench arm64``."""
    result, text = _test(arguments) if arguments.tests else _count(arguments)
    if arguments.store:
        store(result, arguments.store)
    print(json.dumps(result) if arguments.format == "jsonl" else text)
    return 1 if result.get("failed") else 0


def _count(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from benchmarks.arm64 import as_text, bench_arm64, default_models, require_files

    models = arguments.models or default_models()
    # Before minutes go into making a user land.
    require_files([*models, *dict(arguments.peer).values()])
    where = (arguments.cpus, arguments.interpreters)
    result = bench_arm64(ready_root(_tell), models, dict(arguments.peer), *where, arguments.hops)
    return result, as_text(result)


def _test(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from benchmarks.arm64_suite import as_text, bench_suite, install_wheel, tests_folder

    tests, where = tests_folder(), (arguments.cpus[0], arguments.interpreters[0])
    if arguments.wheel is None:
        result = bench_suite(ready_root(_tell), tests, *where)
        return result, as_text(result)
    with TemporaryDirectory(prefix="ser-edge-wheel-") as folder:
        install_wheel(arguments.wheel, Path(folder))
        result = bench_suite(ready_root(_tell, Path(folder)), tests, *where)
    result["wheel"] = arguments.wheel.name
    return result, as_text(result)


def _tell(line: str) -> None:
    print(f"ser-bench: {line}", file=sys.stderr, flush=True)


def _named(text: str) -> tuple[str, Path]:
    name, _, path = text.rpartition("=")
    return name or Path(path).name, Path(path)
