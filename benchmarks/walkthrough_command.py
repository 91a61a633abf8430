"""``ser-bench figures``: draws what the model makes of a recording, for docs/how-it-works.md."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

RECORDING = Path("examples/demo.wav")


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "figures", help="draw what the bundled model makes of a recording, step by step"
    )
    parser.add_argument(
        "--sound",
        type=Path,
        default=RECORDING,
        metavar="FILE",
        help=f"speech, longer than the model's window (default: {RECORDING})",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the pictures go"
    )
    parser.set_defaults(work=figures)


def figures(arguments: argparse.Namespace) -> int:
    """Draw each figure and name its file."""
    from benchmarks.walkthrough import walk_through
    from benchmarks.walkthrough_plot import FIGURES
    from train.output_files import write_bytes

    walkthrough = walk_through(arguments.sound)
    for name, draw in FIGURES.items():
        path = arguments.out / name
        write_bytes(path, draw(walkthrough))
        print(f"{path}: {path.stat().st_size / 1024:.0f} KB")
    return 0
