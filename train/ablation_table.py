"""What variants of a recipe gained and lost, as rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

HEAD = ["variant", "parameters", "UAR", "deviation", "against the base", "trainings"]
Results = list[dict[str, Any]]


def rows(results: Results) -> list[list[str]]:
    """Mean and deviation of each variant's UAR, and its difference from the base.

    Parameters
    ----------
    results : list of dict
        What `train.ablation.run_ablation` left, the base first.

    Returns
    -------
    list of list of str
        A row for each variant: its name, the number of its parameters, mean UAR and the sample's
        standard deviation over splits and seeds, the mean difference from the base in points on
        the splits and seeds that both have, with the standard error of that mean, and how many
        trainings there are.
    """
    by_step: dict[str, Results] = {}
    for result in results:
        by_step.setdefault(result["step"], []).append(result)
    base = next(iter(by_step.values()), [])
    return [_row(name, of_step, base) for name, of_step in by_step.items()]


def _row(name: str, results: Results, base: Results) -> list[str]:
    uar = np.array([result["uar"] for result in results])
    known = {_place(result): result["uar"] for result in base}
    gained = np.array([r["uar"] - known[_place(r)] for r in results if _place(r) in known])
    sizes = sorted({result["parameters"] for result in results})
    return [
        name,
        " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1]))),
        f"{uar.mean():.3f}",
        f"{uar.std(ddof=1):.3f}" if len(uar) > 1 else "-",
        "" if results is base else _difference(100.0 * gained),
        str(len(results)),
    ]


def _difference(points: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    if not len(points):
        return "-"
    error = f" ± {points.std(ddof=1) / np.sqrt(len(points)):.1f}" if len(points) > 1 else ""
    return f"{points.mean():+.1f}{error}"


def _place(result: dict[str, Any]) -> tuple[str, str, int]:
    return result["protocol"], result["split"], result["seed"]


def as_text(results: Results) -> str:
    """All of it for people."""
    table = [HEAD, *rows(results)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in table]
    about = dict.fromkeys(result["about"] for result in results)
    judged = dict.fromkeys(result["judge"] for result in results)
    what = "differences in points, ± their standard error"
    told = [f"UAR on the {part} part; {what}" for part in judged]
    return "\n".join([*(line.rstrip() for line in lines), *told, *filter(None, about)])
