"""The tables of what the daemon costs: while it listens, and over many hours."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind


def listening_table(results: Results) -> str:
    """Share of a core, memory and start of each program that was measured."""
    rows = [["program", "speech, % of a core", "quiet room", "resident MiB", "ready after"]]
    for result in of_kind(results, "listening"):
        for name, one in result["programs"].items():
            rows.append(
                [
                    name,
                    f"{one['speech']['core_percent']:.2f}",
                    f"{one['silence']['core_percent']:.2f}",
                    f"{one['speech']['resident_mib']:.0f}",
                    f"{one['ready_seconds']:.2f} s",
                ]
            )
    return markdown(rows)


def soak_table(results: Results) -> str:
    """Memory, descriptors and latency over the hours of each soak."""
    rows = [["hours of sound", "resident MiB", "descriptors", "threads"]]
    for result in of_kind(results, "soak"):
        readings = result["readings"]
        step = max(1, len(readings) // 12)
        shown = [*readings[step - 1 :: step]]
        rows += [
            [
                f"{one['hours']:.1f}",
                f"{one['resident_mib']:.2f}",
                str(one["descriptors"]),
                str(one["threads"]),
            ]
            for one in shown
        ]
    return markdown(rows)


def nonspeech_table(results: Results) -> str:
    """Emotion events per hour of each noise, and how long the gate was open, by stored run."""
    runs = sorted(of_kind(results, "nonspeech"), key=lambda run: -len(run["esc10_folds"]))
    head = ["noise"]
    for run in runs:
        fitted = ", ".join(map(str, run["gate_fitted_on_folds"]))
        folds = ", ".join(map(str, run["esc10_folds"]))
        what = f"gate fitted on folds {fitted}, heard {folds}"
        head += [f"{what}: open", "events per hour"]
    by_noise = [{one["noise"]: one for one in run["noises"]} for run in runs]
    speech_like = [one["noise"] for one in runs[0]["noises"] if one["speech_like"]]
    names = [one["noise"] for one in runs[0]["noises"] if not one["speech_like"]]
    rows = [head]
    for name in [*names, *speech_like]:
        row = [f"{name} (speech-like)" if name in speech_like else name]
        for noises in by_noise:
            one = noises[name]
            row += [f"{one['open_share']:.2%}", f"{one['events_per_hour']:g}"]
        rows.append(row)
    return markdown(rows)


def targets_list(kind: str, results: Results) -> str:
    """What was aimed at in the stored results of a kind, and what came of it."""
    return "\n".join(_targets(of_kind(results, kind)))


def _targets(found: list[dict[str, Any]]) -> list[str]:
    return [f"- {name}: {how}" for result in found for name, how in result["targets"].items()]
