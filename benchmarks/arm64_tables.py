"""What was counted on 64-bit ARM, as tables and lines."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind
from benchmarks.system_tables import NOTHING

NAMES = {"litert": "LiteRT", "tflite-runtime": "tflite-runtime"}


def counts_table(results: Results) -> str:
    """Millions of instructions for a decision and its parts, by core, interpreter and model."""
    rows = [
        [
            "core",
            "interpreter",
            "model",
            "features",
            "inference",
            "rest",
            "decision",
            "gate",
            "decision and gate",
            "a profile adds",
        ]
    ]
    for result in of_kind(results, "arm64"):
        rows += [_row(one) for one in result["counts"]]
    return markdown(rows)


def cheapest_list(results: Results) -> str:
    """Which form of the model is the cheapest on each core."""
    return "\n".join(
        f"- {line}" for one in of_kind(results, "arm64") for line in cheapest_lines(one)
    )


def peers_list(results: Results) -> str:
    """How many of our decisions the inference of a peer is worth."""
    return "\n".join(f"- {line}" for one in of_kind(results, "arm64") for line in peer_lines(one))


def suite_list(results: Results) -> str:
    """How the runtime's own tests did."""
    return "\n".join(
        f"- {one['cpu']}, {one['interpreter']}{_from_wheel(one)}: {one['passed']} passed, "
        f"{one['failed']} failed, {one['skipped']} skipped, {len(one['left_out'])} left out"
        for one in of_kind(results, "arm64-tests")
    )


def _from_wheel(one: dict[str, Any]) -> str:
    return ", installed from the wheel" if "wheel" in one else ""


def cheapest_lines(result: dict[str, Any]) -> list[str]:
    """For each core and interpreter, the models from the cheapest decision to the dearest."""
    lines = []
    for place in result["cheapest"]:
        first, *others = [
            f"{_form(one)} {_millions(one['decision'])} million (inference "
            f"{_millions(one['inference'])})"
            for one in place["models"]
        ]
        than = f", then {', '.join(others)}" if others else ""
        interpreter = NAMES[place["interpreter"]]
        lines.append(f"{place['cpu']}, {interpreter}: the cheapest decision is {first}{than}")
    return lines


def peer_lines(result: dict[str, Any]) -> list[str]:
    """What the inference of each peer takes, beside a whole decision with the bundled model."""
    ours = {
        (one["cpu"], one["interpreter"]): one["decision"]["off"]
        for one in result["counts"]
        if one["bundled"]
    }
    lines = []
    for peer in result["peers"]:
        place = (peer["cpu"], peer["interpreter"])
        line = f"{place[0]}, {NAMES[place[1]]}: inference of {peer['model']} alone takes "
        line += f"{_millions(peer['inference'])} million"
        if place in ours:
            line += f", {peer['inference'] / ours[place]:.1f} times a decision of ours"
        lines.append(line)
    return lines


def _row(one: dict[str, Any]) -> list[str]:
    features = sum(one["features"].values())
    rest = one["rest"]["off"] + one["gate"]["off"]
    counts = [features, one["inference"], rest, one["decision"]["off"]]
    # What the gate adds: without one, the level is measured all the same.
    counts += [one["decision"]["energy"] - one["decision"]["off"], one["decision"]["energy"]]
    # Results of before there were profiles tell nothing of them.
    profile = one.get("profile")
    added = NOTHING if profile is None else _millions(profile)
    return [one["cpu"], NAMES[one["interpreter"]], _form(one), *map(_millions, counts), added]


def _form(one: dict[str, Any]) -> str:
    """How the model was converted, else its file's name."""
    return str(one["target"] or one["model"])


def _millions(instructions: int) -> str:
    return f"{instructions / 1e6:.2f}"
