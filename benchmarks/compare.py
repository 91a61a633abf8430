"""``ser-bench compare``: two stored results of ``ser-bench latency``, side by side."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.arguments import add_format
from benchmarks.latency.stored import SPREADS, read_latency
from benchmarks.latency.verdict import differ

Result = dict[str, Any]
Key = tuple[str, str, int]
PROTOCOL = (
    "What B takes by what A takes, of the configurations (model, back end, threads) that both "
    "measured: above 1, A is faster. Two times differ beyond the spread when the stored "
    "interquartile ranges do not overlap, two starts when their whole ranges do not; memory was "
    "read once, and has no spread"
)
MEMORY = ("steady_mib", "peak_mib")
CONDITIONS = ("backend_version", "python", "numpy", "hop_seconds")


def add_parser(commands: Any) -> None:
    """Add ``compare`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "compare", help="two stored results of ser-bench latency, side by side"
    )
    parser.add_argument("a", type=Path, metavar="A.json", help="what ser-bench latency stored")
    parser.add_argument("b", type=Path, metavar="B.json", help="another")
    add_format(parser)
    parser.set_defaults(work=compare)


def compare(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench compare``."""
    result = compared(read_latency(arguments.a), read_latency(arguments.b))
    print(json.dumps(result) if arguments.format == "jsonl" else as_text(result))
    return 0


def compared(a: Result, b: Result) -> Result:
    """Compare two results.

    Parameters
    ----------
    a, b : dict
        See `benchmarks.latency.stored.read_latency`.

    Returns
    -------
    dict
        As JSON types: ``configurations``, those of both, each with ``times`` (for the whole and
        each stage ``p50`` and ``p90``, B by A, and ``beyond_spread``), ``ready_seconds``
        likewise, ``steady_mib`` and ``peak_mib`` as ratios, and ``faster`` by the whole: "A", "B"
        or None where that is within the spread; ``only_in_a`` and ``only_in_b``; ``notes`` on
        what else differs. A ratio is None where there is nothing to divide by.
    """
    of_a, of_b = _by_key(a), _by_key(b)
    both = [key for key in of_a if key in of_b]
    return {
        "protocol": PROTOCOL,
        "a": _about(a),
        "b": _about(b),
        "notes": _notes(a, b, both),
        "configurations": [_compared(of_a[key], of_b[key]) for key in both],
        "only_in_a": [_name(key) for key in of_a if key not in of_b],
        "only_in_b": [_name(key) for key in of_b if key not in of_a],
    }


def as_text(result: Result) -> str:
    """The result for people."""
    rows = result["configurations"]
    names = [_name(_key(one)) for one in rows]
    width = max(map(len, [*names, "B by A, p50"])) + 2
    heads = [*SPREADS, "p90", "ready", "MiB"]
    lines = [
        f"A: {result['a']['machine']}, {result['a']['made']}",
        f"B: {result['b']['machine']}, {result['b']['made']}",
        *result["notes"],
    ]
    if rows:
        head = "".join(f"{name:>11}" for name in heads)
        lines += ["", f"{'B by A, p50':<{width}}{head}"]
        lines += [f"{name:<{width}}{_cells(one)}" for name, one in zip(names, rows)]
        lines += ["~ within the spread", ""]
        lines += [f"{name}: {_verdict(one)}" for name, one in zip(names, rows)]
    for which in ("a", "b"):
        lines += [f"only in {which.upper()}: {name}" for name in result[f"only_in_{which}"]]
    return "\n".join(lines)


def _by_key(result: Result) -> dict[Key, Result]:
    return {_key(one): one for one in result["configurations"]}


def _key(one: Result) -> Key:
    return one["model"], one["backend"], one["threads"]


def _name(key: Key) -> str:
    model, backend, threads = key
    return f"{model}, {backend} x{threads}"


def _about(result: Result) -> Result:
    return {"machine": result["machine"]["model"], "made": result["made"]}


def _compared(a: Result, b: Result) -> Result:
    times = {name: _times(a["milliseconds"][name], b["milliseconds"][name]) for name in SPREADS}
    start_a, start_b = a["ready_seconds"], b["ready_seconds"]
    apart = start_a["max"] < start_b["min"] or start_b["max"] < start_a["min"]
    whole_a, whole_b = a["milliseconds"]["whole"]["p50"], b["milliseconds"]["whole"]["p50"]
    faster = "A" if whole_a < whole_b else "B"
    return {
        **dict(zip(("model", "backend", "threads"), _key(a))),
        "times": times,
        "ready_seconds": {
            "p50": _ratio(start_a["p50"], start_b["p50"]),
            "beyond_spread": apart,
        },
        **{name: _ratio(a[name], b[name]) for name in MEMORY},
        "faster": faster if times["whole"]["beyond_spread"] else None,
    }


def _times(a: dict[str, float], b: dict[str, float]) -> Result:
    return {
        "p50": _ratio(a["p50"], b["p50"]),
        "p90": _ratio(a["p90"], b["p90"]),
        "beyond_spread": differ(a, b),
    }


def _ratio(a: float | None, b: float | None) -> float | None:
    return round(b / a, 4) if a and b is not None else None


def _notes(a: Result, b: Result, both: list[Key]) -> list[str]:
    """What else than speed differs between the two."""
    notes = []
    machines = [one["machine"]["model"] for one in (a, b)]
    if machines[0] != machines[1]:
        notes.append(f"different machines: {machines[0]} and {machines[1]}")
    if not both:
        notes.append("no configuration is in both")
    of_a, of_b = _by_key(a), _by_key(b)
    for key in both:
        notes += [
            f"{_name(key)}: {difference}" for difference in _differences(of_a[key], of_b[key])
        ]
    for which, result in (("A", a), ("B", b)):
        notes += [f"{which} was measured with a warning: {one}" for one in result["warnings"]]
    return notes


def _differences(a: Result, b: Result) -> list[str]:
    differences = [f"{what} {a[what]} and {b[what]}" for what in CONDITIONS if a[what] != b[what]]
    if a["sha256"] != b["sha256"]:
        differences.append("not the same model file")
    return differences


def _cells(one: Result) -> str:
    times = one["times"]
    cells = [_cell(times[name]["p50"], times[name]["beyond_spread"]) for name in SPREADS]
    cells.append(_cell(times["whole"]["p90"], True))
    cells.append(_cell(one["ready_seconds"]["p50"], one["ready_seconds"]["beyond_spread"]))
    cells.append(_cell(one["steady_mib"], True))
    return "".join(f"{cell:>11}" for cell in cells)


def _cell(ratio: float | None, is_beyond: bool) -> str:
    return "" if ratio is None else f"{'' if is_beyond else '~'}{ratio:.3f}"


def _verdict(one: Result) -> str:
    ratio = one["times"]["whole"]["p50"]
    if one["faster"] is None or not ratio:
        return "no difference beyond the spread"
    times = ratio if one["faster"] == "A" else 1.0 / ratio
    return f"{one['faster']} is {times:.2f} times faster"
