"""Tables of what getting used to a voice gains."""

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
NEUTRAL = "neutral"
WHICH = ("alone", "adapted")
# The past of the table of classes: nearest to a home without leaving other emotions out.
HOME = "0.90"


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
        for name, group in _by_test(of_recipe).items():
            rows += [[f"{name}{ending}", *row] for row in _rows(group)]
        unheard = _by_test([one for one in of_recipe if one["protocol_name"] == CROSS_CORPUS])
        if len(unheard) > 1:
            rows += [[f"**mean{ending}**", *row] for row in _mean_rows(list(unheard.values()))]
    return markdown(rows)


def adapted_classes_table(results: Results) -> str:
    """Recall of every class, alone and adapted, by corpus."""
    from train.splits.classes import in_order  # not at the top: every command would load it

    stored = of_kind(results, KIND)
    labels = in_order(
        label for one in stored for past in one["pasts"].values() for label in past["recall alone"]
    )
    rows = [["tested on", *labels]]
    for ending, of_recipe in by_recipe(stored).items():
        for name, group in _by_test(of_recipe).items():
            if HOME in _pasts_of(group):
                rows.append([f"{name}{ending}", *(_class(group, label) for label in labels)])
    return markdown(rows)


def _class(group: list[Result], label: str) -> str:
    both = [_recall(group, HOME, label, which) for which in WHICH]
    return NOTHING if not both[0].size else " → ".join(f"{np.mean(one):.2f}" for one in both)


def _by_test(stored: list[Result]) -> dict[str, list[Result]]:
    """Results by what was tested on: a corpus, and by which protocol if not by cross-corpus."""
    groups: dict[str, list[Result]] = {}
    for one in stored:
        corpora, protocol = ", ".join(one["corpora"]), one["protocol_name"]
        name = corpora if protocol == CROSS_CORPUS else f"{corpora} ({protocol})"
        groups.setdefault(name, []).append(one)
    return groups


def _pasts_of(group: list[Result]) -> list[str]:
    """Those that every run has, in the order in which they were measured."""
    return [past for past in group[0]["pasts"] if all(past in one["pasts"] for one in group)]


def _told(past: str) -> str:
    return f"{float(past):.0%} neutral" if past.replace(".", "").isdigit() else past


def _rows(group: list[Result]) -> Iterator[list[str]]:
    for past in _pasts_of(group):
        splits = {one["split"]: one["pasts"][past] for one in group}
        uar = [_uar(group, past, which) for which in WHICH]
        neutral = [_recall(group, past, NEUTRAL, which) for which in WHICH]
        yield [
            _told(past),
            *(str(sum(one[key] for one in splits.values())) for key in ("speakers", "utterances")),
            *(spread(list(one)) for one in uar),
            _gained(*(float(np.mean(one)) for one in uar)),
            *(spread(list(one)) for one in neutral),
        ]


def _mean_rows(groups: list[list[Result]]) -> Iterator[list[str]]:
    for past in _pasts_of([one for group in groups for one in group]):
        uar = [float(np.mean([_uar(group, past, w).mean() for group in groups])) for w in WHICH]
        neutral = [_mean_recall(groups, past, which) for which in WHICH]
        yield [
            *(_told(past), f"{len(groups)} corpora", ""),
            *(*(f"{one:.3f}" for one in uar), _gained(*uar), *neutral),
        ]


def _mean_recall(groups: list[list[Result]], past: str, which: str) -> str:
    """Of neutral, over the groups that have it."""
    found = [_recall(group, past, NEUTRAL, which) for group in groups]
    known = [float(one.mean()) for one in found if one.size]
    return f"{np.mean(known):.3f}" if known else NOTHING


def _uar(group: list[Result], past: str, which: str) -> NDArray[np.float64]:
    return _by_draw([(one["seed"], one["pasts"][past][f"uar {which}"]) for one in group])


def _recall(group: list[Result], past: str, label: str, which: str) -> NDArray[np.float64]:
    """Of a class; empty where no split has it."""
    found = [(one["seed"], one["pasts"][past][f"recall {which}"].get(label)) for one in group]
    return _by_draw([(seed, drawn) for seed, drawn in found if drawn is not None])


def _by_draw(found: list[tuple[int, list[float]]]) -> NDArray[np.float64]:
    """A figure for each seed and draw, a mean over the seed's splits."""
    by_seed: dict[int, list[list[float]]] = {}
    for seed, drawn in found:
        by_seed.setdefault(seed, []).append(drawn)
    means = [np.mean(splits, axis=0) for splits in by_seed.values()]
    return np.concatenate(means) if means else np.zeros(0)


def _gained(alone: float, adapted: float) -> str:
    return f"{100.0 * (adapted - alone):+.1f}"
