"""The soak and the cost of listening, of real processes, for a moment."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.soundscape import EXAMPLE, soundscape

from .test_tables import ser_bench


def test_a_soak_tells_what_grew_and_what_was_lost(monkeypatch, tmp_path):
    monkeypatch.delenv("SER_EDGE_CORPORA", raising=False)
    stored = tmp_path / "soak.json"
    done = ser_bench("soak", "--hours", "0.4", "--format", "jsonl", "--store", str(stored))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert json.loads(stored.read_text()) == result
    assert [one["hours"] for one in result["readings"]] == pytest.approx([1 / 6, 1 / 3], abs=0.01)
    assert all(20.0 < one["resident_mib"] < 300.0 for one in result["readings"])
    assert result["events"] > 0
    assert result["sound_lost"] == []
    assert result["targets"]["no sound or event is lost"] == "met"


def test_listening_is_measured_and_what_is_missing_is_named(monkeypatch):
    monkeypatch.delenv("SER_EDGE_CORPORA", raising=False)
    monkeypatch.delenv("SER_EDGE_PEERS_PYTHON", raising=False)
    done = ser_bench("listening", "--seconds", "7")
    assert done.returncode == 0, done.stderr
    assert "ser-edge listen" in done.stdout
    assert "openWakeWord 0.4.0: skipped: SER_EDGE_PEERS_PYTHON names no Python" in done.stdout
    assert "target: at most 80 MiB resident" in done.stdout


def test_a_soundscape_is_the_same_for_a_seed_and_holds_what_it_promises():
    first = np.concatenate(list(soundscape(120.0, 16000, [EXAMPLE], seed=3)))
    again = np.concatenate(list(soundscape(120.0, 16000, [EXAMPLE], seed=3)))
    other = np.concatenate(list(soundscape(120.0, 16000, [EXAMPLE], seed=4)))
    assert len(first) == 120 * 16000
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(first).max() <= 1.0
