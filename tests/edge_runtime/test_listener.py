"""From a stream to events: however it is cut, at the right times, and for ever."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import Classifier, Event, SerEdgeError, listen
from edge_runtime.classifier import UNSURE
from edge_runtime.listener import SILENCE_DBFS, FrameRing, Listener
from edge_runtime.metadata import LABELS, ModelMetadata

RATE = 16000
HOP, WINDOW_SAMPLES = 160, 5040  # of the small model: 30 frames of 400 samples
FRAME_SECONDS = HOP / RATE


def pieces(samples: np.ndarray, sizes: list[int]) -> Iterator[np.ndarray]:
    """The samples in chunks of the given sizes, again and again."""
    start, number = 0, 0
    while start < len(samples):
        size = sizes[number % len(sizes)]
        yield samples[start : start + size]
        start, number = start + size, number + 1


def assert_same(got: list[Event], wanted: list[Event]) -> None:
    """The same decisions; when they were taken and how fast may differ."""
    assert [(e.start, e.end, e.label, e.model) for e in got] == [
        (e.start, e.end, e.label, e.model) for e in wanted
    ]
    for one, other in zip(got, wanted):
        assert list(one.scores) == list(other.scores)
        np.testing.assert_allclose(
            list(one.scores.values()), list(other.scores.values()), atol=1e-4
        )


# --- however the stream is cut ------------------------------------------------------------------


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 9000), min_size=1, max_size=12),
    st.floats(0.001, 1.0),
    st.integers(0, 30000),
)
def test_chunks_of_any_size_give_the_same_events(
    small: Classifier,
    speech: Callable[..., np.ndarray],
    sizes: list[int],
    hop: float,
    n_samples: int,
) -> None:
    samples = speech(2.0)[:n_samples]
    wanted = list(listen([samples], small, hop))
    assert_same(list(listen(pieces(samples, sizes), small, hop)), wanted)


def test_single_samples_give_the_same_events(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples = speech(0.6)
    wanted = list(listen([samples], small))
    assert len(wanted) == 3
    assert_same(list(listen(pieces(samples, [1]), small)), wanted)


def test_bundled_model_gives_the_same_events_in_microphone_chunks(
    bundled: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples = speech(5.0)
    wanted = list(listen([samples], bundled))
    assert len(wanted) >= 5
    got = list(listen(pieces(samples, [800]), bundled))
    # Its int8 input may round a value at the edge of a step the other way.
    assert [(event.start, event.end) for event in got] == [(e.start, e.end) for e in wanted]
    for one, other in zip(got, wanted):
        got_scores, wanted_scores = list(one.scores.values()), list(other.scores.values())
        np.testing.assert_allclose(got_scores, wanted_scores, atol=0.05)


def test_chunks_without_samples_change_nothing(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples, nothing = speech(0.6), np.empty(0, np.float32)
    chunks = [nothing, samples[:7000], nothing, nothing, samples[7000:], nothing]
    assert_same(list(listen(chunks, small)), list(listen([samples], small)))


def test_event_is_the_decision_about_its_window(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples = speech(1.5)
    for event in listen([samples], small, 0.13):
        start = round(event.start * RATE)
        window = samples[start : start + WINDOW_SAMPLES]
        wanted = small.decide(small.window_scores(small.extractor.frames(window)))
        np.testing.assert_allclose(
            list(event.scores.values()), list(wanted.scores.values()), atol=1e-4
        )
        assert event.label == wanted.label


# --- when ---------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.floats(1e-6, 2.0), st.integers(0, 40000))
def test_events_come_at_every_hop_once_the_window_is_full(
    small: Classifier, hop: float, n_samples: int
) -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.1, n_samples).astype(np.float32)
    events = list(listen([noise], small, hop))
    hop_samples = max(1, round(hop / FRAME_SECONDS)) * HOP
    starts = np.arange(0, max(0, n_samples - WINDOW_SAMPLES + 1), hop_samples) / RATE
    assert [event.start for event in events] == pytest.approx(starts, abs=1e-3)
    lengths = [event.end - event.start for event in events]
    assert lengths == pytest.approx([WINDOW_SAMPLES / RATE] * len(events), abs=2e-3)


def test_hop_is_the_models_unless_asked_otherwise(small: Classifier) -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.1, 3 * RATE).astype(np.float32)
    starts = [event.start for event in listen([noise], small)]
    assert np.diff(starts) == pytest.approx(small.metadata.hop_seconds)
    starts = [event.start for event in listen([noise], small, 0.25)]
    assert np.diff(starts) == pytest.approx(0.25)


def test_event_comes_with_the_last_sample_of_its_window_and_not_before(small: Classifier) -> None:
    listener = Listener(small)
    noise = np.random.default_rng(1).normal(0.0, 0.1, WINDOW_SAMPLES).astype(np.float32)
    assert list(listener.push(noise[:-1])) == []
    (event,) = listener.push(noise[-1:])
    assert (event.start, event.end) == (0.0, 0.315)


@pytest.mark.parametrize("hop", [0.0, -0.5, 3601.0, float("nan"), float("inf")])
def test_senseless_hop_is_refused(small: Classifier, hop: float) -> None:
    with pytest.raises(SerEdgeError, match="hop must be above 0"):
        Listener(small, hop)


# --- what an event says -------------------------------------------------------------------------


def test_event_states_everything_and_is_one_line_of_json(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    before = datetime.now(timezone.utc)
    event = next(listen([speech(1.0)], small))
    after = datetime.now(timezone.utc)
    moment = datetime.fromisoformat(event.time)
    millisecond = timedelta(milliseconds=1)
    assert before - millisecond <= moment <= after
    assert moment.utcoffset() == timedelta(0)
    assert event.latency_ms > 0.0
    assert event.model == small.model_id
    assert event.label in (*LABELS, UNSURE)
    assert event.score == max(event.scores.values())
    assert sum(event.scores.values()) == pytest.approx(1.0, abs=1e-5)
    assert json.loads(event.to_json()) == asdict(event)
    assert "\n" not in event.to_json()
    assert event.label in event.to_text()
    assert event.to_text().isprintable()


def test_scores_below_the_threshold_make_an_unsure_event(
    tmp_path: Path,
    make_onnx: Callable[..., Path],
    metadata_for: Callable[..., ModelMetadata],
    speech: Callable[..., np.ndarray],
) -> None:
    never = make_onnx(tmp_path / "never.onnx", metadata_for(rejection_threshold=1.0))
    events = list(listen([speech(1.0)], Classifier(never)))
    assert events
    assert {event.label for event in events} == {UNSURE}


# --- silence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("amplitude", [0.0, 1e-5])
def test_silence_has_no_events(small: Classifier, amplitude: float) -> None:
    noise = amplitude * np.random.default_rng(0).normal(size=3 * RATE)
    assert list(listen(pieces(noise.astype(np.float32), [1000]), small)) == []


@pytest.mark.parametrize("n_silent", [100, 5040, 20000, 100000])
def test_sound_after_silence_has_events_that_touch_it(
    small: Classifier, speech: Callable[..., np.ndarray], n_silent: int
) -> None:
    loud = speech(1.0)
    loud = loud[np.flatnonzero(np.abs(loud) > 0.05)[0] :]
    samples = np.concatenate((np.zeros(n_silent, np.float32), loud))
    events = list(listen(pieces(samples, [1600]), small, FRAME_SECONDS))
    assert events
    # From the first whose window reaches the sound on, there is one at every hop.
    assert events[0].end == pytest.approx(max(n_silent, WINDOW_SAMPLES) / RATE, abs=0.03)
    assert np.diff([event.start for event in events]) == pytest.approx(FRAME_SECONDS, abs=2e-3)
    assert events[-1].end == pytest.approx(len(samples) / RATE, abs=2 * FRAME_SECONDS)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 3000)), max_size=4))
def test_events_are_those_of_the_windows_that_hold_a_loud_frame(
    small: Classifier, bursts: list[tuple[int, int]]
) -> None:
    samples = np.zeros(64_000, np.float32)
    for start, length in bursts:
        samples[start : start + length] = 0.2 * np.sin(np.arange(len(samples[start:][:length])))
    loud = small.extractor.level_dbfs(small.extractor.frames(samples)) > SILENCE_DBFS
    wanted = [start for start in range(len(loud) - 29) if loud[start : start + 30].any()]
    events = listen(pieces(samples, [3210]), small, FRAME_SECONDS)
    assert [round(event.start / FRAME_SECONDS) for event in events] == wanted


def test_events_end_when_the_last_sound_has_left_the_window(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples = np.concatenate((speech(1.0), np.zeros(3 * RATE, np.float32)))
    events = list(listen([samples], small, FRAME_SECONDS))
    assert events[-1].start == pytest.approx(1.0, abs=0.2)
    assert events[-1].start < 1.0


def test_decisions_keep_their_rhythm_through_silence(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    silence = np.zeros(2 * RATE, np.float32)
    samples = np.concatenate((speech(1.0), silence, speech(1.0, 1)))
    starts = np.array([event.start for event in listen([samples], small, 0.1)])
    assert np.all(np.abs(starts * 10 - np.round(starts * 10)) < 1e-6)
    assert starts.max() > 3.0
    assert np.diff(starts).max() > 1.0  # the gap


# --- input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_numbers_end_the_stream(small: Classifier, value: float) -> None:
    chunk = np.zeros(1000, np.float32)
    chunk[10] = value
    with pytest.raises(SerEdgeError, match="not numbers"):
        list(listen([chunk], small))


def test_integers_and_several_channels_are_refused(small: Classifier) -> None:
    with pytest.raises(SerEdgeError, match="floats"):
        list(listen([np.zeros(1000, np.int16)], small))
    with pytest.raises(SerEdgeError, match="one channel"):
        list(listen([np.zeros((1000, 2), np.float32)], small))


# --- for ever -----------------------------------------------------------------------------------


def test_endless_stream_does_not_fill_the_memory(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    listener = Listener(small, 0.5)
    chunk = speech(0.5)
    for _ in range(10):
        list(listener.push(chunk))
    tracemalloc.start()
    try:
        list(listener.push(chunk))
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            list(listener.push(chunk))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 30_000


def test_times_stay_right_far_into_a_stream(small: Classifier) -> None:
    listener = Listener(small, 10.0)
    noise = np.random.default_rng(0).normal(0.0, 0.1, 10 * RATE).astype(np.float32)
    events = [event for _ in range(60) for event in listener.push(noise)]
    assert [event.start for event in events] == pytest.approx(np.arange(60) * 10.0, abs=1e-3)


@settings(max_examples=60)
@given(st.integers(1, 12), st.lists(st.integers(0, 30), max_size=12))
def test_ring_holds_the_newest_frames(length: int, sizes: list[int]) -> None:
    ring = FrameRing(length, 2)
    pushed = np.zeros((length, 2), np.float32)
    for size in sizes:
        frames = len(pushed) + np.arange(2.0 * size, dtype=np.float32).reshape(size, 2)
        ring.push(frames)
        pushed = np.concatenate((pushed, frames))
        np.testing.assert_array_equal(ring.window, pushed[-length:])


def test_listener_uses_the_bundled_model_by_default(speech: Callable[..., np.ndarray]) -> None:
    events = list(listen([speech(3.0)]))
    assert events
    assert events[0].model == Classifier().model_id


def test_hop_of_a_model_may_be_longer_than_its_window(
    tmp_path: Path, make_onnx: Callable[..., Path], metadata_for: Callable[..., ModelMetadata]
) -> None:
    features = replace(metadata_for().features, hop_length=800)  # frames with gaps between them
    path = make_onnx(tmp_path / "gaps.onnx", metadata_for(features=features, hop_seconds=3.0))
    noise = np.random.default_rng(0).normal(0.0, 0.1, 8 * RATE).astype(np.float32)
    events = list(listen(pieces(noise, [777]), Classifier(path)))
    assert [event.start for event in events] == pytest.approx([0.0, 3.0, 6.0])
    assert_same(events, list(listen([noise], Classifier(path))))
