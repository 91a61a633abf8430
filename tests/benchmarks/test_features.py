"""``ser-bench features`` measures what it says, whatever is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .test_tables import ser_bench

PEERS = {"librosa", "librosa, center=False", "python_speech_features", "kaldi-native-fbank"}


def test_every_peer_is_timed_and_agreement_is_stated(tmp_path: Path) -> None:
    stored = tmp_path / "new" / "features.json"
    result = ser_bench("features", "--rounds", 3, "--format", "jsonl", "--store", stored)
    assert result.returncode == 0, result.stderr
    measured = json.loads(result.stdout)
    assert measured == json.loads(stored.read_text())
    assert measured["missing"] == []
    for ratios in measured["times_faster"].values():
        assert set(ratios) == PEERS
        assert all(ratio["p50"] > 0 for ratio in ratios.values())
    assert measured["largest_difference"]["librosa"] <= 1e-4
    assert measured["largest_difference"]["python_speech_features"] <= 1e-4


def test_the_table_has_a_line_for_each_contender() -> None:
    lines = ser_bench("features", "--rounds", 2).stdout.splitlines()
    for name in [*PEERS, "ser-edge, whole clip", "ser-edge, new frames of a hop"]:
        assert sum(line.startswith(f"{name}  ") for line in lines) == 1


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_a_wrong_number_of_rounds_is_wrong_usage(rounds: str) -> None:
    result = ser_bench("features", "--rounds", rounds)
    assert result.returncode == 2
    assert "--rounds" in result.stderr


def test_a_sound_that_is_too_short_gets_one_line() -> None:
    result = ser_bench("features", "--sound", "examples/no-such-file.wav")
    assert result.returncode == 1
    assert result.stderr == "ser-bench: examples/no-such-file.wav: there is no such file\n"
