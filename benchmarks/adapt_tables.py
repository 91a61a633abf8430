"""Table of what getting used to a voice gains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.enrol_tables import by_recipe
from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind
from benchmarks.system_tables import NOTHING, spread

KIND = "adaptation"
Result = dict[str, Any]
CROSS_CORPUS = "cross-corpus"
FIGURES = ("uar alone", "uar adapted", "neutral alone", "neutral adapted")


def adaptation_table(results: Results) -> str:
    """UAR and recall of neutral, alone and adapted, by corpus and what was heard before."""
    rows = [
        [
            *("tested on", "heard before", "speakers", "utterances"),
            *("UAR alone", "adapted", "gained, points"),
            *("recall of neutral, alone", "adapted"),
        ]
    ]
    for ending, of_recipe in by_recipe(of_kind(results, KIND)).items():
        groups = _by_test(of_recipe)
        for (protocol, corpus), group in groups.items():
            name = corpus if protocol == CROSS_CORPUS else f"{corpus} ({protocol})"
            rows += [[f"{name}{ending}", *row] for row in _rows(group)]
        unheard = [group for (protocol, _), group in groups.items() if protocol == CROSS_CORPUS]
        if len(unheard) > 1:
            rows += [[f"**mean{ending}**", *row] for row in _mean_rows(unheard)]
    return markdown(rows)


def _by_test(stored: list[Result]) -> dict[tuple[str, str], list[Result]]:
    groups: dict[tuple[str, str], list[Result]] = {}
    for one in stored:
        groups.setdefault((one["protocol_name"], ", ".join(one["corpora"])), []).append(one)
    return groups


def _pasts_of(group: list[Result]) -> list[str]:
    """Those that every run has, in the order in which they were measured."""
    return [past for past in group[0]["pasts"] if all(past in one["pasts"] for one in group)]


def _told(past: str) -> str:
    return f"{float(past):.0%} neutral" if past.replace(".", "").isdigit() else past


def _rows(group: list[Result]) -> Iterator[list[str]]:
    for past in _pasts_of(group):
        splits = {one["split"]: one["pasts"][past] for one in group}
        drawn = [_drawn(group, past, which) for which in FIGURES]
        told = [NOTHING if np.isnan(one).all() else spread(list(one)) for one in drawn]
        yield [
            _told(past),
            *(str(sum(one[key] for one in splits.values())) for key in ("speakers", "utterances")),
            *(told[0], told[1], _gained(*(float(np.mean(one)) for one in drawn[:2]))),
            *told[2:],
        ]


def _mean_rows(groups: list[list[Result]]) -> Iterator[list[str]]:
    for past in _pasts_of([one for group in groups for one in group]):
        means = [
            float(np.nanmean([np.mean(_drawn(group, past, which)) for group in groups]))
            for which in FIGURES
        ]
        told = [f"{mean:.3f}" for mean in means]
        yield [
            *(_told(past), f"{len(groups)} corpora", ""),
            *(told[0], told[1], _gained(*means[:2]), *told[2:]),
        ]


def _drawn(group: list[Result], past: str, which: str) -> NDArray[np.float64]:
    """A figure for each seed and draw, a mean over the seed's splits."""
    by_seed: dict[int, list[Any]] = {}
    for one in group:
        by_seed.setdefault(one["seed"], []).append(one["pasts"][past][which])
    return np.concatenate([np.mean(np.array(s, np.float64), axis=0) for s in by_seed.values()])


def _gained(alone: float, adapted: float) -> str:
    return f"{100.0 * (adapted - alone):+.1f}"
