"""How soon and how steadily a stream is right: counted as it is said, from what listeners say."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sound_conditions import find_conditions
from benchmarks.streaming import (
    ROOM_DBFS,
    TAIL_SECONDS,
    Heard,
    LabelTrack,
    hear,
    judge_streams,
    make_stream,
    protocol,
    stream_figures,
)
from edge_runtime.classifier import Classifier
from edge_runtime.events import Event
from edge_runtime.listener import Listener
from edge_runtime.metadata import LABELS
from train.corpora import Utterance, read_corpora

from .voices import DATA, RATE, example, write_surroundings, write_voices

going_on = st.lists(st.sampled_from(["sad", "angry", "unsure", None]), max_size=40)


def tracked(labels: list[str | None], right: str = "sad") -> LabelTrack:
    track = LabelTrack(right)
    for number, label in enumerate(labels):
        track.push(0.5 * number, label)
    return track


def counts(track: LabelTrack) -> tuple[object, ...]:
    return (track.hops, track.labelled, track.right_hops, track.flips)


@given(going_on)
def test_flips_are_the_changes_between_the_labels_that_are_going_on(
    labels: list[str | None],
) -> None:
    said = [label for label in labels if label is not None]
    runs = len(list(groupby(said)))
    assert tracked(labels).flips == max(0, runs - 1)


@given(going_on)
def test_hops_at_which_nothing_goes_on_change_neither_flips_nor_what_was_said(
    labels: list[str | None],
) -> None:
    with_gaps = [one for label in labels for one in (label, None)]
    alone, spread = tracked(labels), tracked(with_gaps)
    assert counts(alone)[1:] == counts(spread)[1:]
    assert spread.hops == 2 * alone.hops


@given(going_on)
def test_the_first_right_decision_is_the_earliest_and_never_before_the_first(
    labels: list[str | None],
) -> None:
    track = tracked(labels)
    right = [0.5 * number for number, label in enumerate(labels) if label == "sad"]
    said = [0.5 * number for number, label in enumerate(labels) if label is not None]
    assert track.first_right == min(right, default=None)
    assert track.first == min(said, default=None)
    assert (track.right_hops, track.labelled, track.hops) == (len(right), len(said), len(labels))
    assert 0 <= track.right_hops <= track.labelled <= track.hops
    assert track.flips <= max(0, track.labelled - 1)


@given(going_on)
def test_it_does_not_matter_which_emotion_is_the_right_one(labels: list[str | None]) -> None:
    swapped = [{"sad": "angry", "angry": "sad"}.get(str(one), one) for one in labels]
    one, other = tracked(labels, "sad"), tracked(swapped, "angry")
    assert counts(one) == counts(other)
    assert (one.first, one.first_right) == (other.first, other.first_right)


@given(st.lists(going_on, min_size=1, max_size=6))
def test_figures_sum_up_the_tracks(rows: list[list[str | None]]) -> None:
    heard = [Heard("sad", tracked(row), len(row), 0, 0, 0, False, 6.0) for row in rows]
    figures = stream_figures(heard, heard)
    firsts = [one.track.first_right for one in heard if one.track.first_right is not None]
    assert figures["utterances"] == len(rows)
    assert figures["never_right"] == len(rows) - len(firsts)
    assert figures["missed"] == sum(not any(row) for row in rows)
    if firsts:
        assert figures["first_right"]["p50"] == pytest.approx(np.median(firsts), abs=1e-3)
        assert figures["first_right"]["mean"] == pytest.approx(np.mean(firsts), abs=1e-3)
        assert figures["first_right"]["p90"] == pytest.approx(np.percentile(firsts, 90), abs=1e-3)
    else:
        assert figures["first_right"] == {"p50": None, "mean": None, "p90": None}
    said = [label for row in rows for label in row if label is not None]
    expected = said.count("sad") / len(said) if said else None
    assert figures["right_share"] == pytest.approx(expected, abs=1e-4)
    flips = sum(one.track.flips for one in heard)
    assert figures["in_a_row"]["flips"] == flips
    assert figures["in_a_row"]["flips_per_minute"] == pytest.approx(flips / (0.1 * len(rows)), 0.01)
    assert figures["by_label"]["sad"]["never_right"] == figures["never_right"]


@given(source=st.text(max_size=8), lead=st.floats(1.0, 3.0), hop=st.floats(0.1, 1.0))
def test_speech_lies_in_a_stream_where_it_is_said_to(source: str, lead: float, hop: float) -> None:
    speech = np.zeros(RATE, dtype=np.float32)
    tone = 0.3 * np.sin(np.arange(FRAMES * 512) * 0.3)
    speech[1024 : 1024 + len(tone)] = tone
    stream = make_stream([speech, speech], RATE, source, lead, hop)
    before = stream.begin - 1024 / RATE
    assert lead - 1e-4 <= before <= lead + hop + 1e-4
    assert stream.end == pytest.approx(before + 1.0 + (1024 + len(tone)) / RATE)
    assert len(stream.sound) / RATE == pytest.approx(before + 2.0 + TAIL_SECONDS, abs=1e-4)
    assert stream.body_seconds == 2.0
    room = stream.sound[: int(before * RATE)].astype(np.float64)
    assert 10.0 * np.log10(2.0 * np.mean(room**2)) == pytest.approx(ROOM_DBFS, abs=0.5)
    again = make_stream([speech, speech], RATE, source, lead, hop)
    np.testing.assert_array_equal(stream.sound, again.sound)


FRAMES = 10


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.mark.parametrize("label", LABELS)
def test_the_counts_are_those_of_the_events_that_a_listener_tells(
    classifier: Classifier, label: str
) -> None:
    stream = make_stream([example()], RATE, "example", 3.0, 0.5)
    heard = hear(Listener(classifier), stream, label)
    listener = Listener(classifier)
    events: list[Event] = []
    for start in range(0, len(stream.sound), 777):
        for step in listener.push(stream.sound[start : start + 777]):
            events += step.events
    told = [event for event in events if event.kind in ("start", "update")]
    assert told
    right = [event.end - stream.begin for event in told if event.label == label]
    track = heard.track
    assert track.labelled == len(told)
    assert track.right_hops == len(right)
    assert track.first_right == (pytest.approx(right[0], abs=2e-3) if right else None)
    assert track.first == pytest.approx(told[0].end - stream.begin, abs=2e-3)
    starts = [event.label for event in events if event.kind == "start"]
    assert track.flips == len(list(groupby(starts))) - 1
    assert not heard.began_early
    assert heard.n_before_open == 0
    assert 0 < heard.n_speech_open <= heard.n_speech


def test_what_goes_on_before_the_speech_is_told_apart(classifier: Classifier) -> None:
    """Speech before what counts as the beginning, as babble would be."""
    stream = make_stream([example()], RATE, "example", 3.0, 0.5)
    late = type(stream)(stream.sound, stream.begin + 6.0, stream.end, stream.body_seconds)
    heard = hear(Listener(classifier), late, "sad")
    assert heard.began_early
    assert heard.n_before_open > 0
    figures = stream_figures([heard], [])
    assert figures["began_early"] == 1
    assert figures["open_share_before"] == pytest.approx(
        heard.n_before_open / heard.n_before, abs=1e-4
    )
    assert figures["in_a_row"]["flips_per_minute"] is None


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Utterance]]:
    folder = write_surroundings(write_voices(tmp_path_factory.mktemp("corpora")))
    return folder, read_corpora(folder, [DATA])


def test_streams_in_several_conditions_come_out_the_same_again(
    classifier: Classifier, voices: tuple[Path, list[Utterance]]
) -> None:
    folder, utterances = voices
    labels = ["sad"] * len(utterances)
    conditions = find_conditions(folder, ("rooms",))
    figures = judge_streams(classifier, utterances, labels, conditions)
    assert list(figures) == ["clean", "room far", "room near"]
    assert figures == judge_streams(classifier, utterances, labels, conditions)
    clean = figures["clean"]
    assert clean["utterances"] == 8
    # One row for each of two speakers.
    assert clean["in_a_row"]["streams"] == 2
    assert clean["in_a_row"]["minutes"] == pytest.approx(8 * 2.5 / 60.0, abs=1e-3)
    assert set(clean["by_label"]) == {"sad"}


def test_the_protocol_says_the_numbers() -> None:
    assert f"({ROOM_DBFS:g} dBFS)" in protocol()
    assert f"{TAIL_SECONDS:g} s longer" in protocol()


def test_a_few_utterances_of_the_bundled_models_test_speakers(
    corpora: Path, classifier: Classifier
) -> None:
    spoken = [u for u in read_corpora(corpora, ["TESS"]) if u.speaker == "TESS-YAF"]
    chosen = [u for u in spoken if u.emotion in ("disgust", "neutral")][::50]
    heard = judge_streams(classifier, chosen, [u.emotion for u in chosen])["clean"]
    assert heard["utterances"] == len(chosen) == 8
    assert heard["missed"] <= 1
    assert heard["never_right"] <= 2
    # A window's worth of agreement at least, and the speech is over soon.
    assert 0.5 < heard["first_right"]["p50"] < 4.0
    assert heard["right_share"] > 0.5
    assert heard["open_share_before"] == 0.0
