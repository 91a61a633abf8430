"""``ser-bench nonspeech`` loops noises and counts what is heard in them."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.nonspeech import (
    QUIET_ROOM,
    add_parser,
    as_table,
    bench_nonspeech,
    find_noises,
    looped,
)
from edge_runtime import Classifier
from edge_runtime.errors import SerEdgeError

from ..train.tones import write_wav

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000


@pytest.fixture(scope="module")
def noises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpora folder whose noise is: rain of two folds, and a recording of speech as babble."""
    folder = tmp_path_factory.mktemp("corpora")
    rng = np.random.default_rng(0)
    for name in ("4-1-A", "5-1-A", "1-1-A"):
        rain = rng.normal(0.0, 0.05, 2 * RATE).astype(np.float32)
        write_wav(folder / "noise" / "ESC-10" / "002_-_Rain" / f"{name}.wav", rain, RATE)
    babble = folder / "noise" / "JonBoley-noises" / "babble.wav"
    babble.parent.mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "demo.wav", babble)
    return folder


def run(*arguments: object) -> int:
    """What ``ser-bench nonspeech`` does."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["nonspeech", *map(str, arguments)])
    return int(parsed.work(parsed))


def test_nothing_is_heard_in_rain_and_something_in_speech(
    noises: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = tmp_path / "nonspeech.json"
    options = (
        "--corpora",
        noises,
        "--minutes",
        0.5,
        "--folds",
        4,
        5,
        "--format",
        "jsonl",
        "--store",
        stored,
    )
    assert run(*options) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads(stored.read_text())
    assert (result["minutes"], result["gate"], result["esc10_folds"]) == (0.5, "energy", [4, 5])
    by_name = {one["noise"]: one for one in result["noises"]}
    assert set(by_name) == {QUIET_ROOM, "rain", "babble"}
    assert by_name["rain"]["clips"] == 2
    for name in (QUIET_ROOM, "rain"):
        assert by_name[name]["open_share"] == by_name[name]["events_per_hour"] == 0.0
        assert by_name[name]["windows"] == 0
        assert not by_name[name]["speech_like"]
    babble = by_name["babble"]
    assert babble["speech_like"]
    assert babble["open_share"] > 0.3
    assert babble["windows"] > 10
    assert babble["events_per_hour"] == sum(babble["events"].values()) * 120.0 > 0.0
    lines = as_table(result).splitlines()
    assert lines[-1].startswith("| babble (speech-like) | 1 of 12 s in all |")


def test_with_the_gate_off_every_window_is_classified(noises: Path) -> None:
    result = bench_nonspeech(noises, 0.2, [4], "off", Classifier())
    rain = next(one for one in result["noises"] if one["noise"] == "rain")
    assert rain["clips"] == 1
    assert rain["open_share"] == 1.0
    # The first after 2.048 s, then one every 31 frames of 16 ms, which are nearest to 0.5 s.
    assert rain["windows"] == 1 + int((12.0 - 2.048) / (31 * 0.016))


def test_a_threshold_above_all_scores_leaves_no_event(noises: Path) -> None:
    result = bench_nonspeech(noises, 0.3, [4], "off", Classifier(), threshold=1.0)
    heard = [one for one in result["noises"] if one["noise"] != QUIET_ROOM]
    assert len(heard) == 2
    assert all(one["windows"] and not one["events"] for one in heard)
    assert result["threshold"] == 1.0


def test_clips_are_joined_without_a_step_and_repeat() -> None:
    clips = [np.full(1600, value, dtype=np.float32) for value in (0.5, -0.5, 0.1)]
    sound = np.concatenate(list(looped(clips, RATE, 0.05)))
    assert len(sound) == 0.05 * 60 * RATE
    assert np.abs(np.diff(sound)).max() < 0.005
    period = 3 * (1600 - 320)
    np.testing.assert_array_equal(sound[period : 2 * period], sound[:period])
    assert {0.5, -0.5} <= set(np.unique(sound).round(3).tolist())


def test_what_cannot_be_done_is_told(noises: Path, tmp_path: Path) -> None:
    with pytest.raises(SerEdgeError, match="holds no noise clips"):
        find_noises(tmp_path, [4])
    with pytest.raises(SerEdgeError, match="--minutes must be above 0"):
        bench_nonspeech(noises, 0.0, [4], "off", Classifier())
