"""Results as ``ser-bench latency`` stores them, made up, for what reads them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from benchmarks.latency.stages import STAGES
from benchmarks.latency.stored import FORMAT, KIND
from benchmarks.latency.verdict import fastest, verdicts

NAMES = ("p25", "p50", "p75", "p90", "p99", "max")
STATE = {
    "governors": [],
    "lazy_governors": [],
    "clock_mhz": [],
    "highest_clock_mhz": [],
    "celsius": None,
    "throttled": None,
    "throttle_count": None,
    "load": 0.1,
}


def spread(p50: float, width: float = 0.1) -> dict[str, float]:
    """Percentiles about a median; `width` is the share that the quartiles lie from it."""
    factors = (1 - width, 1, 1 + width, 1 + 2 * width, 1 + 3 * width, 1 + 4 * width)
    return dict(zip(NAMES, (p50 * factor for factor in factors)))


def configuration(**changes: Any) -> dict[str, Any]:
    """Figures of a configuration."""
    times = {"whole": spread(0.5), **{name: spread(0.1) for name in STAGES}}
    start = {"min": 0.2, "p50": 0.25, "max": 0.3}
    made = {
        "model": "default.tflite",
        "network": "edge",
        "number_format": "int8",
        "bytes": 50000,
        "sha256": "ab",
        "backend": "litert",
        "backend_version": "2.3.0",
        "threads": 1,
        "python": "3.11.7",
        "numpy": "2.2.0",
        "hop_seconds": 0.5,
        "hops": 80,
        "unclassified_hops": 0,
        "milliseconds": times,
        "whole_while_timed_by_stage": spread(0.5),
        "quiet_hop": spread(0.1),
        "real_time_factor": 0.001,
        "core_percent": 0.1,
        "ready_seconds": start,
        "first_inference_ms": start,
        "first_decision_ms": start,
        "steady_mib": 50.0,
        "peak_mib": 55.0,
        "process_threads": 1,
        "operators": None,
    }
    return {**made, **changes}


def with_time(stage: str, p50: float, **changes: Any) -> dict[str, Any]:
    """A configuration with another time of a stage."""
    one = configuration(**changes)
    one["milliseconds"] = {**one["milliseconds"], stage: spread(p50)}
    return one


def result(*configurations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A whole result."""
    made = {
        "kind": KIND,
        "format": FORMAT,
        "protocol": "made up",
        "made": "2026-01-02T03:04:05+00:00",
        "ser_edge": "0.1.0",
        "sound": "synthesised",
        "rounds": 2,
        "machine": {
            "model": "Raspberry Pi 5 Model B Rev 1.0",
            "cores": 4,
            "features": ["asimd", "asimddp"],
            "architecture": "aarch64",
            "bits": 64,
            "system": "Debian GNU/Linux 12 (bookworm)",
            "kernel": "6.6",
            "memory_mib": 8064,
        },
        "before": STATE,
        "after": STATE,
        "warnings": [],
        "configurations": list(configurations),
        "fastest": fastest(configurations),
        "verdicts": verdicts(configurations),
        "no_operators": {},
        "missing": {},
    }
    return {**made, **changes}


times = st.floats(1e-3, 1e4)


@st.composite
def spreads(draw: st.DrawFn) -> dict[str, float]:
    """Any percentiles in their order."""
    return dict(zip(NAMES, sorted(draw(st.lists(times, min_size=6, max_size=6)))))


@st.composite
def results(draw: st.DrawFn) -> dict[str, Any]:
    """Any result of one to four configurations."""
    keys = st.tuples(
        st.sampled_from(["a.tflite", "b.tflite", "c.onnx"]),
        st.sampled_from(["litert", "tflite-runtime"]),
        st.integers(1, 2),
    )
    chosen = draw(st.lists(keys, min_size=1, max_size=4, unique=True))
    stages = ("whole", *STAGES)
    configurations = [
        configuration(
            model=model,
            backend=backend,
            threads=threads,
            number_format=draw(st.sampled_from(["int8", "float32", ""])),
            milliseconds={name: draw(spreads()) for name in stages},
            ready_seconds=dict(
                zip(("min", "p50", "max"), sorted(draw(st.tuples(times, times, times))))
            ),
            steady_mib=draw(st.none() | times),
            peak_mib=draw(st.none() | times),
        )
        for model, backend, threads in chosen
    ]
    return result(*configurations)
