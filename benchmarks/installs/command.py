"""``ser-bench installs``: the wheel in clean environments, and on ARM."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.arguments import add_outcome
from benchmarks.installs.cells import CELLS
from benchmarks.results import store
from edge_runtime.errors import SerEdgeError


def add_parser(commands: Any) -> None:
    """Add ``installs`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "installs", help="install a wheel on each Python, with each interpreter and on ARM; try it"
    )
    parser.add_argument("wheel", type=Path, metavar="FILE.whl", help="as make dist builds it")
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="cells whose name holds this (default: all)"
    )
    add_outcome(parser)
    parser.set_defaults(work=installs)


def installs(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench installs``."""
    from benchmarks.installs.matrix import as_line, as_text, run_matrix

    cells = [cell for cell in CELLS if arguments.only in cell.name]
    if not cells:
        names = "; ".join(cell.name for cell in CELLS)
        raise SerEdgeError(f"--only {arguments.only!r}: no such cell; there are: {names}")
    result = run_matrix(arguments.wheel, cells, lambda one: _tell(as_line(one)))
    if arguments.store:
        store(result, arguments.store)
    print(json.dumps(result) if arguments.format == "jsonl" else as_text(result))
    return 1 if any(one["outcome"] == "failed" for one in result["cells"]) else 0


def _tell(line: str) -> None:
    print(f"ser-bench: {line}", file=sys.stderr, flush=True)
