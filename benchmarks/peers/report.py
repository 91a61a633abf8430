"""Results of ``peers`` as lines for a terminal and as a document's table."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import markdown
from benchmarks.peers.agreement import judged
from benchmarks.results import Results, of_kind

KIND = "peers"


def as_text(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [
        result["protocol"],
        f"{'':<24}{'ratio p50 (p10 - p90)':>26}{'ms p50':>9}{'p90':>9}{'start':>9}{'MiB':>7}",
    ]
    for name, one in result["contenders"].items():
        times = one["milliseconds"]
        lines.append(
            f"{name:<24}{_ratio(one['ratio']):>26}{times['p50']:>9.3f}{times['p90']:>9.3f}"
            f"{one['start_seconds']:>7.2f} s{one['resident_mib']:>7.0f}  {_note(one)}"
        )
    if result["clips"]:
        lines.append(_clips(result["clips"]))
    lines += [f"{name}: skipped: {why}" for name, why in result["missing"].items()]
    if "against" in result:
        lines.append(against_line(result["against"]))
    lines += [f"target: {name}: {outcome}" for name, outcome in result["targets"].items()]
    return "\n".join(lines)


def against_line(against: dict[str, Any]) -> str:
    """Say whether two results agree."""
    limit = f"{against['within']:.0%}"
    over = {name: one for name, one in against["apart"].items() if one > against["within"]}
    others = f"; only in one: {', '.join(against['only_in_one'])}" if against["only_in_one"] else ""
    if against["agrees"]:
        how = f"agrees in every ratio within {limit}, at most {against['largest']:.1%} apart"
    else:
        named = ", ".join(f"{name} {one:.1%}" for name, one in over.items())
        how = f"does not agree within {limit}: {named} apart"
    return f"the earlier result {how}{others}"


def peers_table(results: Results) -> str:
    """Contenders of every stored run, the fastest first; none of runs compared with another."""
    rows = [["contender", "ratio", "ms, p50", "ms, p90", "start, s", "MiB", "one decision"]]
    for result in _first_runs(results):
        contenders = sorted(result["contenders"].items(), key=lambda item: item[1]["ratio"]["p50"])
        for name, one in contenders:
            rows.append(
                [
                    name,
                    _ratio(one["ratio"]),
                    f"{one['milliseconds']['p50']:.3f}",
                    f"{one['milliseconds']['p90']:.3f}",
                    f"{one['start_seconds']:.2f}",
                    f"{one['resident_mib']:.0f}",
                    _note(one),
                ]
            )
    return markdown(rows)


def clips_table(results: Results) -> str:
    """The whole program on one file, from the start of the process to its answer."""
    rows = [["program", "s, p50", "s, p90", "ratio"]]
    for result in _first_runs(results):
        if result["clips"]:
            ratios = ["1", _ratio(result["clips"]["ratio"])]
            for (name, seconds), ratio in zip(result["clips"]["seconds"].items(), ratios):
                rows.append([name, f"{seconds['p50']:.3f}", f"{seconds['p90']:.3f}", ratio])
    return markdown(rows)


def peers_targets(results: Results) -> str:
    """What was aimed at and what came of it; of runs compared with another, that comparison."""
    first = [result["targets"] for result in _first_runs(results)]
    compared = [judged(one["against"]) for one in of_kind(results, KIND) if "against" in one]
    return "\n".join(
        f"- {name}: {how}" for targets in (*first, *compared) for name, how in targets.items()
    )


def _first_runs(results: Results) -> list[dict[str, Any]]:
    return [result for result in of_kind(results, KIND) if "against" not in result]


def _clips(clips: dict[str, Any]) -> str:
    each = ", ".join(f"{name} {one['p50']:.3f} s" for name, one in clips["seconds"].items())
    return f"{clips['protocol']}: {each}, ratio {_ratio(clips['ratio'])}"


def _ratio(percentiles: dict[str, float]) -> str:
    return " ".join(
        (
            _three_digits(percentiles["p50"]),
            f"({_three_digits(percentiles['p10'])} - {_three_digits(percentiles['p90'])})",
        )
    )


def _three_digits(value: float) -> str:
    """As many digits as a ratio is worth: 0.512, 1.35, 21.4, 254."""
    decimals = 0 if value >= 100.0 else 1 if value >= 10.0 else 2 if value >= 1.0 else 3
    return f"{value:.{decimals}f}"


def _note(one: dict[str, Any]) -> str:
    if one["asked"] == 1.0:
        return str(one["what"])
    return f"{one['what']} (the model was asked for {one['asked']:.0%} of the hops)"
