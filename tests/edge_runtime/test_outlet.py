"""The outlet: order, counts, retries and its end, with outputs that do what outputs may do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.outputs import outlet as outlet_module
from edge_runtime.outputs.outlet import Outlet
from edge_runtime.outputs.output import GoneError, NotDeliveredError

from ..some_events import some_event, wait_until

WORKS, LATER, NEVER, GONE = "works", "later", "never", "gone"
FAULT, DISK = "fault", "disk"  # what no output foresees


class Place:
    """An output whose attempts end as they are told to; after that they all work."""

    name = "place"

    def __init__(self, endings: Iterable[str] = ()) -> None:
        self.taken: list[Event] = []
        self.attempts: list[float] = []
        self.closed = 0
        self.open = threading.Event()  # no attempt ends before
        self.open.set()
        self.endings = iter(endings)

    def deliver(self, event: Event) -> None:
        self.attempts.append(time.monotonic())
        self.open.wait()
        ending = next(self.endings, WORKS)
        if ending == LATER:
            raise NotDeliveredError("the place is shut")
        if ending == NEVER:
            raise SerEdgeError("this one is not wanted")
        if ending == FAULT:
            raise KeyError("fault")
        if ending == DISK:
            raise OSError(30, "Read-only file system")
        if ending == GONE:
            raise GoneError(BrokenPipeError(32, "Broken pipe"))
        self.taken.append(event)

    def close(self) -> None:
        self.closed += 1


class OnlyLater(Place):
    def deliver(self, event: Event) -> None:
        self.attempts.append(time.monotonic())
        raise NotDeliveredError("the place is shut")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(outlet_module, "FIRST_RETRY_SECONDS", 0.002)
    monkeypatch.setattr(outlet_module, "LONGEST_RETRY_SECONDS", 0.016)


def hang(place: Place, outlet: Outlet, event: Event) -> None:
    """Have the output hang with one event."""
    attempts = len(place.attempts)
    place.open.clear()
    outlet.put(event)
    wait_until(lambda: len(place.attempts) > attempts)


def test_delivers_every_event_once_and_in_order():
    place, said = Place(), []
    outlet = Outlet(place, said.append)
    events = [some_event(number) for number in range(500)]
    for event in events:
        outlet.put(event)
    outlet.close(5.0)
    assert place.taken == events
    assert (outlet.delivered, outlet.dropped, outlet.waiting) == (500, 0, 0)
    assert place.closed == 1
    assert said == []


def test_gives_only_the_kinds_that_are_asked_for():
    place = Place()
    outlet = Outlet(place, print, kinds=("start", "end"))
    for number, kind in enumerate(("start", "update", "update", "end")):
        outlet.put(some_event(number, kind))
    outlet.close(5.0)
    assert [event.kind for event in place.taken] == ["start", "end"]
    assert (outlet.delivered, outlet.dropped) == (2, 0)


def test_keeps_the_newest_and_counts_what_it_drops():
    place, said = Place(), []
    outlet = Outlet(place, said.append, capacity=3)
    hang(place, outlet, some_event(0))
    for number in range(1, 10):
        outlet.put(some_event(number))
    assert (outlet.delivered, outlet.dropped, outlet.waiting) == (0, 7, 3)
    assert said == ["place: takes events more slowly than they come; the oldest are lost"]
    place.open.set()
    outlet.close(5.0)
    # The first was dropped while it was under way, and arrived after all.
    assert [event.start for event in place.taken] == [0, 7, 8, 9]
    assert (outlet.delivered, outlet.dropped, outlet.waiting) == (4, 6, 0)
    assert said[1:] == ["place: delivers again; 6 events lost so far"]


@pytest.mark.usefixtures("quick")
@given(
    st.lists(st.sampled_from((WORKS, LATER, NEVER, FAULT, DISK)), max_size=40),
    st.integers(1, 4),
    st.lists(st.integers(0, 6), max_size=8),
)
def test_every_event_is_delivered_dropped_or_waiting(endings, capacity, bursts):
    place = Place(endings)
    outlet = Outlet(place, lambda line: None, capacity=capacity)
    n_put = 0
    for burst in bursts:
        for _ in range(burst):
            outlet.put(some_event(n_put))
            n_put += 1
            state = outlet.to_dict()
            assert state["delivered"] + state["dropped"] + state["waiting"] == n_put
            assert state["waiting"] <= capacity
        time.sleep(0.0005)
    outlet.close(5.0)
    assert outlet.waiting == 0
    assert outlet.delivered + outlet.dropped == n_put
    assert len(place.taken) == outlet.delivered
    starts = [event.start for event in place.taken]
    assert starts == sorted(set(starts))


@pytest.mark.usefixtures("quick")
def test_tries_again_ever_more_rarely_and_says_the_trouble_once():
    place, said = Place([LATER] * 8), []
    outlet = Outlet(place, said.append)
    outlet.put(some_event(0))
    outlet.put(some_event(1))
    wait_until(lambda: outlet.delivered == 2)
    wait_until(lambda: len(said) == 2)
    assert [event.start for event in place.taken] == [0, 1]
    assert said == [
        "place: the place is shut; up to 1000 events are kept",
        "place: delivers again; 0 events lost so far",
    ]
    pauses = [later - sooner for sooner, later in zip(place.attempts, place.attempts[1:])]
    for pause, least in zip(pauses, (0.002, 0.004, 0.008, 0.016, 0.016, 0.016, 0.016, 0.016)):
        assert pause >= least
    outlet.close(5.0)


def test_retries_are_not_hurried_by_the_oldest_being_dropped(monkeypatch):
    monkeypatch.setattr(outlet_module, "FIRST_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(outlet_module, "LONGEST_RETRY_SECONDS", 60.0)
    place = OnlyLater()
    outlet = Outlet(place, lambda line: None, capacity=1)
    end = time.monotonic() + 1.0
    number = 0
    while time.monotonic() < end:  # a new oldest all the time
        outlet.put(some_event(number))
        number += 1
        time.sleep(0.002)
    # 0.02 + 0.04 + ... + 0.64 is more than a second.
    assert 2 <= len(place.attempts) <= 7
    outlet.close(0.0)


@pytest.mark.usefixtures("quick")
def test_each_reason_of_a_trouble_is_said_once():
    class Changing(Place):
        def deliver(self, event: Event) -> None:
            self.attempts.append(time.monotonic())
            if len(self.attempts) < 20:
                raise NotDeliveredError(f"reason {len(self.attempts) % 2}")
            self.taken.append(event)

    said = []
    outlet = Outlet(Changing(), said.append)
    outlet.put(some_event(0))
    wait_until(lambda: len(said) == 3)
    kept = "; up to 1000 events are kept"
    assert said[:2] == [f"place: reason 1{kept}", f"place: reason 0{kept}"]
    assert said[2].startswith("place: delivers again")
    assert outlet.trouble == ""
    outlet.close(5.0)


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (NEVER, "this one is not wanted"),
        (FAULT, "KeyError: 'fault'"),
        (DISK, "OSError: [Errno 30] Read-only file system"),
    ],
)
def test_an_event_that_is_not_taken_is_lost_and_the_next_one_is_tried(ending, reason):
    place, said = Place([WORKS, ending, ending, WORKS]), []
    outlet = Outlet(place, said.append)
    for number in range(4):
        outlet.put(some_event(number))
    outlet.close(5.0)
    assert [event.start for event in place.taken] == [0, 3]
    assert (outlet.delivered, outlet.dropped) == (2, 2)
    assert said == [
        f"place: events are lost: {reason}",
        "place: delivers again; 2 events lost so far",
    ]


def test_an_output_that_is_gone_ends_the_outlet():
    place, said = Place([WORKS, GONE]), []
    outlet = Outlet(place, said.append, capacity=2, waits=True)
    for number in range(10):  # the listener is not held up by what is gone
        outlet.put(some_event(number))
    wait_until(lambda: place.closed)
    assert isinstance(outlet.error, BrokenPipeError)
    assert outlet.trouble == "[Errno 32] Broken pipe"
    outlet.close(5.0)
    assert outlet.delivered == 1
    assert outlet.delivered + outlet.dropped == 10
    assert said == []  # the error is for whoever listens to say


def test_the_listener_waits_for_a_slow_output_when_it_is_told_to():
    place = Place()
    outlet = Outlet(place, print, capacity=2, waits=True)
    hang(place, outlet, some_event(0))
    events = [some_event(number) for number in range(1, 50)]
    listener = threading.Thread(target=lambda: [outlet.put(event) for event in events])
    listener.start()
    wait_until(lambda: outlet.waiting == 2)
    listener.join(0.3)
    assert listener.is_alive()
    assert outlet.waiting == 2
    place.open.set()
    listener.join(20.0)
    outlet.close(5.0)
    assert [event.start for event in place.taken] == list(range(50))
    assert (outlet.delivered, outlet.dropped) == (50, 0)


def test_a_listener_that_waits_can_be_set_free():
    place = Place()
    outlet = Outlet(place, lambda line: None, capacity=1, waits=True)
    hang(place, outlet, some_event(0))
    listener = threading.Thread(target=outlet.put, args=(some_event(1),))
    listener.start()
    listener.join(0.1)
    assert listener.is_alive()
    outlet.stop_waiting()
    listener.join(20.0)
    assert not listener.is_alive()
    place.open.set()
    outlet.close(5.0)
    assert outlet.delivered + outlet.dropped == 2


@pytest.mark.parametrize("waits", [False, True])
def test_what_is_put_after_the_end_is_dropped_and_counted(waits):
    place = Place()
    outlet = Outlet(place, print, waits=waits)
    outlet.put(some_event(0))
    outlet.close(5.0)
    outlet.put(some_event(1))
    assert (outlet.delivered, outlet.dropped, outlet.waiting) == (1, 1, 0)


def test_an_output_that_hangs_does_not_hold_up_the_end():
    place, said = Place(), []
    outlet = Outlet(place, said.append)
    hang(place, outlet, some_event(0))
    outlet.put(some_event(1))
    closer = threading.Thread(target=outlet.close, args=(0.2,))
    closer.start()
    closer.join(20.0)
    assert not closer.is_alive()
    assert said == ["place: 2 events not delivered at the end"]
    assert (outlet.delivered, outlet.dropped, outlet.waiting) == (0, 2, 0)
    # It comes to its senses: what it had is counted right, and nothing more is given to it.
    place.open.set()
    wait_until(lambda: place.closed)
    assert (outlet.delivered, outlet.dropped) == (1, 1)


def test_the_end_waits_for_one_more_attempt_and_says_what_is_left():
    place, said = OnlyLater(), []
    outlet = Outlet(place, said.append)
    for number in range(3):
        outlet.put(some_event(number))
    wait_until(lambda: place.attempts)
    before = len(place.attempts)
    outlet.close(0.3)
    assert len(place.attempts) > before
    assert said[-1] == "place: 3 events not delivered at the end: the place is shut"
    assert outlet.dropped == 3
    assert place.closed == 1


def test_its_state_is_json_types():
    outlet = Outlet(Place([LATER]), lambda line: None)
    outlet.put(some_event(0))
    wait_until(lambda: outlet.trouble)
    assert outlet.to_dict() == {
        "name": "place",
        "delivered": 0,
        "dropped": 0,
        "waiting": 1,
        "trouble": "the place is shut",
    }
    outlet.close(5.0)
    assert outlet.delivered == 1
