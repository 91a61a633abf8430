"""The results of ``ser-bench limit`` for people, and as the tables of the documents."""

from __future__ import annotations

from typing import Any

from benchmarks.limit_stages import DECISION, FEATURES, GATE, INFERENCE, NETWORK, WINDOW
from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind

STAGES = {
    FEATURES: "features of a hop",
    GATE: "gate, every block of a hop judged",
    WINDOW: "window: level, standardisation",
    INFERENCE: "inference",
    NETWORK: "of it the network alone",
    DECISION: "decision, samples to events",
}


def as_text(result: dict[str, Any]) -> str:
    """The result for people, with Markdown tables."""
    parts = [result["protocol"], markdown(_product_rows([result]))]
    calls = ", ".join(f"{name} {1e3 * ms['p50']:.1f} us" for name, ms in result["calls"].items())
    parts.append(f"Calls that compute next to nothing: {calls}")
    for model in result["models"]:
        parts += [_about(model), markdown(_arithmetic_rows(model))]
        parts.append(markdown([_STAGE_HEAD, *_stage_rows(model)]))
    return "\n\n".join(parts)


def products_table(results: Results) -> str:
    """What plain products reach on each machine."""
    return markdown(_product_rows(of_kind(results, "limit")))


def limit_table(results: Results) -> str:
    """Arithmetic, time and efficiency of every stage, by machine and model."""
    rows = [["machine", "model", *_STAGE_HEAD]]
    for result in of_kind(results, "limit"):
        for model in result["models"]:
            where = [_machine(result), model["file"]]
            rows += [[*where, *row] for row in _stage_rows(model)]
    return markdown(rows)


_STAGE_HEAD = [
    "stage",
    "1000 MAC",
    "at the pace of products, ms",
    "measured, ms (p10 - p90)",
    "efficiency (p10 - p90)",
    "calls alone, ms",
]


def _stage_rows(model: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, shown in STAGES.items():
        stage = model["stages"].get(name)
        if stage is None:
            continue
        ms, efficiency = stage["ms"], stage["efficiency"]
        calls = stage.get("calls_ms")
        rows.append(
            [
                shown,
                f"{sum(stage['macs'].values()) / 1e3:.0f}",
                f"{stage['floor_ms']['p50']:.4f}",
                f"{ms['p50']:.3f} ({ms['p10']:.3f} - {ms['p90']:.3f})",
                f"{efficiency['p50']:.1%} ({efficiency['p10']:.1%} - {efficiency['p90']:.1%})",
                f"{calls['p50']:.3f}" if calls else "",
            ]
        )
    return rows


def _product_rows(results: list[dict[str, Any]]) -> list[list[str]]:
    rows = [["machine", "product", "GMAC/s (p10 - p90)"]]
    for result in results:
        for name, one in result["products"].items():
            pace = one["gmac_per_s"]
            shown = f"{pace['p50']:.1f} ({pace['p10']:.1f} - {pace['p90']:.1f})"
            rows.append([_machine(result), name, shown])
    return rows


def _arithmetic_rows(model: dict[str, Any]) -> list[list[str]]:
    """Arithmetic of the features of a hop by part, and of the network by operator."""
    rows = [["arithmetic", "needed, 1000 MAC", "done, 1000 MAC", "elementary, 1000"]]
    features = model["features"]
    for part, needed in features["needed"].items():
        done = features["done"][part]
        rows.append([f"features: {part}", f"{needed / 2e3:.1f}", f"{done / 2e3:.1f}", ""])
    for name, number in features["functions"].items():
        rows.append([f"features: {name}", "", "", f"{number / 1e3:.1f}"])
    for kind, operator in model["operators"].items():
        macs = f"{sum(operator['macs'].values()) / 1e3:.1f}" if operator["macs"] else ""
        name = f"network: {kind} x {operator['runs']}"
        elementary = f"{operator['elementary'] / 1e3:.1f}" if operator["elementary"] else ""
        rows.append([name, macs, macs, elementary])
    return rows


def _about(model: dict[str, Any]) -> str:
    lines = [
        f"{model['file']} ({model['model']}) on {model['backend']}: {model['hop_frames']} new "
        f"frames every {model['hop_seconds']:g} s; {model['decided_share']:.0%} of the timed hops "
        "reached the network"
    ]
    unknown = [kind for kind, one in model["operators"].items() if not one["is_counted"]]
    unknown += [f"{kind} of the features" for kind in model["features"]["uncounted"]]
    if unknown:
        lines.append(f"not counted, so that efficiency is understated: {', '.join(unknown)}")
    return "\n".join(lines)


def _machine(result: dict[str, Any]) -> str:
    return str(result["machine"]["model"] or result["machine"]["architecture"])
