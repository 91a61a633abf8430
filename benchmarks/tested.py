"""``ser-bench tested``: how much of each room's code the tests reach."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

from benchmarks.arguments import add_outcome, give
from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind
from edge_runtime.errors import SerEdgeError

ROOMS = ("edge_runtime", "train", "convert", "benchmarks")
COUNTS = ("statements", "reached_statements", "branches", "reached_branches")
PROTOCOL = (
    "the whole test suite, on x86-64; a program that a test starts counts, one that it starts in "
    "an environment of its own (tflite-runtime alone, aarch64, a Debian root) does not; docstrings "
    "and tests do not count"
)


def add_parser(commands: Any) -> None:
    """Add ``tested`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "tested", help="how much of the code the tests reach, from what make cov measured"
    )
    parser.add_argument(
        "measured", type=Path, metavar="COVERAGE.json", help="what coverage json wrote"
    )
    add_outcome(parser)
    parser.set_defaults(work=_tested)


def _tested(arguments: argparse.Namespace) -> int:
    return give(summed_by_room(arguments.measured), _as_table, arguments)


def summed_by_room(measured: Path) -> dict[str, Any]:
    """Sum a report of coverage.py over each room.

    Parameters
    ----------
    measured : Path
        What ``coverage json`` wrote, with branches.

    Returns
    -------
    dict
        As JSON types: ``protocol``; ``python`` and ``coverage``, their versions; and ``rooms``, for
        each its ``statements``, ``reached_statements``, ``branches`` and ``reached_branches``.

    Raises
    ------
    SerEdgeError
        When the file is no such report.
    """
    try:
        report = json.loads(measured.read_text(encoding="utf-8"))
        rooms = {room: _sum(report["files"], room) for room in ROOMS}
        version = report["meta"]["version"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SerEdgeError(
            f"{measured}: no report of coverage.py with branches ({type(error).__name__}); "
            "make cov writes one"
        ) from error
    return {
        "protocol": PROTOCOL,
        "python": platform.python_version(),
        "coverage": version,
        "rooms": rooms,
    }


def tested_table(results: Results) -> str:
    """What the tests reach of each room and of all, with the protocol."""
    return "\n\n".join(
        f"{_as_table(result)}\n\n*By coverage.py {result['coverage']} on Python "
        f"{result['python']}: {result['protocol']}.*"
        for result in of_kind(results, "tested")
    )


def _sum(files: dict[str, Any], room: str) -> dict[str, int]:
    summaries = [one["summary"] for name, one in files.items() if Path(name).parts[0] == room]
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    return {
        count: sum(summary[name] for summary in summaries) for count, name in zip(COUNTS, names)
    }


def _as_table(result: dict[str, Any]) -> str:
    rooms = result["rooms"]
    everything = {count: sum(room[count] for room in rooms.values()) for count in COUNTS}
    rows = [["folder", "statements", "reached", "branches", "reached", "both"]]
    rows += [
        _row(name, counts)
        for name, counts in [*((f"`{name}`", rooms[name]) for name in rooms), ("all", everything)]
    ]
    return markdown(rows)


def _row(name: str, counts: dict[str, int]) -> list[str]:
    statements, reached, branches, taken = (counts[count] for count in COUNTS)
    return [
        name,
        str(statements),
        _share(reached, statements),
        str(branches),
        _share(taken, branches),
        _share(reached + taken, statements + branches),
    ]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
