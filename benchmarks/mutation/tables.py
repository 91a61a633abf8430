"""How many mutants the tests find, and why the others survive."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown
from benchmarks.mutation.explanations import CLASSES
from benchmarks.results import Results, of_kind

KIND = "mutation"
UNEXPLAINED = "not explained"
Result = dict[str, Any]


def mutation_table(results: Results) -> str:
    """How many mutants of each module are found, and of the others how many are of each class."""
    rows = [
        [
            *("module", "mutants", "killed", "timed out", "survived"),
            *(f"of these {name}" for name in CLASSES),
            *(UNEXPLAINED, "found, of all", "found, of all that are not equivalent"),
        ]
    ]
    return markdown(rows + [_row(one) for one in of_kind(results, KIND)])


def _row(result: Result) -> list[str]:
    found = result["killed"] + result["timed_out"]
    kinds = [one["class"] for one in result["survivors"]]
    differing = result["mutants"] - kinds.count("equivalent")
    counts = [result["mutants"], result["killed"], result["timed_out"], len(kinds)]
    counts += [kinds.count(name) for name in (*CLASSES, None)]
    shares = [found / result["mutants"], found / differing]
    return [f"`{result['module']}`", *map(str, counts), *(f"{share:.1%}" for share in shares)]


def survivors_list(results: Results) -> str:
    """Every mutant that survives, under the reason why."""
    lines = []
    for result in of_kind(results, KIND):
        reasons: dict[tuple[str, str, str], list[str]] = {}
        for one in result["survivors"]:
            key = (one["place"], one["class"] or UNEXPLAINED, one["why"] or "")
            reasons.setdefault(key, []).append(_change(one))
        for (place, kind, why), changes in reasons.items():
            lines.append(f"- `{place}`, {kind}: {why}")
            lines += [f"    - {change}" for change in changes]
    return "\n".join(lines)


def _change(one: Result) -> str:
    after = f"`{one['after']}`" if one["after"] else "nothing"
    return f"`{one['before']}` becomes {after}"
