"""What int8 costs the bundled model's recipe, seed by seed, beside what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.conversion_record import Record
from benchmarks.conversion_tables import reasons
from benchmarks.markdown import markdown
from benchmarks.notes import Notes
from benchmarks.results import Results
from benchmarks.system_tables import N_SPLITS, spread
from edge_runtime.reliability import expected_calibration_error

RECIPE, TARGET = "edge", "int8"
# The targets, and of how many seeds they are the mean.
MOST_KB = 120.0
MOST_DROP = 0.5
LEAST_AGREEMENT = 98.0
MOST_ECE = 0.05
LEAST_SEEDS = 3


def _pooled_ece(folds: list[list[dict[str, Any]]]) -> float:
    """Calibration error over the utterances of all folds, from the bins of each."""
    return expected_calibration_error([_pooled(bins) for bins in zip(*folds)])


def _pooled(bins: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One bin over those of several folds."""
    filled = [one for one in bins if one["count"]]
    count = sum(one["count"] for one in filled)
    means = {
        name: sum(one["count"] * one[name] for one in filled) / count if count else None
        for name in ("confidence", "accuracy")
    }
    return {"count": count, **means}


class Row(NamedTuple):
    """A figure of a seed's folds, and what it may be.

    Attributes
    ----------
    name : str
        What it is called, with its unit.
    figure : callable
        Of a stored conversion.
    over_folds : callable
        Makes one figure of those of a seed's folds.
    decimals : int
        How many are shown.
    limit : float
        The target.
    is_most : bool
        Whether that is the most, or the least, that it may be.
    """

    name: str
    figure: Callable[[Record], Any]
    over_folds: Callable[[list[Any]], Any]
    decimals: int
    limit: float
    is_most: bool

    def of(self, records: list[Record]) -> float:
        """The figure of a seed."""
        return float(self.over_folds([self.figure(record) for record in records]))

    def over_seeds(self, figures: list[float]) -> tuple[str, float]:
        """Over the seeds, as text, and the figure that is held against the target."""
        if self.over_folds in (np.mean, _pooled_ece):
            return spread(figures, self.decimals), float(np.mean(figures))
        worst = float(self.over_folds(figures))
        return f"{worst:.{self.decimals}f}", worst

    def verdict(self, reached: float, n_seeds: int) -> str:
        """The target, and whether it is reached."""
        is_met = reached <= self.limit if self.is_most else reached >= self.limit
        so_far = "" if n_seeds >= LEAST_SEEDS else f" so far, {n_seeds} of {LEAST_SEEDS} seeds"
        return f"{self.target}: {'met' if is_met else 'missed'}{so_far}"

    @property
    def target(self) -> str:
        """In words."""
        return f"at {'most' if self.is_most else 'least'} {self.limit:g}"


def _of_windows(record: Record) -> float:
    return 100.0 * float(record["agreement"])


def _of_utterances(record: Record) -> float:
    return 100.0 * float(record["test"]["agreement"])


def _reliability(record: Record) -> list[dict[str, Any]]:
    return list(record["test"]["bins_after"])


ROWS = (
    Row("KB, largest", lambda one: one["size"] / 1024, np.max, 1, MOST_KB, True),
    Row("UAR drop, points, mean", lambda one: one["test"]["uar_drop"], np.mean, 2, MOST_DROP, True),
    Row("same label, % of windows, mean", _of_windows, np.mean, 2, LEAST_AGREEMENT, False),
    Row("same label, % of windows, least", _of_windows, np.min, 2, LEAST_AGREEMENT, False),
    Row("same label, % of utterances, mean", _of_utterances, np.mean, 2, LEAST_AGREEMENT, False),
    Row("same label, % of utterances, least", _of_utterances, np.min, 2, LEAST_AGREEMENT, False),
    Row("ECE, over all folds", _reliability, _pooled_ece, 3, MOST_ECE, True),
)


def edge_int8_table(results: Results, protocol: str) -> str:
    """One row per figure: of every seed, over the seeds with all folds, and the target."""
    notes, n_splits = Notes(), N_SPLITS[protocol]
    by_seed = _by_seed(results, protocol)
    made = {seed: [one for one in by_seed[seed] if one["target"] == TARGET] for seed in by_seed}
    whole = [own for own in made.values() if len(own) == n_splits]
    headings = [_heading(seed, records, n_splits, notes) for seed, records in by_seed.items()]
    rows = [["figure over the folds", *headings, "over the seeds", "target"]]
    for row in ROWS:
        own = [_cell(row, records, notes) for records in made.values()]
        if whole:
            text, reached = row.over_seeds([row.of(records) for records in whole])
            rows.append([row.name, *own, text, row.verdict(reached, len(whole))])
        else:
            why = notes.nothing("No seed is stored with all folds yet.")
            rows.append([row.name, *own, why, row.target])
    return notes.below(markdown(rows))


def _by_seed(results: Results, protocol: str) -> dict[int, list[Record]]:
    """What is stored of every fold, by seed."""
    by_seed: dict[int, list[Record]] = {}
    for run in results.get("conversions", []):
        is_ours = run["recipe"] == RECIPE and run["protocol_name"] == protocol
        if is_ours and TARGET in run["targets"]:
            by_seed.setdefault(run["seed"], []).append(run["targets"][TARGET])
    return dict(sorted(by_seed.items()))


def _heading(seed: int, records: list[Record], n: int, notes: Notes) -> str:
    failed = [one for one in records if one["target"] != TARGET]
    n_made = len(records) - len(failed)
    if n_made == n:
        return f"seed {seed}"
    why = f"Of seed {seed} {n_made} of {n} folds were converted, so it does not count"
    return f"seed {seed} {notes.mark(f'{why}: {reasons(failed)}.' if failed else f'{why}.')}"


def _cell(row: Row, made: list[Record], notes: Notes) -> str:
    if not made:
        return notes.nothing("None of the seed's folds was converted.")
    return f"{row.of(made):.{row.decimals}f}"
