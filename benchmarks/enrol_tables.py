"""Tables of what enrolment gains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind
from benchmarks.system_tables import NOTHING, spread

KIND = "enrol"
Result = dict[str, Any]
PREFIX = "test-"
WHEN = ("before", "after")
PAIRS = {
    "alone": "no profile",
    "own": "each speaker's own profile",
    "the other's": "the other speaker's profile",
    "one of both": "one profile of both speakers' clips",
}


def enrolment_table(results: Results) -> str:
    """UAR before and after by corpus and number of clips, and the speaker that fares worst."""
    stored = of_kind(results, KIND)
    rows = [
        [
            *("unknown corpus", "clips of each emotion", "speakers", "emotions"),
            *("UAR before", "after", "gained, points", "the worst speaker after"),
            "answered, and right of it, before and after",
        ]
    ]
    for corpus, of_corpus in by_corpus(stored).items():
        rows += [[corpus, *row] for row in _rows(of_corpus)]
    for ending, of_recipe in by_recipe(stored).items():
        rows += [[f"**mean{ending}**", *row] for row in _mean_rows(of_recipe)]
    return markdown(rows)


def by_corpus(stored: list[Result]) -> dict[str, list[Result]]:
    """Results by the corpus that was tested on, in the order in which they come.

    Where they are of several recipes, each recipe's stand apart, under a name that says so.
    """
    groups: dict[str, list[Result]] = {}
    for ending, of_recipe in by_recipe(stored).items():
        for one in of_recipe:
            corpus = str(one["split"]).removeprefix(PREFIX)
            groups.setdefault(f"{corpus}{ending}", []).append(one)
    return groups


def by_recipe(stored: list[Result]) -> dict[str, list[Result]]:
    """Results by how the names of a recipe's end; alone, it is not named."""
    groups: dict[str, list[Result]] = {}
    for one in stored:
        groups.setdefault(f" ({one['recipe']})", []).append(one)
    return groups if len(groups) > 1 else {"": stored}


def counts_of(stored: list[Result]) -> list[int]:
    """How many clips were enrolled, rising."""
    return sorted(
        {row["clips"] for one in stored for rows in one["speakers"].values() for row in rows}
    )


def general_counts_of(of_corpus: list[Result]) -> list[int]:
    """Of how many clips at least half of a corpus' speakers have more."""
    speakers = {name for one in of_corpus for name in one["speakers"]}
    return [
        count
        for count in counts_of(of_corpus)
        if 2 * len(speakers_at(of_corpus, count)) >= len(speakers)
    ]


def speakers_at(of_corpus: list[Result], count: int) -> set[str]:
    """Who was enrolled with so many clips."""
    return {
        name
        for one in of_corpus
        for name, rows in one["speakers"].items()
        if any(row["clips"] == count for row in rows)
    }


def by_run(stored: list[Result], count: int, which: str) -> list[float]:
    """For each run and draw the mean of a figure over its speakers; those without it left out."""
    values: list[float] = []
    for one in stored:
        drawn = np.array([row[which] for row in _at(one, count)], np.float64)
        if drawn.size:
            values += [float(np.nanmean(draw)) for draw in drawn.T if not np.isnan(draw).all()]
    return values


def _at(result: Result, count: int) -> Iterator[dict[str, Any]]:
    for rows in result["speakers"].values():
        yield from (row for row in rows if row["clips"] == count)


def _rows(of_corpus: list[Result]) -> Iterator[list[str]]:
    for count in counts_of(of_corpus):
        rows = [row for one in of_corpus for row in _at(one, count)]
        before, after = (by_run(of_corpus, count, f"uar {which}") for which in WHEN)
        emotions = sorted({len(row["emotions"]) for row in rows})
        yield [
            *(
                str(count),
                str(len(speakers_at(of_corpus, count))),
                "-".join(map(str, dict.fromkeys([emotions[0], emotions[-1]]))),
            ),
            *(spread(before), spread(after), _gained(before, after)),
            _worst(of_corpus, count),
            ", then ".join(_answered(of_corpus, count, when) for when in WHEN),
        ]


def _mean_rows(stored: list[Result]) -> Iterator[list[str]]:
    for count in counts_of(stored):
        means = []
        for of_corpus in by_corpus(stored).values():
            if count in general_counts_of(of_corpus):
                both = [by_run(of_corpus, count, f"uar {which}") for which in WHEN]
                means.append([np.mean(both[0]), np.mean(both[1])])
        if not means:
            continue
        before, after = np.mean(means, axis=0)
        gained = f"{100.0 * (after - before):+.1f}"
        of = f"{len(means)} corpora"
        yield [str(count), of, "", f"{before:.3f}", f"{after:.3f}", gained, "", ""]


def _worst(of_corpus: list[Result], count: int) -> str:
    """The speaker whose mean over runs and draws is least, and what it was before."""
    speakers: dict[str, list[dict[str, Any]]] = {}
    for one in of_corpus:
        for speaker, rows in one["speakers"].items():
            speakers.setdefault(speaker, []).extend(r for r in rows if r["clips"] == count)
    means = {
        speaker: (np.mean([r["uar after"] for r in rows]), np.mean([r["uar before"] for r in rows]))
        for speaker, rows in speakers.items()
        if rows
    }
    worst = min(means, key=lambda speaker: means[speaker][0])
    after, before = means[worst]
    return f"{worst}: {after:.2f} (before {before:.2f})"


def _answered(of_corpus: list[Result], count: int, when: str) -> str:
    shares = [by_run(of_corpus, count, f"{which} {when}") for which in ("answered", "right")]
    told = [f"{np.mean(values):.0%}" if values else NOTHING for values in shares]
    return "/".join(told)


def _gained(before: list[float], after: list[float]) -> str:
    return f"{100.0 * (np.mean(after) - np.mean(before)):+.1f}"


def cost_list(results: Results) -> str:
    """How long the fit takes, and how large a profile is."""
    costs = [one["cost"] for one in of_kind(results, KIND)]
    most = max(cost["clips"] for cost in costs)
    costs = [cost for cost in costs if cost["clips"] == most]
    fit = float(np.median([cost["fit_ms"] for cost in costs]))
    largest = max(cost["profile_bytes"] for cost in costs)
    return "\n".join(
        [
            f"- the fit of {most} clips: {fit:.0f} ms (median) on the machine that trained the "
            "models, once they are classified",
            f"- a profile of {most} clips: {largest / 1000:.0f} KB",
        ]
    )


def pairs_table(results: Results) -> str:
    """What a profile does for two speakers, by corpus."""
    stored = of_kind(results, KIND)
    corpora = by_corpus(stored)
    rows = [["UAR of two speakers, mean over pairs", *corpora]]
    for key, text in PAIRS.items():
        rows.append([text, *(_of_pairs(one, key, _fraction) for one in corpora.values())])
    told = [_of_pairs(one, "nearest voice", _range) for one in corpora.values()]
    return markdown(
        [*rows, ["clips whose nearer voice is the speaker's: mean (worst pair)", *told]]
    )


def _of_pairs(of_corpus: list[Result], key: str, told: Callable[[list[float]], str]) -> str:
    values = [pair[key] for one in of_corpus for pair in one["others"]["pairs"]]
    return told(values) if values else NOTHING


def _fraction(values: list[float]) -> str:
    return f"{np.mean(values):.3f}"


def _range(values: list[float]) -> str:
    return f"{np.mean(values):.0%} ({min(values):.0%})"
