"""Emotions begin when windows agree, go on by hysteresis and end with the speech."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_runtime.decisions import DecisionMaker, DecisionSettings, Verdict

LABELS = ("neutral", "happy", "angry")
HOP, WINDOW = 0.5, 2.0
AT_ONCE = DecisionSettings(
    smoothing=1.0, minimum_count=1, hysteresis=0.0, refractory_seconds=0.0, threshold=None
)


def settings(**changes) -> DecisionSettings:
    return DecisionSettings(**{**vars(AT_ONCE), **changes})


def run(maker: DecisionMaker, windows) -> list[list[Verdict]]:
    """Push windows one hop apart; None is a hop without speech."""
    told = []
    for number, scores in enumerate(windows):
        start = number * HOP
        if scores is None:
            told.append(maker.end())
        else:
            told.append(maker.push(np.asarray(scores, np.float32), start, start + WINDOW))
    return told


def kinds(told) -> list[list[tuple[str, str]]]:
    return [[(verdict.kind, verdict.label) for verdict in one] for one in told]


HAPPY, ANGRY, NEUTRAL = (0.1, 0.8, 0.1), (0.1, 0.1, 0.8), (0.8, 0.1, 0.1)


def test_an_emotion_starts_goes_on_and_ends_with_the_speech():
    told = run(DecisionMaker(LABELS, 0.0, AT_ONCE), [HAPPY, HAPPY, None, None])
    assert kinds(told) == [[("start", "happy")], [("update", "happy")], [("end", "happy")], []]
    end = told[2][0]
    assert (end.start, end.end) == (0.0, HOP + WINDOW)
    assert end.score == pytest.approx(0.8)


def test_another_emotion_ends_the_one_before():
    told = run(DecisionMaker(LABELS, 0.0, AT_ONCE), [HAPPY, ANGRY])
    assert kinds(told)[1] == [("end", "happy"), ("start", "angry")]
    assert told[1][1].start == HOP


def test_a_start_takes_as_many_windows_in_a_row_as_the_minimum_count():
    maker = DecisionMaker(LABELS, 0.0, settings(minimum_count=3))
    told = run(maker, [HAPPY, HAPPY, ANGRY, HAPPY, HAPPY, HAPPY])
    assert kinds(told) == [[], [], [], [], [], [("start", "happy")]]
    assert told[5][0].start == 3 * HOP


def test_speech_that_pauses_starts_the_count_anew():
    maker = DecisionMaker(LABELS, 0.0, settings(minimum_count=2))
    assert kinds(run(maker, [HAPPY, None, HAPPY, None])) == [[], [], [], []]


def test_scores_below_the_threshold_are_unsure():
    maker = DecisionMaker(LABELS, 0.5, AT_ONCE)
    told = run(maker, [(0.4, 0.3, 0.3), (0.4, 0.35, 0.25), HAPPY, (0.3, 0.4, 0.3)])
    assert kinds(told) == [
        [("start", "unsure")],
        [("update", "unsure")],
        [("end", "unsure"), ("start", "happy")],
        [("end", "happy"), ("start", "unsure")],
    ]
    assert told[0][0].score == pytest.approx(0.4)


def test_the_threshold_of_the_settings_goes_before_the_models():
    maker = DecisionMaker(LABELS, 0.0, settings(threshold=0.9))
    assert kinds(run(maker, [HAPPY])) == [[("start", "unsure")]]


def test_hysteresis_keeps_an_emotion_that_is_nearly_best():
    maker = DecisionMaker(LABELS, 0.0, settings(hysteresis=0.2))
    told = run(maker, [HAPPY, (0.1, 0.4, 0.5), (0.1, 0.3, 0.6)])
    assert kinds(told)[1] == [("update", "happy")]
    assert told[1][0].score == pytest.approx(0.4)
    assert kinds(told)[2] == [("end", "happy"), ("start", "angry")]


def test_hysteresis_keeps_an_emotion_just_below_the_threshold():
    maker = DecisionMaker(LABELS, 0.5, settings(hysteresis=0.1))
    told = run(maker, [HAPPY, (0.3, 0.45, 0.25), (0.35, 0.38, 0.27)])
    assert kinds(told)[1:] == [[("update", "happy")], [("end", "happy"), ("start", "unsure")]]


def test_what_lies_on_a_limit_is_within_it():
    # Numbers that are exact in binary.
    as_much_as_the_threshold = DecisionMaker(LABELS, 0.5, AT_ONCE)
    assert kinds(run(as_much_as_the_threshold, [(0.25, 0.5, 0.25)])) == [[("start", "happy")]]
    sure = (0.0, 1.0, 0.0)
    behind_by_the_margin = DecisionMaker(LABELS, 0.0, settings(hysteresis=0.25))
    told = run(behind_by_the_margin, [sure, (0.25, 0.25, 0.5)])
    assert kinds(told)[1] == [("update", "happy")]
    below_by_the_margin = DecisionMaker(LABELS, 0.75, settings(hysteresis=0.25))
    told = run(below_by_the_margin, [sure, (0.25, 0.5, 0.25)])
    assert kinds(told)[1] == [("update", "happy")]


def test_an_emotion_that_no_window_bears_out_ends_though_no_other_is_settled():
    maker = DecisionMaker(LABELS, 0.0, settings(minimum_count=2))
    told = run(maker, [HAPPY, HAPPY, ANGRY, NEUTRAL, ANGRY, ANGRY])
    assert kinds(told) == [
        [],
        [("start", "happy")],
        [("update", "happy")],
        [("end", "happy")],
        [],
        [("start", "angry")],
    ]


def test_within_the_refractory_time_nothing_else_starts():
    maker = DecisionMaker(LABELS, 0.0, settings(refractory_seconds=1.0))
    told = run(maker, [HAPPY, ANGRY, ANGRY])
    assert kinds(told) == [[("start", "happy")], [("end", "happy")], [("start", "angry")]]


def test_the_refractory_time_counts_over_a_pause():
    maker = DecisionMaker(LABELS, 0.0, settings(refractory_seconds=2.0))
    told = run(maker, [HAPPY, None, HAPPY, HAPPY, HAPPY])
    assert kinds(told)[2:] == [[], [], [("start", "happy")]]


def test_smoothing_weighs_the_newest_window():
    maker = DecisionMaker(LABELS, 0.0, settings(smoothing=0.25))
    told = run(maker, [HAPPY, ANGRY])
    wanted = np.float32(0.75) * np.float32(HAPPY) + np.float32(0.25) * np.float32(ANGRY)
    np.testing.assert_allclose(told[1][0].scores, wanted, atol=1e-6)


def test_after_a_pause_the_scores_before_it_are_forgotten():
    maker = DecisionMaker(LABELS, 0.0, settings(smoothing=0.01))
    told = run(maker, [HAPPY, None, ANGRY])
    np.testing.assert_allclose(told[2][0].scores, ANGRY, atol=1e-6)


scores = hnp.arrays(np.float32, 3, elements=st.floats(0.015625, 1.0, width=32)).map(
    lambda values: (values / values.sum()).astype(np.float32)
)


@given(
    windows=st.lists(st.one_of(st.none(), scores), max_size=60),
    threshold=st.floats(0.0, 1.0),
    smoothing=st.floats(0.05, 1.0),
    minimum_count=st.integers(1, 4),
    hysteresis=st.floats(0.0, 1.0),
    refractory=st.floats(0.0, 5.0),
)
def test_every_start_has_its_end_and_updates_lie_between(
    windows, threshold, smoothing, minimum_count, hysteresis, refractory
):
    maker = DecisionMaker(
        LABELS,
        threshold,
        DecisionSettings(smoothing, minimum_count, hysteresis, refractory),
    )
    active, last_start = None, -np.inf
    told = [verdict for one in run(maker, windows) for verdict in one]
    for verdict in [*told, *maker.end()]:
        if verdict.kind == "start":
            assert active is None
            assert verdict.end - last_start >= refractory
            active, last_start = verdict.label, verdict.end
        else:
            assert verdict.label == active
            active = None if verdict.kind == "end" else active
        assert verdict.scores.sum() == pytest.approx(1.0, abs=1e-4)
        assert 0.0 <= verdict.score <= 1.0
        assert verdict.start <= verdict.end
    assert active is None
    assert maker.label is None
