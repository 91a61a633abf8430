"""Tables of what conversion costs, from the runs that ``ser-bench conversions`` stored."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from benchmarks.conversion_record import Record
from benchmarks.markdown import markdown
from benchmarks.notes import Notes
from benchmarks.published import recipes
from benchmarks.results import Results
from convert.devices import DEVICES
from convert.targets import TARGETS, Target

BACKENDS = {"litert": "LiteRT", "tflite-runtime": "tflite-runtime", "onnxruntime": "ONNX Runtime"}
FIGURES = ("KB", "same label, windows", "UAR drop, points")
FLOAT_LAYERS = re.compile(r"(?P<ranges>\w+ ranges), (?P<layers>.+) in float32")
NOT_YET = "Not converted yet."
RUNNERS = {
    ".tflite": "A .tflite file does not run in ONNX Runtime.",
    ".onnx": "An .onnx file does not run in a TFLite interpreter.",
}


def conversions_table(results: Results) -> str:
    """One row per recipe and target; a cell that cannot be filled refers to a note that says why.

    A row is of all stored runs of the recipe: the largest size, the mean of the agreement and of
    the UAR drop, the median of the latency.
    """
    runs = results.get("conversions", [])
    notes = Notes()
    rows = [["recipe", "target", *FIGURES, *(f"{name}, ms" for name in BACKENDS.values())]]
    for recipe in recipes(run["recipe"] for run in runs):
        own = [run["targets"] for run in runs if run["recipe"] == recipe]
        for target in TARGETS.values():
            records = [targets[target.name] for targets in own if target.name in targets]
            rows.append([recipe, *_cells(recipe, target, records, notes)])
    return notes.below(markdown(rows))


def _cells(recipe: str, target: Target, records: list[Record], notes: Notes) -> list[str]:
    made = [record for record in records if record["target"] == target.name]
    failed = [record for record in records if record["target"] != target.name]
    name = f"`{recipe}` as {target.name}"
    if not made:
        why = f"{name}: {reasons(failed)}." if failed else NOT_YET
        return [target.name, *[notes.nothing(why)] * (len(FIGURES) + len(BACKENDS))]
    drop = f"{np.mean([one['test']['uar_drop'] for one in made]):+.2f} ({len(made)})"
    if failed:
        missing = f"{name}: not made of {len(failed)} of {len(records)} runs: {reasons(failed)}."
        drop += f" {notes.mark(missing)}"
    return [
        target.name + _ways(name, made, notes),
        f"{max(one['size'] for one in made) / 1024:.0f}",
        f"{np.mean([one['agreement'] for one in made]):.1%}",
        drop,
        *(_latency(backend, target, made, notes) for backend in BACKENDS),
    ]


def _ways(name: str, made: list[Record], notes: Notes) -> str:
    """A mark where there was a choice, that says which ways to quantise were taken."""
    others = Counter(_way(one["settings"]) for one in made if len(one["attempts"]) > 1)
    if not others:
        return ""
    listed = "; ".join(f"{way} in {n} of {len(made)} runs" for way, n in others.items())
    return " " + notes.mark(f"{name}: taken {listed}.")


def _way(settings: str) -> str:
    """A way to quantise, with the number of layers in float in place of their names."""
    found = FLOAT_LAYERS.fullmatch(settings)
    if not found:
        return settings
    n = found["layers"].count(", ") + 1
    return f"{found['ranges']}, {n} layer{'s' if n > 1 else ''} in float32"


def _latency(backend: str, target: Target, made: list[Record], notes: Notes) -> str:
    if backend not in DEVICES["any"].backends[target.suffix]:
        return notes.nothing(RUNNERS[target.suffix])
    ran = [one["backends"][backend] for one in made if backend in one["backends"]]
    timed = [one["latency_ms_p50"] for one in ran if one["ran"]]
    if timed:
        return f"{np.median(timed):.2f}"
    whys = dict.fromkeys(one["why"] for one in ran) or ["it was not tried"]
    return notes.nothing(f"Not run in {BACKENDS[backend]}: {'; '.join(whys)}.")


def reasons(failed: list[Record]) -> str:
    """Why conversions failed, each reason once, without the name of the model's file before it."""
    whys = (record["why"].removeprefix("model.keras: ") for record in failed)
    return "; ".join(dict.fromkeys(whys))
