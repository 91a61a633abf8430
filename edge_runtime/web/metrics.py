"""The status as Prometheus metrics [1]_, made when they are asked for.

.. [1] Prometheus, "Exposition formats" and "Metric and label naming",
   https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from edge_runtime.hardware import temperature_celsius
from edge_runtime.status import LATENCY_BUCKETS_MS, SOURCE_STATES, Status
from edge_runtime.web.hub import Hub

COUNTERS = {
    "hops": "Hops of the stream.",
    "inferences": "Windows that the model has classified.",
    "reloads": "Times that the settings were loaded again.",
    "overflows": "Times that the device lost sound because the machine was too busy.",
    "restarts of the source": "Times that the source was lost and opened again.",
}
OUTPUT_COUNTERS = {
    "delivered": "Events that arrived at the output.",
    "dropped": "Events that the output has lost.",
}


class StatusCollector(Collector):
    """Reads the status at each scrape; holds nothing itself.

    Parameters
    ----------
    status : Status
        What is told.
    hub : Hub
        The streams.
    """

    def __init__(self, status: Status, hub: Hub) -> None:
        self._status = status
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """Give all metrics."""
        snapshot = self._status.snapshot()
        yield from _counters(snapshot)
        yield from _sound(snapshot)
        yield from _source(snapshot)
        yield from _outputs(snapshot["outputs"])
        yield _latency(snapshot["latency"])
        yield from _process(snapshot)
        yield _gauge("http_streams", "Clients that follow the events.", self._hub.n_streams)
        yield CounterMetricFamily(
            "ser_edge_http_dropped_messages",
            "Messages that clients were too slow for, of those that have left.",
            value=self._hub.dropped,
        )


def make_registry(status: Status, hub: Hub) -> CollectorRegistry:
    """Make a registry of the status and of this process: CPU time, memory, descriptors."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(status, hub))
    ProcessCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Write all metrics.

    Parameters
    ----------
    registry : CollectorRegistry
        What is told.
    accept : str
        The request's header of that name.

    Returns
    -------
    body : bytes
        In the text format, or OpenMetrics where it is asked for.
    content_type : str
        Which of them.
    """
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _counters(snapshot: dict[str, Any]) -> Iterator[Metric]:
    for key, text in COUNTERS.items():
        name = "source_restarts" if key == "restarts of the source" else key
        yield CounterMetricFamily(f"ser_edge_{name}", text, value=snapshot["counts"][key])
    yield CounterMetricFamily(
        "ser_edge_dropped_sound_seconds",
        "Sound that came and was not taken in time because the machine was too busy.",
        value=snapshot["counts"]["dropped milliseconds"] / 1000.0,
    )
    emotions = CounterMetricFamily(
        "ser_edge_emotions", "Emotions that have begun, by label.", labels=["label"]
    )
    for label in _all_labels(snapshot):
        emotions.add_metric([label], snapshot["labels"].get(label, 0))
    yield emotions


def _all_labels(snapshot: dict[str, Any]) -> list[str]:
    """Those of the model, so that each is there from the start, and any other that was said."""
    return list(dict.fromkeys([*snapshot["about"].get("labels", ()), *snapshot["labels"]]))


def _sound(snapshot: dict[str, Any]) -> Iterator[Metric]:
    hop = snapshot["hop"]
    if hop is None:
        return
    yield _gauge("level_dbfs", "Level of the sound in dB below full scale.", hop["level_dbfs"])
    yield _gauge("noise_dbfs", "Level that the gate takes for noise.", hop["noise_dbfs"])
    yield _gauge("gate_open", "1 while the gate hears speech.", hop["is_open"])


def _source(snapshot: dict[str, Any]) -> Iterator[Metric]:
    now = snapshot["source"]["state"]
    states = dict.fromkeys(SOURCE_STATES, False)
    states[now] = True
    yield StateSetMetricFamily("ser_edge_source_state", "State of the source.", value=states)
    yield _gauge(
        "last_hop_age_seconds", "Seconds since the last hop.", snapshot["seconds_since_hop"]
    )


def _outputs(outputs: Iterable[dict[str, Any]]) -> Iterator[Metric]:
    named = _named(outputs)
    for key, text in OUTPUT_COUNTERS.items():
        counter = CounterMetricFamily(f"ser_edge_output_{key}_events", text, labels=["output"])
        for name, output in named.items():
            counter.add_metric([name], output[key])
        yield counter
    waiting = GaugeMetricFamily(
        "ser_edge_output_waiting_events", "Events that wait for the output.", labels=["output"]
    )
    up = GaugeMetricFamily("ser_edge_output_up", "1 while it delivers.", labels=["output"])
    for name, output in named.items():
        waiting.add_metric([name], output["waiting"])
        up.add_metric([name], not output["trouble"])
    yield from (waiting, up)


def _named(outputs: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each under a name of its own: there may be two webhooks, but no series twice."""
    named: dict[str, dict[str, Any]] = {}
    for output in outputs:
        name, number = output["name"], 2
        while name in named:
            name, number = f"{output['name']} {number}", number + 1
        named[name] = output
    return named


def _latency(latency: dict[str, Any]) -> Metric:
    bounds = [*(f"{bound / 1000.0:g}" for bound in LATENCY_BUCKETS_MS), "+Inf"]
    n_below = 0
    buckets = []
    for bound, count in zip(bounds, latency["counts"]):
        n_below += count
        buckets.append((bound, n_below))
    return HistogramMetricFamily(
        "ser_edge_latency_seconds",
        "From the arrival of a hop's last samples to its decision, where there was one.",
        buckets=buckets,
        sum_value=latency["sum_ms"] / 1000.0,
    )


def _process(snapshot: dict[str, Any]) -> Iterator[Metric]:
    yield _gauge("uptime_seconds", "Seconds since the start.", snapshot["uptime_seconds"])
    degrees = temperature_celsius()
    if degrees is not None:
        yield _gauge("temperature_celsius", "Temperature of the processor.", degrees)
    told = {key: snapshot["about"].get(key) for key in ("version", "model", "backend", "profile")}
    told["model_hash"] = snapshot["about"].get("model_hash")
    known = {key: str(value) for key, value in told.items() if value}
    yield InfoMetricFamily("ser_edge_build", "What runs.", value=known)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ser_edge_{name}", text, value=value)
