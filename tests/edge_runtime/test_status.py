"""The status: what it counts, keeps, tells, and that it keeps a bounded amount."""

from __future__ import annotations

import json
import threading

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.events import Event, Hop
from edge_runtime.outputs.outlet import Outlet
from edge_runtime.status import (
    EVENTS_KEPT,
    LATENCY_BUCKETS_MS,
    MAX_HOPS_KEPT,
    Status,
    describe_model,
)

ABOUT = {"version": "1", "source": "mic", "hop_seconds": 0.5, "saves_audio": None, "labels": []}
SCORES = {"happy": 0.75, "sad": 0.25}


def hop(end: float = 1.0, latency_ms: float = 3.0, scores: dict | None = None) -> Hop:
    return Hop(
        "2030-01-01T00:00:00+00:00", end, scores is not None, -30.0, -60.0, scores, None, latency_ms
    )


def event(kind: str, label: str = "happy", start: float = 0.0) -> Event:
    return Event(
        kind=kind,
        time="2030-01-01T00:00:00+00:00",
        monotonic=start,
        start=start,
        end=start + 2.0,
        label=label,
        score=0.75,
        scores=SCORES,
        level_dbfs=-30.0,
        latency_ms=3.0,
        model="m@12345678",
    )


def test_counts_what_it_is_told():
    status = Status(ABOUT)
    status.note_hop(hop())
    status.note_hop(hop(scores=SCORES))
    for kind in ("start", "update", "end"):
        status.note_event(event(kind))
    snapshot = status.snapshot()
    assert snapshot["counts"] == {
        "hops": 2,
        "inferences": 1,
        "events": 3,
        "reloads": 0,
        "overflows": 0,
        "dropped milliseconds": 0,
        "restarts of the source": 0,
    }
    assert snapshot["labels"] == {"happy": 1}
    assert snapshot["hop"]["scores"] == SCORES
    assert snapshot["event"]["kind"] == "end"
    assert snapshot["seconds_since_hop"] < 60.0
    json.dumps(snapshot, allow_nan=False)


def test_lost_sound_is_counted_from_the_start_and_is_news_once():
    status = Status(ABOUT)
    assert not status.note_losses(0, 0.0)
    assert status.note_losses(2, 0.0)
    assert not status.note_losses(2, 0.0)
    assert status.note_losses(2, 1.25)
    counts = status.snapshot()["counts"]
    assert (counts["overflows"], counts["dropped milliseconds"]) == (2, 1250)


def test_source_is_lost_once_however_often_it_is_said():
    status = Status(ABOUT)
    assert status.snapshot()["source"]["state"] == "opening"
    for state in ("listening", "lost", "lost", "listening", "lost"):
        status.note_source(state, f"it is {state}")
    assert status.snapshot()["source"] == {"state": "lost", "detail": "it is lost"}
    assert status.counts["restarts of the source"] == 2


@given(st.lists(st.floats(0.0, 1e6), max_size=50))
def test_every_latency_is_in_one_bucket(latencies):
    status = Status(ABOUT)
    for latency in latencies:
        status.note_hop(hop(latency_ms=latency, scores=SCORES))
        status.note_hop(hop(latency_ms=latency))  # nothing classified: no latency of a decision
    counts = status.snapshot()["latency"]["counts"]
    bounds = [*LATENCY_BUCKETS_MS, float("inf")]
    for number, bound in enumerate(bounds):
        assert sum(counts[: number + 1]) == sum(latency <= bound for latency in latencies)


def test_history_is_bounded_and_in_order():
    status = Status({**ABOUT, "hop_seconds": 1.0})
    for number in range(400):
        status.note_hop(hop(end=float(number)))
    for number in range(2 * EVENTS_KEPT):
        status.note_event(event("start", start=float(number)))
    history = status.history()
    assert [one["end"] for one in history["hops"]] == [float(n) for n in range(99, 400)]
    assert len(history["events"]) == EVENTS_KEPT
    assert history["events"][-1]["start"] == 2.0 * EVENTS_KEPT - 1.0


def test_history_of_very_short_hops_is_bounded_too():
    status = Status({**ABOUT, "hop_seconds": 0.01})
    for number in range(MAX_HOPS_KEPT + 5):
        status.note_hop(hop(end=float(number)))
    assert len(status.history()["hops"]) == MAX_HOPS_KEPT


def test_a_long_emotion_does_not_push_out_those_before():
    status = Status(ABOUT)
    told = ["start", "end", "start", *["update"] * (3 * EVENTS_KEPT), "end"]
    for number, kind in enumerate(told):
        status.note_event(event(kind, start=float(number)))
    kept = status.history()["events"]
    assert [one["kind"] for one in kept] == ["start", "end", "start", "update", "end"]
    assert kept[3]["start"] == len(told) - 2.0  # the newest
    assert status.counts["events"] == len(told)


def test_renewed_it_keeps_as_many_hops_as_the_new_ones_need():
    status = Status({**ABOUT, "hop_seconds": 1.0})
    for number in range(301):
        status.note_hop(hop(end=float(number)))
    status.renew({**ABOUT, "hop_seconds": 10.0, "model": "other"}, ())
    hops = status.history()["hops"]
    assert len(hops) == 31
    assert hops[-1]["end"] == 300.0
    assert status.snapshot()["about"]["model"] == "other"
    assert status.counts["reloads"] == 1


def test_subscribers_are_told_everything_until_they_leave():
    status = Status(ABOUT)
    told: list[tuple[str, dict]] = []

    def subscriber(kind: str, entry: dict) -> None:
        told.append((kind, entry))

    status.subscribe(subscriber)
    status.note_hop(hop())
    status.note_event(event("start"))
    status.note_source("lost", "unplugged")
    status.renew(ABOUT, ())
    assert [kind for kind, _ in told] == ["hop", "event", "source", "about"]
    assert told[1][1]["label"] == "happy"
    status.unsubscribe(subscriber)
    status.note_hop(hop())
    assert len(told) == 4


def test_outputs_are_in_the_snapshot():
    class Nowhere:
        name = "nowhere"

        def __init__(self) -> None:
            self.arrived = threading.Event()

        def deliver(self, _event: Event) -> None:
            self.arrived.set()

        def close(self) -> None:
            pass

    nowhere = Nowhere()
    outlet = Outlet(nowhere, print)
    status = Status(ABOUT, [outlet])
    outlet.put(event("start"))
    assert nowhere.arrived.wait(30)
    outlet.close(5.0)
    told = status.snapshot()["outputs"]
    assert told == [{"name": "nowhere", "delivered": 1, "dropped": 0, "waiting": 0, "trouble": ""}]


def test_read_while_written():
    status = Status({**ABOUT, "hop_seconds": 1.0})
    is_over = threading.Event()

    def write() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            status.note_hop(hop(end=float(number), scores=SCORES))
            status.note_event(event("start", label=str(number % 50)))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            json.dumps(status.snapshot())
            ends = [one["end"] for one in status.history()["hops"]]
            assert ends == sorted(ends)
    finally:
        is_over.set()
        writer.join()


def test_describes_the_bundled_model(bundled):
    told = describe_model(bundled)
    assert told["model"] == bundled.model_id
    assert told["model_hash"] == bundled.hash
    assert told["labels"] == list(bundled.metadata.labels)
    assert told["figures"]["uar"] == bundled.metadata.provenance["figures"]["uar"]
    assert told["backend"].startswith(bundled.backend.name)


def test_describes_a_model_that_tells_nothing_of_itself(small):
    assert describe_model(small)["figures"] == {}
