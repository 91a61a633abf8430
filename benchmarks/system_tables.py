"""Tables of the published systems, from the runs that ``ser-bench collect`` stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.markdown import markdown
from benchmarks.published import published_text, recipes
from benchmarks.results import Results, of_kind
from edge_runtime.metadata import LABELS

Run = dict[str, Any]
Figure = Callable[[Run], float]

# A protocol's figure is that of all of its splits, and of nothing less.
N_SPLITS = {"tess-random": 1, "tess-loso": 2, "ravdess-5fold": 5, "emodb-loso": 10}
ALL_SPLITS = {**N_SPLITS, "cross-corpus": 6}
NOTHING = "-"


def systems_table(results: Results) -> str:
    """One row per recipe: what was published, and its figure by each protocol."""
    runs = of_kind(results, "systems")
    rows = [["recipe", "parameters", "published", *map(_heading, N_SPLITS)]]
    for recipe in recipes(run["recipe"] for run in runs):
        own = [run for run in runs if run["recipe"] == recipe]
        figures = [spread(by_seed(own, name, headline(name))) for name in N_SPLITS]
        rows.append([recipe, _parameters(own), published_text(recipe), *figures])
    return markdown(rows)


def runs_table(results: Results) -> str:
    """One row per run."""
    rows = [
        ["recipe", "protocol", "split", "seed", "UAR", "WA", "macro F1", "ECE", "rounds"],
    ]
    for run in sorted(of_kind(results, "systems"), key=_place):
        figures = run["figures"]
        shares = [f"{figures[name]:.3f}" for name in ("uar", "wa", "macro_f1", "ece")]
        rows.append(
            [
                run["recipe"],
                run["protocol_name"],
                run["split"],
                str(run["seed"]),
                *shares,
                str(run["rounds"]),
            ]
        )
    return markdown(rows)


def classes_table(results: Results) -> str:
    """One row per recipe: the recall of every class by the protocol tess-loso."""
    runs = [r for r in of_kind(results, "systems") if r["protocol_name"] == "tess-loso"]
    rows = [["recipe", *LABELS]]
    for recipe in recipes(run["recipe"] for run in runs):
        own = [run for run in runs if run["recipe"] == recipe]
        recalls = [spread(by_seed(own, "tess-loso", recall_of(label)), 2) for label in LABELS]
        rows.append([recipe, *recalls])
    return markdown(rows)


def _heading(protocol: str) -> str:
    return f"{protocol} {'WA' if protocol == 'tess-random' else 'UAR'}"


def headline(protocol: str) -> Figure:
    """The figure that is quoted: the accuracy where the publications have that."""
    name = "wa" if protocol == "tess-random" else "uar"
    return lambda run: float(run["figures"][name])


def recall_of(label: str) -> Figure:
    """A class's recall; not a number where a test part has none of it."""
    return lambda run: float(run["figures"]["recall"].get(label, np.nan))


def _place(run: Run) -> tuple[int, str, int, int, str]:
    """Where a run stands in the record."""
    known, protocols = recipes(), list(ALL_SPLITS)
    recipe, protocol = run["recipe"], run["protocol_name"]
    return (
        known.index(recipe) if recipe in known else len(known),
        recipe,
        protocols.index(protocol) if protocol in protocols else len(protocols),
        run["seed"],
        run["split"],
    )


def by_seed(runs: list[Run], protocol: str, figure: Figure) -> list[float]:
    """A protocol's figure for each seed of which all splits are there: the mean over them."""
    by_seed: dict[int, dict[str, float]] = {}
    for run in runs:
        if run["protocol_name"] == protocol:
            by_seed.setdefault(run["seed"], {})[run["split"]] = figure(run)
    return [
        float(np.nanmean(list(splits.values())))
        for splits in by_seed.values()
        if len(splits) == ALL_SPLITS[protocol]
    ]


def spread(figures: list[float], decimals: int = 3) -> str:
    """Mean, the sample's standard deviation where there are two or more, and their number."""
    if not figures:
        return NOTHING
    mean = f"{np.mean(figures):.{decimals}f}"
    if len(figures) > 1:
        mean += f" ± {np.std(figures, ddof=1):.{decimals}f}"
    return f"{mean} ({len(figures)})"


def _parameters(runs: list[Run]) -> str:
    """Number of parameters; a range, for more classes take more of them."""
    if not runs:
        return NOTHING
    sizes = sorted({run["parameters"] for run in runs})
    return " - ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1])))
