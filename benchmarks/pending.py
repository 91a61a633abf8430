"""Which of the published systems' runs are still to be done."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from benchmarks.edge_tables import AFTER, BEFORE
from benchmarks.results import Results
from benchmarks.system_tables import ALL_SPLITS, N_SPLITS


class Pending(NamedTuple):
    """A training to do.

    Attributes
    ----------
    protocol, recipe : str
        What to run.
    seed : int
        With which seed.
    """

    protocol: str
    recipe: str
    seed: int


def pending(results: Results, recipes: list[str], seeds: range) -> list[Pending]:
    """List what is not stored with all splits of its protocol, the first seed of all first.

    Parameters
    ----------
    results : dict
        What `benchmarks.results.load_all` gave.
    recipes : list of str
        Their names.
    seeds : range
        The seeds that are wanted.

    Returns
    -------
    list of Pending
        In the order to run them in.
    """
    stored = Counter(
        Pending(run["protocol_name"], run["recipe"], run["seed"])
        for run in results.get("systems", [])
    )
    wanted = [
        Pending(protocol, recipe, seed)
        for seed in seeds
        for protocol in ALL_SPLITS
        for recipe in recipes
        # The published systems are not judged by the others.
        if protocol in N_SPLITS or recipe in (BEFORE, AFTER)
    ]
    return [one for one in wanted if stored[one] < ALL_SPLITS[one.protocol]]
