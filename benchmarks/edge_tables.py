"""How well the bundled model's recipe does on unknown voices, beside what it was at first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind
from benchmarks.system_tables import NOTHING, Run, by_seed, headline, recall_of, spread
from train.splits.cross_corpus import CORPORA

BEFORE, AFTER = "edge-1d", "edge"
PROTOCOLS = ("ravdess-5fold", "tess-loso", "emodb-loso", "cross-corpus")


def edge_table(results: Results) -> str:
    """UAR, WA and the weakest class of both recipes by every protocol."""
    rows = [["protocol", "recipe", "UAR", "the weakest seed", "WA", "the weakest class"]]
    runs = of_kind(results, "systems")
    for protocol in PROTOCOLS:
        for recipe in (BEFORE, AFTER):
            own = [run for run in runs if run["recipe"] == recipe]
            uar = by_seed(own, protocol, headline(protocol))
            weakest = f"{min(uar):.3f}" if uar else NOTHING
            rows.append(
                [
                    protocol,
                    recipe,
                    spread(uar),
                    weakest,
                    spread(by_seed(own, protocol, lambda run: float(run["figures"]["wa"]))),
                    _weakest_class(own, protocol),
                ]
            )
    return markdown(rows)


def cross_corpus_table(results: Results) -> str:
    """UAR on each corpus by models of the other five, and on the mean of the six."""
    runs = [r for r in of_kind(results, "systems") if r["protocol_name"] == "cross-corpus"]
    rows = [["tested on", "classes", BEFORE, AFTER, "gained, points"]]
    for corpus in CORPORA:
        here = [run for run in runs if run["split"] == f"test-{corpus}"]
        both = [[_uar(run) for run in here if run["recipe"] == name] for name in (BEFORE, AFTER)]
        classes = str(len(here[0]["labels"])) if here else NOTHING
        rows.append([corpus, classes, *map(spread, both), _gained(*both)])
    mean = [
        by_seed([run for run in runs if run["recipe"] == name], "cross-corpus", _uar)
        for name in (BEFORE, AFTER)
    ]
    rows.append(["**mean of the six**", "", *map(spread, mean), _gained(*mean)])
    return markdown(rows)


def _uar(run: Run) -> float:
    return float(run["figures"]["uar"])


def _gained(before: Sequence[float], after: Sequence[float]) -> str:
    if not before or not after:
        return NOTHING
    return f"{100.0 * (np.mean(after) - np.mean(before)):+.1f}"


def _weakest_class(runs: list[Run], protocol: str) -> str:
    """The class with the least recall, the mean over splits that have it, then over seeds."""
    here = [run for run in runs if run["protocol_name"] == protocol]
    labels = {label for run in here for label in run["figures"]["recall"]}
    recalls = {label: by_seed(here, protocol, recall_of(label)) for label in sorted(labels)}
    known = {label: float(np.nanmean(found)) for label, found in recalls.items() if found}
    if not known:
        return NOTHING
    label = min(known, key=lambda name: known[name])
    return f"{label} {known[label]:.2f}"
