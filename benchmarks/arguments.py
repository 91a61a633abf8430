"""What several commands of ``ser-bench`` take and give."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import store

RESULTS = Path("benchmarks/results")


def positive(text: str) -> int:
    """A whole number above zero, for ``type=`` of an argument.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is something else.

    Examples
    --------
    >>> positive("30")
    30
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")
    return int(text)


def add_corpora(parser: argparse.ArgumentParser) -> None:
    """Add ``--corpora``."""
    parser.add_argument(
        "--corpora",
        metavar="DIR",
        help="folder with one subfolder per corpus (default: $SER_EDGE_CORPORA)",
    )


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add ``--results``."""
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help=f"stored results (default: {RESULTS})",
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add ``--format``."""
    parser.add_argument(
        "--format", choices=("text", "jsonl"), default="text", help="of the result (default: text)"
    )


def add_outcome(parser: argparse.ArgumentParser) -> None:
    """Add ``--store`` and ``--format``; `give` does what they say."""
    parser.add_argument("--store", type=Path, metavar="FILE.json", help="keep the result")
    add_format(parser)


def give(
    result: dict[str, Any],
    as_text: Callable[[dict[str, Any]], str],
    arguments: argparse.Namespace,
) -> int:
    """Store a result, print it, and give the exit status.

    Parameters
    ----------
    result : dict
        As JSON types.
    as_text : callable
        Makes it a text for people.
    arguments : argparse.Namespace
        With what `add_outcome` adds.

    Raises
    ------
    SerEdgeError
        When it cannot be stored.
    """
    if arguments.store:
        store(result, arguments.store)
    print(json.dumps(result) if arguments.format == "jsonl" else as_text(result))
    return 0
