"""The hardware page: one row for each machine of which a latency result is stored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind

FOLDER = "benchmarks/results/hardware"
HEAD = [
    "machine",
    "system",
    "fastest",
    "a decision, ms p50 (p99)",
    "features",
    "gate",
    "inference",
    "% of a core",
    "ready, s",
    "MiB",
    "inference on one thread, ms",
]


def hardware_table(results: Results) -> str:
    """One row for each machine, as Markdown."""
    return markdown([HEAD, *(hardware_row(one) for one in of_kind(results, "hardware"))])


def hardware_row(result: dict[str, Any]) -> list[str]:
    """Give a machine's row.

    Parameters
    ----------
    result : dict
        See `benchmarks.latency.measure.bench_latency`.

    Returns
    -------
    list of str
        A cell for each of `HEAD`.
    """
    machine = result["machine"]
    best = next(
        one
        for one in result["configurations"]
        if all(one[name] == value for name, value in result["fastest"].items())
    )
    times = best["milliseconds"]
    memory = best["steady_mib"]
    cells = [
        _machine(machine) + (" **(see its warnings)**" if result["warnings"] else ""),
        f"{machine['system']}, {machine['architecture']}, Python {best['python']}",
        f"{best['model']}, {best['backend']} {best['backend_version']}, {_threads(best)}",
        f"{times['whole']['p50']:.3f} ({times['whole']['p99']:.3f})",
        *(f"{times[name]['p50']:.3f}" for name in ("features", "gate", "inference")),
        f"{best['core_percent']:.3f}",
        f"{best['ready_seconds']['p50']:.2f}",
        "" if memory is None else f"{memory:.0f}",
        _inferences(result["configurations"]),
    ]
    return [cell.replace("|", "/") for cell in cells]


def row_text(result: dict[str, Any], path: Path) -> str:
    """The row, and how to add it to the page.

    Parameters
    ----------
    result : dict
        See `benchmarks.latency.measure.bench_latency`.
    path : Path
        Where the result is kept.
    """
    lines = [
        "",
        markdown([HEAD, hardware_row(result)]),
        "",
        f"The result is kept in {path}. To add this machine to docs/hardware.md: put that file at "
        f"{FOLDER}/{file_name(result)} in a checkout, run `ser-bench tables docs/hardware.md`, and "
        "send both files as a pull request; or attach the file to an issue.",
    ]
    if result["warnings"]:
        lines.append("Better mend what the warnings name first, and measure again.")
    return "\n".join(lines)


def file_name(result: dict[str, Any]) -> str:
    """What a machine's result is called, such as "raspberry-pi-5-model-b-rev-1-0.json"."""
    machine = result["machine"]
    described = f"{machine['model']} {machine['architecture']}"
    if machine["model"] == "unknown":
        described = machine["architecture"]
    return re.sub("[^a-z0-9]+", "-", described.lower()).strip("-") + ".json"


def _machine(machine: dict[str, Any]) -> str:
    memory = machine["memory_mib"]
    size = "" if memory is None else f", {memory / 1024:.1f} GB"
    return f"{machine['model']}, {machine['cores']} cores{size}"


def _threads(one: dict[str, Any]) -> str:
    return "one thread" if one["threads"] == 1 else f"{one['threads']} threads"


def _inferences(configurations: list[dict[str, Any]]) -> str:
    """Each form of the model in the back end that is the fastest for it, on one thread."""
    best: dict[str, tuple[float, str]] = {}
    for one in configurations:
        name = one["number_format"] or one["model"]
        time = one["milliseconds"]["inference"]["p50"]
        if one["threads"] == 1 and (name not in best or time < best[name][0]):
            best[name] = (time, one["backend"])
    told = sorted(best.items(), key=lambda item: item[1])
    return ", ".join(f"{name} {time:.3f} ({backend})" for name, (time, backend) in told)
