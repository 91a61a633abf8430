"""The result of ``ser-bench preparation`` as lines for a terminal and as a document's table."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind


def preparation_table(results: Results) -> str:
    """Ratios alone, for they depend least on the machine and what else it does."""
    rows: list[list[str]] = []
    for result in of_kind(results, "preparation"):
        peers = next(iter(result["times_faster"].values()))
        if not rows:
            rows = [["files", "chain", "times real time", *(f"times {peer}" for peer in peers)]]
        for name, real_time in result["times_real_time"].items():
            faster = result["times_faster"].get(name, {})
            ratios = [_ratio(faster.get(peer)) for peer in peers]
            rows.append([_files(result), name, _ratio(real_time), *ratios])
    return markdown(rows)


def targets_list(results: Results) -> str:
    """Give each target with what was reached, as a list."""
    lines = []
    for result in of_kind(results, "preparation"):
        lines += [f"- {_files(result)}: {_verdict(target)}" for target in result["targets"]]
    return "\n".join(lines)


def as_text(result: dict[str, Any]) -> str:
    """The result as lines for a terminal."""
    rates = ", ".join(map(str, result["sample_rates"]))
    lines = [
        result["protocol"],
        f"{_files(result)}: {result['utterances']} utterances, {result['audio_seconds']:g} s at "
        f"{rates} Hz, {result['rounds']} rounds",
        f"{'':<34}{'s p50':>9}{'p90':>9}{'x real time':>13}{'processor':>11}",
    ]
    for name, seconds in result["seconds"].items():
        lines.append(
            f"{name:<34}{seconds['p50']:>9.3f}{seconds['p90']:>9.3f}"
            f"{result['times_real_time'][name]['p50']:>13.0f}"
            f"{result['processor_share'][name]['p50']:>11.0%}"
        )
    for ours, peers in result["times_faster"].items():
        for peer, ratio in peers.items():
            lines.append(f"{ours}: {_ratio(ratio)} times faster than {peer}")
    lines += [f"target: {_verdict(target)}" for target in result["targets"]]
    lines.append(
        "largest difference to librosa on the same samples and frames: "
        f"{result['largest_difference']:.1e}"
    )
    return "\n".join(lines)


def _files(result: dict[str, Any]) -> str:
    return f"{result['corpus']}, {' and '.join(result['formats'])}"


def _verdict(target: dict[str, Any]) -> str:
    return (
        f"at least {target['least']:g} times faster {target['than']}: "
        f"{'met' if target['met'] else 'missed'}, {target['reached']:.1f}"
    )


def _ratio(percentiles: dict[str, float] | None) -> str:
    if percentiles is None:
        return ""
    return f"{percentiles['p50']:.1f} ({percentiles['p10']:.1f} - {percentiles['p90']:.1f})"
