"""``ser-bench mutation``: do the tests of the device's core find small faults in it."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import add_format, add_results, positive
from benchmarks.mutation.explanations import EXPLANATIONS, Explanation, load_explanations
from benchmarks.mutation.mutants import FOLDER, SURVIVED, Mutant, Mutmut
from benchmarks.mutation.tables import KIND, mutation_table
from benchmarks.results import store

Result = dict[str, Any]


def add_parser(commands: Any) -> None:
    """Add ``mutation`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "mutation", help="whether the tests find small faults that mutmut makes; see make mutation"
    )
    parser.add_argument(
        "--mutmut",
        type=Path,
        default=Path(".venv-mutation/bin/mutmut"),
        metavar="FILE",
        help="the program (default: .venv-mutation/bin/mutmut, which make mutation installs)",
    )
    parser.add_argument(
        "--processes", type=positive, default=1, metavar="N", help="mutants at a time (default: 1)"
    )
    parser.add_argument(
        "--again", action="store_true", help=f"begin anew, not where {FOLDER}/ ends"
    )
    parser.add_argument(
        "--explanations",
        type=Path,
        default=EXPLANATIONS,
        metavar="FILE.toml",
        help=f"why mutants survive (default: benchmarks/mutation/{EXPLANATIONS.name})",
    )
    add_results(parser)
    add_format(parser)
    parser.set_defaults(work=mutation)


def mutation(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench mutation``."""
    explanations = load_explanations(arguments.explanations)
    mutmut = Mutmut(arguments.mutmut, arguments.processes)
    if arguments.again:
        shutil.rmtree(FOLDER, ignore_errors=True)
    mutmut.try_all()
    mutants = mutmut.mutants()
    results = [_result(mutmut, path, mutants, explanations) for path in mutmut.modules]
    for result in results:
        store(result, arguments.results / KIND / f"{result['module']}.json")
    if arguments.format == "jsonl":
        print(*map(json.dumps, results), sep="\n")
    else:
        print(mutation_table({KIND: results}))
    survivors = [survivor for result in results for survivor in result["survivors"]]
    _name_the_obsolete(explanations, survivors)
    return _name_the_unexplained(survivors, arguments.explanations)


def _result(
    mutmut: Mutmut, path: Path, mutants: list[Mutant], explanations: list[Explanation]
) -> Result:
    of_module = [one for one in mutants if one.module == path.stem]
    survivors = [one for one in of_module if one.status in SURVIVED]
    timed_out = sum(one.status == "timeout" for one in of_module)
    return {
        "module": path.stem,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "mutmut": mutmut.version,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "mutants": len(of_module),
        "killed": len(of_module) - len(survivors) - timed_out,
        "timed_out": timed_out,
        "survivors": [_survivor(mutmut, one, explanations) for one in survivors],
    }


def _survivor(mutmut: Mutmut, mutant: Mutant, explanations: list[Explanation]) -> Result:
    before, after = mutmut.change(mutant)
    told: Result = {"place": mutant.place, "before": before, "after": after}
    for one in explanations:
        if one.explains(mutant.place, before, after):
            return {**told, "class": one.kind, "why": one.why}
    return {**told, "class": None, "why": None}


def _name_the_obsolete(explanations: list[Explanation], survivors: list[Result]) -> None:
    for one in explanations:
        if not any(
            one.explains(found["place"], found["before"], found["after"]) for found in survivors
        ):
            print(
                f"ser-bench: {one.place}: no mutant survives any more that is explained with: "
                f"{one.why}",
                file=sys.stderr,
            )


def _name_the_unexplained(survivors: list[Result], explanations: Path) -> int:
    unexplained = [one for one in survivors if one["class"] is None]
    for one in unexplained:
        print(f"{one['place']}: {one['before']}\n    {one['after']}", file=sys.stderr)
    if unexplained:
        print(
            f"ser-bench: {len(unexplained)} mutants survive, see above: write a test that finds "
            f"each, or say in {explanations} why none can",
            file=sys.stderr,
        )
    return 1 if unexplained else 0
