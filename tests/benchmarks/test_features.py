"""``ser-bench features`` measures what it says, whatever is installed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.metadata import read_metadata

from .test_tables import ser_bench

PEERS = {
    "librosa",
    "librosa, center=False",
    "python_speech_features",
    "kaldi-native-fbank",
    "kaldi-native-fbank, from a list",
}
OURS = {
    "ser-edge, whole clip",
    "ser-edge, new frames of a hop",
    "ser-edge, a hop of the bundled model",
}


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
    assert set(measured["milliseconds"]) == PEERS | OURS
    differences = measured["largest_difference"]
    assert set(differences) == set(measured["agreement_of"])
    assert differences.pop("ser-edge, in chunks") <= 2e-5
    assert set(differences) == {"librosa", "python_speech_features", "kaldi-native-fbank"}
    assert max(differences.values()) <= 1e-4
    bundled = read_metadata(DEFAULT_MODEL)
    assert measured["bundled"]["config"] == bundled.features.to_dict()
    assert measured["bundled"]["hop_seconds"] == pytest.approx(bundled.hop_seconds, abs=0.01)


def test_the_targets_are_judged_by_the_ratios_of_a_hop() -> None:
    result = ser_bench("features", "--rounds", 2, "--format", "jsonl")
    measured = json.loads(result.stdout)
    ratios = measured["times_faster"]["ser-edge, new frames of a hop"]
    assert len(measured["targets"]) == 3
    for sentence, outcome in measured["targets"].items():
        found = re.fullmatch(r".* at least (\d+) times faster than (.*)", sentence)
        assert found
        ratio = ratios[found[2]]["p50"]
        verdict = "met" if ratio >= float(found[1]) else "missed"
        assert outcome == f"{verdict}, {ratio:.1f}"


def test_the_table_has_a_line_for_each_contender() -> None:
    lines = ser_bench("features", "--rounds", 2).stdout.splitlines()
    for name in PEERS | OURS:
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
