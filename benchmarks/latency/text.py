"""The result of ``ser-bench latency`` for people."""

from __future__ import annotations

from typing import Any

from benchmarks.latency.stages import STAGES

Result = dict[str, Any]
SHOWN = ("p50", "p90", "p99", "max")
MOST_OPERATORS = 4


def as_text(result: Result) -> str:
    """Lay a result out as tables for a terminal."""
    rows = result["configurations"]
    width = max(len(label(one)) for one in rows) + 2
    lines = [
        machine_line(result),
        "",
        f"{'a decision, ms':<{width}}{_heads(SHOWN, 8)}{_heads(SHARES, 11)}",
        *(f"{_mark(result, one)}{label(one):<{width - 2}}{_whole(one)}" for one in rows),
        "",
        f"{'by stage, ms p50':<{width}}{_heads(STAGES, 11)}{'quiet hop':>11}",
        *(f"  {label(one):<{width - 2}}{_stages(one)}" for one in rows),
        "",
        "* the fastest; quiet hop: one while nobody speaks",
        *result["verdicts"],
        *(_operators(one) for one in rows if one["operators"]),
        *(f"no times of operators: {one}: {why}" for one, why in result["no_operators"].items()),
        *(f"left out: {what}: {why}" for what, why in result["missing"].items()),
        *(f"WARNING: {line}" for line in result["warnings"]),
        result["protocol"],
    ]
    return "\n".join(lines)


def label(one: dict[str, Any]) -> str:
    """Name a configuration: model, back end, threads."""
    return f"{one['model']}, {one['backend']} x{one['threads']}"


def machine_line(result: Result) -> str:
    """Describe the machine and its state in one line."""
    machine, before, after = result["machine"], result["before"], result["after"]
    parts = [f"{machine['model']}, {machine['cores']} cores", *machine["features"][-3:]]
    parts += [machine["system"], f"Python {result['configurations'][0]['python']}"]
    if before["governors"]:
        parts.append(f"governor {', '.join(before['governors'])}")
    if before["clock_mhz"]:
        highest = max(before["highest_clock_mhz"], default=0)
        parts.append(
            f"clock {max(before['clock_mhz'])} -> {max(after['clock_mhz'])} of {highest} MHz"
        )
    if before["celsius"] is not None and after["celsius"] is not None:
        parts.append(f"{before['celsius']:.0f} -> {after['celsius']:.0f} degrees Celsius")
    if before["load"] is not None:
        parts.append(f"load {before['load']:g} before")
    return ", ".join(parts)


SHARES = ("real time", "% of core", "ready, s", "first, ms", "MiB", "peak")


def _whole(one: dict[str, Any]) -> str:
    whole = one["milliseconds"]["whole"]
    times = "".join(f"{whole[name]:8.3f}" for name in SHOWN)
    memory = "".join(f"{_mib(one[name]):>11}" for name in ("steady_mib", "peak_mib"))
    return (
        f"{times}{one['real_time_factor']:11.5f}{one['core_percent']:11.3f}"
        f"{one['ready_seconds']['p50']:11.3f}{one['first_inference_ms']['p50']:11.3f}{memory}"
    )


def _stages(one: dict[str, Any]) -> str:
    times = one["milliseconds"]
    stages = "".join(f"{times[name]['p50']:11.3f}" for name in STAGES)
    return f"{stages}{one['quiet_hop']['p50']:11.3f}"


def _operators(one: dict[str, Any]) -> str:
    slowest = list(one["operators"].items())[:MOST_OPERATORS]
    told = ", ".join(f"{kind} {microseconds:g} us" for kind, microseconds in slowest)
    return f"{label(one)}: slowest operators: {told}"


def _mark(result: Result, one: dict[str, Any]) -> str:
    is_fastest = all(one[name] == value for name, value in result["fastest"].items())
    return "* " if is_fastest else "  "


def _mib(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _heads(names: tuple[str, ...], width: int) -> str:
    return "".join(f"{name:>{width}}" for name in names)
