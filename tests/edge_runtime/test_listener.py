"""From a stream to hops and events: however it is cut, at the right times, and for ever."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import Classifier, SerEdgeError, listen
from edge_runtime.adaptation import Adaptation
from edge_runtime.classifier import UNSURE
from edge_runtime.decisions import DecisionSettings
from edge_runtime.events import Event, Hop
from edge_runtime.gates import make_gate
from edge_runtime.listener import SILENCE_DBFS, FrameRing, Listener, Step
from edge_runtime.metadata import LABELS, ModelMetadata
from edge_runtime.sources.clip import read_clip

RATE = 16000
HOP, WINDOW_SAMPLES = 160, 5040  # of the small model: 30 frames of 400 samples
FRAME_SECONDS = HOP / RATE
AT_ONCE = DecisionSettings(smoothing=1.0, minimum_count=1, hysteresis=0.0, refractory_seconds=0.0)


def pieces(samples: np.ndarray, sizes: list[int]) -> Iterator[np.ndarray]:
    """The samples in chunks of the given sizes, again and again."""
    start, number = 0, 0
    while start < len(samples):
        size = sizes[number % len(sizes)]
        yield samples[start : start + size]
        start, number = start + size, number + 1


def listener_for(classifier: Classifier, hop: float | None = None) -> Listener:
    """One with an open gate and nothing that holds a decision up."""
    return Listener(classifier, hop, make_gate("off", RATE), AT_ONCE)


def hops(chunks, classifier: Classifier, hop: float | None = None) -> list[Hop]:
    """The hops of a stream whose windows were classified."""
    listener = listener_for(classifier, hop)
    steps = [step for chunk in chunks for step in listener.push(chunk)]
    return [step.hop for step in steps if step.hop.scores is not None]


def starts_of(heard: list[Hop], window_seconds: float = WINDOW_SAMPLES / RATE) -> np.ndarray:
    return np.array([hop.end for hop in heard]) - window_seconds


def events_of(chunks, classifier: Classifier, hop: float | None = None) -> list[Event]:
    """Events of such a listener."""
    return list(listen(chunks, classifier, hop, "off", AT_ONCE))


def assert_same(got: list[Hop], wanted: list[Hop]) -> None:
    """The same decisions; when they were taken and how fast may differ."""
    assert [hop.end for hop in got] == [hop.end for hop in wanted]
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
def test_chunks_of_any_size_give_the_same_hops(
    small: Classifier,
    speech: Callable[..., np.ndarray],
    sizes: list[int],
    hop: float,
    n_samples: int,
) -> None:
    samples = speech(2.0)[:n_samples]
    wanted = hops([samples], small, hop)
    assert_same(hops(pieces(samples, sizes), small, hop), wanted)


def test_single_samples_give_the_same_hops(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples = speech(0.6)
    wanted = hops([samples], small)
    assert len(wanted) == 3
    assert_same(hops(pieces(samples, [1]), small), wanted)


def test_bundled_model_gives_the_same_hops_in_microphone_chunks(
    bundled: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples = speech(5.0)
    wanted = hops([samples], bundled)
    assert len(wanted) >= 5
    got = hops(pieces(samples, [800]), bundled)
    # Its int8 input may round a value at the edge of a step the other way.
    assert [hop.end for hop in got] == [hop.end for hop in wanted]
    for one, other in zip(got, wanted):
        got_scores, wanted_scores = list(one.scores.values()), list(other.scores.values())
        np.testing.assert_allclose(got_scores, wanted_scores, atol=0.05)


def test_chunks_without_samples_change_nothing(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples, nothing = speech(0.6), np.empty(0, np.float32)
    chunks = [nothing, samples[:7000], nothing, nothing, samples[7000:], nothing]
    assert_same(hops(chunks, small), hops([samples], small))


def test_scores_of_a_hop_are_those_of_its_window(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples = speech(1.5)
    heard = hops([samples], small, 0.13)
    for hop, begin in zip(heard, starts_of(heard)):
        start = round(begin * RATE)
        window = samples[start : start + WINDOW_SAMPLES]
        wanted = small.decide(small.window_scores(small.extractor.frames(window)))
        np.testing.assert_allclose(
            list(hop.scores.values()), list(wanted.scores.values()), atol=1e-4
        )


def test_events_follow_from_the_hops(small: Classifier, speech: Callable[..., np.ndarray]) -> None:
    samples = speech(2.0)
    heard = hops([samples], small, 0.13)
    events = events_of([samples], small, 0.13)
    assert events[0].kind == "start"
    assert events[-1].kind == "end"
    told = [event for event in events if event.kind != "end"]
    assert [event.end for event in told] == [hop.end for hop in heard]
    assert [event.scores for event in told] == [hop.scores for hop in heard]
    assert [event.label for event in told] == [hop.label for hop in heard]


# --- when ---------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.floats(1e-6, 2.0), st.integers(0, 40000))
def test_hops_come_at_every_hop_once_the_window_is_full(
    small: Classifier, hop: float, n_samples: int
) -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.1, n_samples).astype(np.float32)
    heard = hops([noise], small, hop)
    hop_samples = max(1, round(hop / FRAME_SECONDS)) * HOP
    starts = np.arange(0, max(0, n_samples - WINDOW_SAMPLES + 1), hop_samples) / RATE
    assert starts_of(heard) == pytest.approx(starts, abs=1e-3)


def test_hop_is_the_models_unless_asked_otherwise(small: Classifier) -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.1, 3 * RATE).astype(np.float32)
    starts = starts_of(hops([noise], small))
    assert np.diff(starts) == pytest.approx(small.metadata.hop_seconds)
    starts = starts_of(hops([noise], small, 0.25))
    assert np.diff(starts) == pytest.approx(0.25)


def test_a_hop_comes_with_the_last_sample_of_its_window_and_not_before(small: Classifier) -> None:
    listener = listener_for(small)
    noise = np.random.default_rng(1).normal(0.0, 0.1, WINDOW_SAMPLES).astype(np.float32)
    assert listener.push(noise[:-1]) == []
    (step,) = listener.push(noise[-1:])
    assert step.hop.end == 0.315


@pytest.mark.parametrize("hop", [0.0, -0.5, 3601.0, float("nan"), float("inf")])
def test_senseless_hop_is_refused(small: Classifier, hop: float) -> None:
    with pytest.raises(SerEdgeError, match="hop must be above 0"):
        Listener(small, hop)


# --- what an event says -------------------------------------------------------------------------


def test_event_states_everything_and_is_one_line_of_json(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    before = datetime.now(timezone.utc)
    event = events_of([speech(1.0)], small)[0]
    after = datetime.now(timezone.utc)
    moment = datetime.fromisoformat(event.time)
    millisecond = timedelta(milliseconds=1)
    assert before - millisecond <= moment <= after
    assert moment.utcoffset() == timedelta(0)
    assert event.latency_ms > 0.0
    assert event.kind == "start"
    assert 0.0 <= time.monotonic() - event.monotonic < 60.0
    assert -60.0 < event.level_dbfs < 0.0
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
    events = events_of([speech(1.0)], Classifier(never))
    assert events
    assert {event.label for event in events} == {UNSURE}


# --- silence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("amplitude", [0.0, 1e-5])
def test_silence_has_no_events(small: Classifier, amplitude: float) -> None:
    noise = amplitude * np.random.default_rng(0).normal(size=3 * RATE)
    assert hops(pieces(noise.astype(np.float32), [1000]), small) == []


@pytest.mark.parametrize("n_silent", [100, 5040, 20000, 100000])
def test_windows_that_touch_sound_after_silence_are_classified(
    small: Classifier, speech: Callable[..., np.ndarray], n_silent: int
) -> None:
    loud = speech(1.0)
    loud = loud[np.flatnonzero(np.abs(loud) > 0.05)[0] :]
    samples = np.concatenate((np.zeros(n_silent, np.float32), loud))
    heard = hops(pieces(samples, [1600]), small, FRAME_SECONDS)
    # From the first whose window reaches the sound on, each hop is classified.
    assert heard[0].end == pytest.approx(max(n_silent, WINDOW_SAMPLES) / RATE, abs=0.03)
    assert np.diff([hop.end for hop in heard]) == pytest.approx(FRAME_SECONDS, abs=2e-3)
    assert heard[-1].end == pytest.approx(len(samples) / RATE, abs=2 * FRAME_SECONDS)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 3000)), max_size=4))
def test_windows_that_hold_a_loud_frame_are_classified(
    small: Classifier, bursts: list[tuple[int, int]]
) -> None:
    samples = np.zeros(64_000, np.float32)
    for start, length in bursts:
        samples[start : start + length] = 0.2 * np.sin(np.arange(len(samples[start:][:length])))
    loud = small.extractor.level_dbfs(small.extractor.frames(samples)) > SILENCE_DBFS
    wanted = [start for start in range(len(loud) - 29) if loud[start : start + 30].any()]
    heard = hops(pieces(samples, [3210]), small, FRAME_SECONDS)
    assert [round(start / FRAME_SECONDS) for start in starts_of(heard)] == wanted


def test_the_emotion_ends_when_the_last_sound_has_left_the_window(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    samples = np.concatenate((speech(1.0), np.zeros(3 * RATE, np.float32)))
    end = events_of([samples], small, FRAME_SECONDS)[-1]
    assert end.kind == "end"
    assert 0.8 < end.end - WINDOW_SAMPLES / RATE < 1.0


def test_decisions_keep_their_rhythm_through_silence(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    silence = np.zeros(2 * RATE, np.float32)
    samples = np.concatenate((speech(1.0), silence, speech(1.0, 1)))
    starts = starts_of(hops([samples], small, 0.1))
    assert np.all(np.abs(starts * 10 - np.round(starts * 10)) < 1e-6)
    assert starts.max() > 3.0
    assert np.diff(starts).max() > 1.0  # the gap


# --- input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_numbers_end_the_stream(small: Classifier, value: float) -> None:
    chunk = np.zeros(1000, np.float32)
    chunk[10] = value
    with pytest.raises(SerEdgeError, match="not numbers"):
        hops([chunk], small)


def test_integers_and_several_channels_are_refused(small: Classifier) -> None:
    with pytest.raises(SerEdgeError, match="floats"):
        hops([np.zeros(1000, np.int16)], small)
    with pytest.raises(SerEdgeError, match="one channel"):
        hops([np.zeros((1000, 2), np.float32)], small)


# --- the gate -----------------------------------------------------------------------------------

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.wav"


def test_windows_are_classified_once_the_gate_was_open_for_a_while(bundled: Classifier) -> None:
    samples = read_clip(DEMO, RATE)
    counts, first_open = [], []
    for least in (0.0, 0.5, 2.0, 60.0):
        gate = make_gate("energy", RATE)
        listener = Listener(bundled, None, gate, least_speech_seconds=least)
        heard = [step.hop for step in listener.push(samples) if step.hop.is_open]
        counts.append(len(heard))
        first_open.append(heard[0].end if heard else np.inf)
    assert counts[0] >= counts[1] > counts[2] > counts[3] == 0
    assert first_open == sorted(first_open)


@pytest.mark.parametrize("pause", [0.3, 2.0, 7.0])
def test_what_a_closed_gate_let_pass_unread_is_in_the_windows_that_follow(
    bundled: Classifier, small: Classifier, pause: float
) -> None:
    demo = read_clip(DEMO, RATE)
    room = np.random.default_rng(0).normal(0.0, 1e-3, round(pause * RATE)).astype(np.float32)
    samples = np.concatenate((demo[: 4 * RATE], room, demo[: 5 * RATE], room, demo[: 3 * RATE]))
    for classifier in (bundled, small):
        window = classifier.metadata.features.samples_for(classifier.metadata.window_frames)
        listener = Listener(classifier, None, make_gate("energy", RATE))
        steps = [step for chunk in pieces(samples, [4000]) for step in listener.push(chunk)]
        heard = [step.hop for step in steps if step.hop.scores is not None]
        assert len(heard) > 5
        for hop in heard:
            end = round(hop.end * RATE)
            frames = classifier.extractor.frames(samples[end - window : end])
            wanted = classifier.window_scores(frames)
            # An int8 input may round a value at the edge of a step the other way.
            np.testing.assert_allclose(list(hop.scores.values()), wanted, atol=0.05)


def test_a_gate_tells_for_how_long_it_has_been_open() -> None:
    samples = read_clip(DEMO, RATE)
    gate = make_gate("energy", RATE)
    told = []
    for chunk in pieces(samples, [1600]):
        gate.push(chunk)
        told.append((gate.is_open, gate.open_seconds))
    assert any(is_open for is_open, _ in told)
    assert all((seconds > 0.0) == is_open for is_open, seconds in told)
    for (_, before), (is_open, after) in zip(told, told[1:]):
        if is_open and after >= before:
            assert after - before <= 0.3


# --- what does not follow on --------------------------------------------------------------------


def test_after_a_reset_a_window_holds_no_sound_from_before(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    before, after = speech(1.0), speech(1.0, 1)
    listener = listener_for(small)
    first = [step.hop for step in listener.push(before)]
    listener.reset()
    heard = [step.hop for step in listener.push(after)]
    wanted = hops([after], small)
    assert [hop.end for hop in heard] == pytest.approx([hop.end + 1.0 for hop in wanted], abs=2e-3)
    for one, other in zip(heard, wanted):
        assert one.scores == other.scores
    assert first[-1].end <= 1.0


def test_a_reset_ends_what_was_going_on(
    small: Classifier, speech: Callable[..., np.ndarray]
) -> None:
    listener = Listener(small, None, make_gate("off", RATE), DecisionSettings(minimum_count=1))
    listener.push(speech(1.0))
    (end,) = listener.reset()
    assert end.kind == "end"
    assert listener.reset() == []


# --- getting used to a voice --------------------------------------------------------------------


def adapting(classifier: Classifier) -> Listener:
    return Listener(classifier, None, make_gate("off", RATE), AT_ONCE, adapt=True)


def scores_of(steps: list[Step]) -> np.ndarray:
    """Of the windows that were classified, (n, n_labels)."""
    return np.array([list(s.hop.scores.values()) for s in steps if s.hop.scores is not None])


def test_scores_are_adapted_by_the_windows_before_them_alone(bundled: Classifier) -> None:
    samples = read_clip(DEMO, RATE)[: 6 * RATE]
    plain = scores_of(listener_for(bundled).push(samples))
    listener = adapting(bundled)
    steps = listener.push(samples)
    got = scores_of(steps)
    np.testing.assert_array_equal(got[0], plain[0])
    assert np.abs(got[1:] - plain[1:]).max() > 0.01
    adaptation = Adaptation(bundled.metadata.labels)
    wanted = [adaptation.push(scores, listener.hop_seconds) for scores in plain]
    np.testing.assert_allclose(got, wanted, atol=1e-6)
    events = [event for step in steps for event in step.events]
    for event, step in zip([e for e in events if e.kind != "end"], steps):
        assert event.scores == step.hop.scores  # decided by what was adapted


def test_a_reset_forgets_the_sound_and_not_the_voice(bundled: Classifier) -> None:
    samples = read_clip(DEMO, RATE)[: 6 * RATE]
    listener = adapting(bundled)
    listener.push(samples)
    listener.reset()
    after = scores_of(listener.push(samples))
    afresh = scores_of(adapting(bundled).push(samples))
    assert len(after) == len(afresh)
    assert np.abs(after[0] - afresh[0]).max() > 1e-3


def test_listen_adapts_when_asked(bundled: Classifier) -> None:
    samples = read_clip(DEMO, RATE)[: 6 * RATE]

    def told(adapt: bool) -> list[dict[str, float]]:
        events = listen([samples], bundled, None, "off", AT_ONCE, adapt=adapt)
        return [event.scores for event in events]

    assert told(True) != told(False)


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
    listener = listener_for(small, 10.0)
    noise = np.random.default_rng(0).normal(0.0, 0.1, 10 * RATE).astype(np.float32)
    heard = [step.hop for _ in range(60) for step in listener.push(noise)]
    assert starts_of(heard) == pytest.approx(np.arange(60) * 10.0, abs=1e-3)


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
    events = list(listen([speech(4.0)], gate="off"))
    assert events
    assert events[0].model == Classifier().model_id


def test_hop_of_a_model_may_be_longer_than_its_window(
    tmp_path: Path, make_onnx: Callable[..., Path], metadata_for: Callable[..., ModelMetadata]
) -> None:
    features = replace(metadata_for().features, hop_length=800)  # frames with gaps between them
    path = make_onnx(tmp_path / "gaps.onnx", metadata_for(features=features, hop_seconds=3.0))
    noise = np.random.default_rng(0).normal(0.0, 0.1, 8 * RATE).astype(np.float32)
    heard = hops(pieces(noise, [777]), Classifier(path))
    assert np.diff([hop.end for hop in heard]) == pytest.approx([3.0, 3.0])
    assert_same(heard, hops([noise], Classifier(path)))
