"""The tables of how well models do: clean, in noise, in rooms and as streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind

KIND = "robustness"
CONDITION_HEAD = ["condition", "UAR", "WA", "ECE", "UAR lost", "WA lost"]
STREAM_HEAD = [
    "condition",
    "first right, p50",
    "mean",
    "p90",
    "never",
    "missed",
    "right, % of the time",
    "gate open in speech",
    "before it",
    "flips per minute",
    "of it anything going on",
]
AVERAGED = ("uar", "wa", "ece", "uar_lost", "wa_lost")


def conditions_table(results: Results) -> str:
    """UAR, WA, ECE and the loss against clean of every condition and stored model."""
    rows = [["model", *CONDITION_HEAD]]
    rows += [[name, *row] for name, model in _models(results) for row in _condition_rows(model)]
    return markdown(rows)


def streaming_table(results: Results) -> str:
    """How soon and how steadily every stored model is right on a stream, by condition."""
    rows = [["model", *STREAM_HEAD]]
    rows += [[name, *row] for name, model in _models(results) for row in _stream_rows(model)]
    return markdown(rows)


def streaming_labels_table(results: Results) -> str:
    """The same of clean streams, by emotion."""
    rows = [["model", "emotion", *STREAM_HEAD[1:7], *STREAM_HEAD[-2:]]]
    for name, model in _models(results):
        for label, one in model.get("streams", {}).get("clean", {}).get("by_label", {}).items():
            rows.append([name, label, *_soon(one), *_steady(one)])
    return markdown(rows)


def as_text(result: dict[str, Any]) -> str:
    """What was judged, for people."""
    about = [f"{result['split']}, seed {result['seed']}"] if "split" in result else []
    lines = ["; ".join([result["protocol"], *about])]
    for name, model in result["models"].items():
        figures = model["figures"]
        lines.append(
            f"{name}: UAR {figures['uar']:.3f}, WA {figures['wa']:.3f}, ECE {figures['ece']:.3f}, "
            f"{figures['utterances']} utterances, {model['bytes'] / 1024:.1f} KB, "
            f"{model['backend']}"
        )
        if "conditions" in model:
            lines += ["", markdown([CONDITION_HEAD, *_condition_rows(model)]), ""]
        if "streams" in model:
            lines += ["", markdown([STREAM_HEAD, *_stream_rows(model)]), ""]
    return "\n".join([*lines, *result.get("method", {}).values()])


def _models(results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    for result in of_kind(results, KIND):
        yield from result["models"].items()


def _condition_rows(model: dict[str, Any]) -> list[list[str]]:
    """Clean, then each group of conditions, its mean first."""
    conditions = model.get("conditions", {})
    rows = [_condition_row("clean", {**model["figures"], "uar_lost": None, "wa_lost": None})]
    groups = dict.fromkeys(one["group"] for one in conditions.values())
    for group in groups:
        members = {name: one for name, one in conditions.items() if one["group"] == group}
        means = {key: float(np.mean([one[key] for one in members.values()])) for key in AVERAGED}
        if len(members) > 1:
            rows.append(_condition_row(f"**{group}, mean of {len(members)}**", means))
        rows += [_condition_row(name, one) for name, one in members.items()]
    return rows


def _condition_row(name: str, figures: dict[str, Any]) -> list[str]:
    return [name, *("" if figures[key] is None else f"{figures[key]:.3f}" for key in AVERAGED)]


def _stream_rows(model: dict[str, Any]) -> list[list[str]]:
    return [
        [
            name,
            *_soon(one),
            _percent(one["open_share"]),
            _percent(one["open_share_before"]),
            *_steady(one),
        ]
        for name, one in model.get("streams", {}).items()
    ]


def _soon(figures: dict[str, Any]) -> list[str]:
    times, total = figures["first_right"], figures["utterances"]
    return [
        *(_seconds(times[name]) for name in ("p50", "mean", "p90")),
        _percent(figures["never_right"] / total),
        _percent(figures["missed"] / total),
        _percent(figures["right_share"]),
    ]


def _steady(figures: dict[str, Any]) -> list[str]:
    one = figures["in_a_row"]
    flips = one["flips_per_minute"]
    return ["" if flips is None else f"{flips:.1f}", _percent(one["labelled_share"])]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
