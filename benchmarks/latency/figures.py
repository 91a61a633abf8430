"""From what was measured of a configuration to its figures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.latency.measured import KIB_PER_MIB, Readings
from benchmarks.latency.stages import STAGES
from edge_runtime.metadata import ModelMetadata, model_hash

NS_PER_MS, NS_PER_S = 1e6, 1e9
PERCENTILES = (25, 50, 75, 90, 99)
WHOLE = "whole"


def figures(readings: Readings) -> dict[str, Any]:
    """Sum up one configuration.

    Parameters
    ----------
    readings : Readings
        What was measured.

    Returns
    -------
    dict
        As JSON types: ``model``, ``network``, ``number_format``, ``bytes``, ``sha256``,
        ``backend``, ``backend_version``, ``threads``, ``python``, ``numpy``; ``hop_seconds``,
        ``hops`` (timed whole) and ``unclassified_hops`` (among them, not counted);
        ``milliseconds``: of "whole" and of each stage p25, p50, p75, p90, p99 and max;
        ``whole_while_timed_by_stage`` and ``quiet_hop`` likewise; ``real_time_factor``,
        ``core_percent``; ``ready_seconds``, ``first_inference_ms``, ``first_decision_ms``: min,
        p50 and max; ``steady_mib``, ``peak_mib`` and ``process_threads`` (all that the process
        has, waiting ones included), None where the system does not tell;
        ``operators``: microseconds by kind of operator, None where the back end does not tell.
    """
    chosen, about = readings.configuration, readings.about
    whole = _joined(readings, "whole")
    stages = np.array(_joined(readings, "stages"))
    milliseconds = {WHOLE: spread(whole)}
    milliseconds.update((name, spread(stages[:, index])) for index, name in enumerate(STAGES))
    hop_seconds = about["hop_seconds"]
    n_closed = sum(one["closed"] for one in readings.rounds)
    worked = sum(one["worked"] for one in readings.rounds) / NS_PER_S
    return {
        "model": chosen.model,
        "network": chosen.metadata.name,
        "number_format": number_format(chosen.metadata),
        "bytes": chosen.path.stat().st_size,
        "sha256": model_hash(chosen.path),
        "backend": chosen.backend,
        "backend_version": about["backend_version"],
        "threads": chosen.threads,
        "python": about["python"],
        "numpy": about["numpy"],
        "hop_seconds": hop_seconds,
        "hops": len(whole),
        "unclassified_hops": n_closed,
        "milliseconds": milliseconds,
        "whole_while_timed_by_stage": spread(stages.sum(axis=1)),
        "quiet_hop": spread(_joined(readings, "quiet")),
        "real_time_factor": round(milliseconds[WHOLE]["p50"] / 1000.0 / hop_seconds, 6),
        "core_percent": round(100.0 * worked / ((len(whole) + n_closed) * hop_seconds), 4),
        "ready_seconds": _few(readings.ready_seconds),
        "first_inference_ms": _few([one["inference"] / NS_PER_MS for one in readings.first]),
        "first_decision_ms": _few([one["decision"] / NS_PER_MS for one in readings.first]),
        "steady_mib": _mib(readings.status.get("steady")),
        "peak_mib": _mib(readings.status.get("peak")),
        "process_threads": readings.status.get("threads"),
        "operators": None if readings.operators is None else dict(readings.operators),
    }


def number_format(metadata: ModelMetadata) -> str:
    """What ser-convert made the file for, such as "int8"; "" when it does not say."""
    conversion = metadata.provenance.get("conversion")
    target = conversion.get("target") if isinstance(conversion, dict) else None
    return target if isinstance(target, str) else ""


def spread(nanoseconds: ArrayLike) -> dict[str, float]:
    """Percentiles and the maximum, in milliseconds.

    Examples
    --------
    >>> spread([1_000_000, 2_000_000, 3_000_000])["p50"]
    2.0
    """
    values = np.asarray(nanoseconds) / NS_PER_MS
    named = {f"p{p}": float(np.percentile(values, p)) for p in PERCENTILES}
    named["max"] = float(values.max())
    return {name: round(value, 5) for name, value in named.items()}


def _few(values: list[float]) -> dict[str, float]:
    named = {"min": min(values), "p50": float(np.median(values)), "max": max(values)}
    return {name: round(value, 4) for name, value in named.items()}


def _mib(kib: int | None) -> float | None:
    return None if kib is None else round(kib / KIB_PER_MIB, 1)


def _joined(readings: Readings, what: str) -> list[Any]:
    return [one for taken in readings.rounds for one in taken[what]]
