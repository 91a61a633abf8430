"""What came of the installations, as a table."""

from __future__ import annotations

from typing import Any

from benchmarks.installs.cells import X86_64
from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind

HEAD = ["system", "Python", "pip install", "interpreter", "numpy", "outcome"]


def installs_table(results: Results) -> str:
    """One row for each cell of the matrix."""
    rows = [HEAD]
    for result in of_kind(results, "installs"):
        rows += [_row(one) for one in result["cells"]]
    return markdown(rows)


def _row(one: dict[str, Any]) -> list[str]:
    held = one.get("installed", {})
    wanted = one["interpreter"]
    asked = f"`{one['requirement']}`"
    if one["without"]:
        asked += f", without {', '.join(one['without'])}"
    emulated = "" if one["architecture"] == X86_64 else " under qemu"
    interpreter = f"{wanted} {held.get(wanted, '')}".strip() if wanted else "none is published"
    system, numpy = f"{one['architecture']}{emulated}", held.get("numpy", "")
    return [system, one["python"], asked, interpreter, numpy, _outcome(one)]


def _outcome(one: dict[str, Any]) -> str:
    if one["outcome"] != "ok":
        return f"{one['outcome']}: {one['why']}"
    if "says" in one:
        return f'ok: it says "{one["says"].partition("; ")[2]}"'
    note = f"; {one['note']}" if one["note"] else ""
    model = f" of {one['model']}" if one["model"] else ""
    return f"ok: {one['label']} {one['score']:.2f}{model}, {one['events']} events{note}"
