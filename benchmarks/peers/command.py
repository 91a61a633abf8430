"""The command ``ser-bench peers``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.arguments import add_format
from benchmarks.peers.contenders import CONTENDERS
from benchmarks.pictures import require_drawable
from benchmarks.results import store
from edge_runtime.errors import SerEdgeError

ROUNDS = 100


def add_parser(commands: Any) -> None:
    """Add ``peers`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "peers",
        help="one whole decision and one whole run of classify, beside what people would use",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=ROUNDS,
        metavar="N",
        help=f"how often each makes a batch of decisions (default: {ROUNDS})",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=tuple(CONTENDERS),
        default=tuple(CONTENDERS),
        metavar="NAME",
        help=f"of {', '.join(CONTENDERS)} (default: all)",
    )
    parser.add_argument(
        "--sound",
        type=Path,
        metavar="FILE",
        help="of at least 3 s; the first 3 are heard (default: the bundled example)",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="EARLIER.json",
        help="a stored result: say whether every ratio agrees with it within 15 %%",
    )
    parser.add_argument("--store", type=Path, metavar="FILE.json", help="keep the result")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the result")
    add_format(parser)
    parser.set_defaults(work=peers)


def peers(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench peers``."""
    if arguments.rounds < 1:
        raise SerEdgeError(f"--rounds must be at least 1, not {arguments.rounds}")
    require_drawable(arguments.plot, (".png",))
    earlier = _earlier(arguments.against) if arguments.against else None
    from benchmarks.peers.bench import bench_peers
    from benchmarks.peers.report import as_text

    result = bench_peers(arguments.only, arguments.rounds, arguments.sound)
    if earlier is not None:
        from benchmarks.peers.agreement import agreement, judged

        result["against"] = agreement(result, earlier)
        result["targets"].update(judged(result["against"]))
    if arguments.store:
        store(result, arguments.store)
    print(json.dumps(result) if arguments.format == "jsonl" else as_text(result))
    if arguments.plot:
        from benchmarks.peers.plot import decisions
        from train.output_files import write_bytes

        write_bytes(arguments.plot, decisions(result))
    return 0


def _earlier(path: Path) -> dict[str, Any]:
    """Read a stored result."""
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SerEdgeError(f"--against: {path}: cannot be read ({error})") from error
    if not isinstance(earlier, dict) or not {"contenders", "clips"} <= set(earlier):
        raise SerEdgeError(f"--against: {path}: is no result of ser-bench peers")
    return earlier
