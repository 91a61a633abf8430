"""What a conversion says about itself: in the file, as JSON, as Markdown and as a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convert.plots import draw

WORST_LAYERS = 5
Report = dict[str, Any]
# What the file itself carries of a part's figures.
SHORT_FIGURES = ("uar", "wa", "ece")


def files(output: Path) -> dict[Path, Callable[[Report, Path], None]]:
    """The report's files beside a model file, and what writes each."""
    return {
        output.with_name(f"{output.name}.report.json"): _write_json,
        output.with_name(f"{output.name}.report.md"): _write_markdown,
        output.with_name(f"{output.name}.report.png"): draw,
    }


def for_the_file(report: Report) -> Report:
    """The part of a report that the model file carries in its provenance."""
    left_out = {"file", "original", "layers", "representative", "size", "least_runtime"}
    short = {key: value for key, value in report.items() if key not in left_out}
    short["attempts"] = {
        one["settings"]: {key: value for key, value in one.items() if key != "settings"}
        for one in report["attempts"]
    }
    for part in ("validation", "test"):
        if part in report:
            short[part] = _short(report[part])
    if report["layers"]:
        short["noisiest_layers_sqnr_db"] = {
            row["layer"]: row["sqnr_db"] for row in report["layers"][:WORST_LAYERS]
        }
    if report["representative"]:
        short["representative"] = _short_representative(report["representative"])
    return short


def line(report: Report) -> str:
    """One line for a person."""
    compared = f"{report['windows']} windows of {report['windows_of']}"
    parts = [f"{report['agreement']:.1%} same label as the float model on {compared}"]
    if "test" in report:
        test = report["test"]
        parts.append(
            f"UAR {test['before']['uar']:.3f} -> {test['after']['uar']:.3f} and ECE "
            f"{test['before']['ece']:.3f} -> {test['after']['ece']:.3f} on {test['utterances']} "
            "test utterances"
        )
    parts.append(
        f"probabilities differ by {report['mean_difference']:.4f} on average, at most "
        f"{report['largest_difference']:.4f}"
    )
    parts.append(f"{report['size'] / 1024:.1f} KB")
    parts.append(", ".join(_backend_text(name, ran) for name, ran in report["backends"].items()))
    return "; ".join(parts)


def markdown(report: Report) -> str:
    """The report as Markdown."""
    lines = [
        f"# {Path(report['file']).name}",
        "",
        f"Made of `{Path(report['original']).name}` as {report['target']} for "
        f"`--target {report['device']}`; {report['size'] / 1024:.1f} KB.",
        "",
        *_figures(report),
        *_backend_table(report["backends"]),
        *_attempts(report),
        *_calibration(report["calibration"]),
        *_representative(report["representative"]),
        *_layer_table(report["layers"]),
        "## Operators",
        "",
        ", ".join(f"{count} x {name}" for name, count in report["operators"].items()) + ".",
    ]
    if "float_operators" in report:
        lines.append(f"{report['float_operators']:.0%} of them compute in floating point.")
    least = report.get("least_runtime")
    if least:
        lines.append("At least " + " or ".join(f"{k} {v}" for k, v in least.items()) + ".")
    return "\n".join(lines) + "\n"


def comparison(reports: list[Report]) -> str:
    """Several files of one network side by side, as a Markdown table."""
    head = ["target", "KB", "same label", "UAR before", "UAR after", "UAR drop", "ECE", "latency"]
    rows = [head, ["---"] * len(head)]
    for report in reports:
        test = report.get("test")
        figures = ["-"] * 4
        if test:
            figures = [
                f"{test['before']['uar']:.3f}",
                f"{test['after']['uar']:.3f}",
                f"{test['uar_drop']:+.1f}",
                f"{test['after']['ece']:.3f}",
            ]
        rows.append(
            [
                report["target"],
                f"{report['size'] / 1024:.0f}",
                f"{report['agreement']:.1%}",
                *figures,
                ", ".join(_backend_text(*one) for one in report["backends"].items()),
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _short(part: Report) -> Report:
    return {
        key: {name: value[name] for name in SHORT_FIGURES} if isinstance(value, dict) else value
        for key, value in part.items()
    }


def _short_representative(report: Report) -> Report:
    coverage = report["coverage"]
    return {
        "utterances": report["utterances"],
        "speakers": report["speakers"],
        "by_label": report["by_label"],
        "least_coverage": coverage.get("least"),
        "outliers": len(report["outliers"]),
    }


def _backend_text(name: str, ran: Report) -> str:
    return f"{ran['backend']} {ran['latency_ms_p50']:.2f} ms" if ran["ran"] else f"{name} not run"


def _write_json(report: Report, path: Path) -> None:
    path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _write_markdown(report: Report, path: Path) -> None:
    path.write_text(markdown(report), encoding="utf-8")


def _table(rows: list[list[str]]) -> list[str]:
    head, *body = rows
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in body),
        "",
    ]


def _figures(report: Report) -> list[str]:
    lines = [
        f"The same label as the float model on {report['agreement']:.2%} of {report['windows']} "
        f"windows of {report['windows_of']}; probabilities differ by "
        f"{report['mean_difference']:.5f} on average, at most {report['largest_difference']:.5f}.",
        "",
    ]
    if "embedding" in report:
        embedding = report["embedding"]
        lines += [
            f"Its {embedding['size']} values of embedding correlate with the float model's by "
            f"{embedding['correlation']:.4f} over these windows, in the worst by "
            f"{embedding['least_correlation']:.4f}.",
            "",
        ]
    parts = [part for part in ("validation", "test") if part in report]
    if not parts:
        return lines
    rows = [["part", "utterances", "model", "UAR", "WA", "ECE"]]
    models = {"before": "float", "converted": "converted", "after": "converted, calibrated"}
    for part in parts:
        for key, name in models.items():
            figures = [f"{report[part][key][figure]:.4f}" for figure in SHORT_FIGURES]
            rows.append([part, str(report[part]["utterances"]), name, *figures])
    return [*lines, "## Figures", "", *_table(rows)]


def _backend_table(backends: Report) -> list[str]:
    rows = [["back end", "same label", "largest difference", "ms, p50", "ms, p90", "to the first"]]
    for name, ran in backends.items():
        if not ran["ran"]:
            rows.append([name, f"did not run: {ran['why']}", "", "", "", ""])
            continue
        apart = next((f"{v} steps" for k, v in ran.items() if k.startswith("steps_from_")), "")
        rows.append(
            [
                f"{ran['backend']}, Python {ran['python']}",
                f"{ran['agreement']:.2%}",
                f"{ran['largest_difference']:.5f}",
                f"{ran['latency_ms_p50']:.3f}",
                f"{ran['latency_ms_p90']:.3f}",
                apart,
            ]
        )
    return ["## Back ends, one thread, on the machine that converted", "", *_table(rows)]


def _attempts(report: Report) -> list[str]:
    if not report["settings"]:
        return []
    rows = [["tried", "same label", "UAR drop on validation, points", "KB"]]
    for one in report["attempts"]:
        drop = f"{one['uar_drop']:+.2f}" if "uar_drop" in one else "-"
        size = f"{one['bytes'] / 1024:.1f}"
        rows.append([one["settings"], f"{one['agreement']:.2%}", drop, size])
    return [f"## Ways tried; taken: {report['settings']}", "", *_table(rows)]


def _calibration(calibration: Report) -> list[str]:
    if "not_fitted" in calibration:
        return ["## Calibration", "", f"None: {calibration['not_fitted']}.", ""]
    right = calibration["right_when_accepted"]
    return [
        "## Calibration",
        "",
        f"Fitted on {calibration['fitted_on']}: temperature {calibration['temperature']:.3f} "
        f"(cross-entropy {calibration['cross_entropy_before']:.3f} -> "
        f"{calibration['cross_entropy_after']:.3f}); answers below a score of "
        f"{calibration['rejection_threshold']:.2f} are unsure, which leaves "
        f"{calibration['accepted']:.0%}"
        + (f", of which {right:.0%} are right." if right is not None else "."),
        "",
    ]


def _representative(report: Report) -> list[str]:
    if not report:
        return []
    lines = [
        "## Representative dataset",
        "",
        f"{report['utterances']} utterances"
        + (f" of {report['speakers']} speakers" if report["speakers"] else "")
        + f" from `{Path(report['source']).name}`.",
    ]
    if report["by_label"]:
        lines.append(", ".join(f"{name} {n}" for name, n in report["by_label"].items()) + ".")
    if report["coverage"]:
        least, median = report["coverage"]["least"], report["coverage"]["median"]
        lines.append(
            f"Of a feature's range in training it covers {least:.0%} at the least and "
            f"{median:.0%} in the median."
        )
    lines += [
        f"Outlier: {one['utterance']} reaches {one['peak']}, where {one['usual']} is usual."
        for one in report["outliers"]
    ]
    return [*lines, ""]


def _layer_table(layers: list[Report]) -> list[str]:
    if not layers:
        return []
    rows = [["layer", "operators", "signal to quantisation noise, dB"]]
    rows += [[row["layer"], str(row["operators"]), f"{row['sqnr_db']:.1f}"] for row in layers]
    return ["## Layers in int8, the noisiest first", "", *_table(rows)]
