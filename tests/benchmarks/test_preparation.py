"""``ser-bench preparation`` times whole chains over the same files, and says if they agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from benchmarks.preparation import (
    ALL_CORES,
    CHAINS,
    EMPTY_CACHE,
    FULL_CACHE,
    NOTEBOOK,
    OWN_RATE,
)
from benchmarks.preparation_table import preparation_table, targets_list

from ..train.tones import RATE, tone, write_wav
from .test_tables import ser_bench

SECONDS = 1.2
TIMES = 2  # twice the rate of the tones is what the features need


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus folder with TESS made of six tones at 16 kHz."""
    folder = tmp_path_factory.mktemp("corpora")
    for number, word in enumerate(("back", "bar", "base", "bath", "bean", "beg")):
        name = f"OAF_{word}_{'sad' if number % 2 else 'happy'}.wav"
        sound = tone(2 + number % 2, number, TIMES * SECONDS)
        write_wav(folder / "TESS" / "OAF" / name, sound, TIMES * RATE)
    return folder


def test_every_chain_is_timed_and_they_agree(tones: Path, tmp_path: Path) -> None:
    stored = tmp_path / "new" / "tones.json"
    result = ser_bench(
        "preparation",
        *("--corpora", tones, "--rounds", 3, "--utterances", 4),
        *("--format", "jsonl", "--store", stored),
    )
    assert result.returncode == 0, result.stderr
    measured = json.loads(result.stdout)
    assert measured == json.loads(stored.read_text())
    assert (measured["corpus"], measured["utterances"], measured["rounds"]) == ("TESS", 4, 3)
    assert measured["audio_seconds"] == pytest.approx(4 * SECONDS)
    assert measured["sample_rates"] == [TIMES * RATE]
    assert measured["config"]["pool"] == "mean"
    for key in ("seconds", "processor_share", "times_real_time"):
        assert tuple(measured[key]) == CHAINS
        assert all(value["p50"] > 0 for value in measured[key].values())
    assert set(measured["times_faster"]) == {EMPTY_CACHE, FULL_CACHE, ALL_CORES}
    for ratios in measured["times_faster"].values():
        assert set(ratios) == {NOTEBOOK, OWN_RATE}
    # What is in decibels and up to hundreds of them.
    assert measured["largest_difference"] < 1e-3


def test_targets_are_judged_by_the_median(tones: Path) -> None:
    result = ser_bench(
        "preparation", "--corpora", tones, "--rounds", 1, "--utterances", 2, "--format", "jsonl"
    )
    measured = json.loads(result.stdout)
    on_all, on_one, than_real_time = measured["targets"]
    assert [target["least"] for target in measured["targets"]] == [5, 5, 300]
    assert on_all["reached"] == measured["times_faster"][ALL_CORES][NOTEBOOK]["p50"]
    assert on_one["reached"] == measured["times_faster"][EMPTY_CACHE][NOTEBOOK]["p50"]
    assert than_real_time["reached"] == measured["times_real_time"][EMPTY_CACHE]["p50"]
    for target in measured["targets"]:
        assert target["met"] == (target["reached"] >= target["least"])


def test_the_text_names_every_chain_and_target(tones: Path) -> None:
    result = ser_bench("preparation", "--corpora", tones, "--rounds", 1, "--utterances", 100)
    assert result.returncode == 0, result.stderr
    assert "TESS, WAV: 6 utterances, 7.2 s at 16000 Hz, 1 rounds" in result.stdout
    lines = result.stdout.splitlines()
    for chain in CHAINS:
        assert sum(line.startswith(f"{chain}  ") for line in lines) == 1
    assert sum(line.startswith("target: at least ") for line in lines) == 3


@pytest.mark.parametrize(("name", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_files_of_any_format_are_timed_as_wav(tmp_path: Path, name: str, subtype: str) -> None:
    path = tmp_path / "TESS" / f"OAF_back_sad.{name.lower()}"
    path.parent.mkdir()
    soundfile.write(path, 0.3 * tone(3, 0, TIMES * SECONDS), TIMES * RATE, subtype, format=name)
    options = ("--corpora", tmp_path, "--rounds", 1, "--format", "jsonl")
    as_stored = json.loads(ser_bench("preparation", *options).stdout)
    as_wav = json.loads(ser_bench("preparation", *options, "--as", "wav").stdout)
    assert (as_stored["formats"], as_wav["formats"]) == ([name], ["WAV"])
    # The samples are the same, so that the features are.
    for key in ("audio_seconds", "sample_rates", "largest_difference"):
        assert as_wav[key] == as_stored[key]


def test_the_table_has_ratios_and_no_times() -> None:
    ratio = {"p10": 1.0, "p50": 2.0, "p90": 3.0}
    result = {
        "corpus": "TESS",
        "formats": ["FLAC"],
        "times_real_time": {NOTEBOOK: ratio, EMPTY_CACHE: ratio},
        "times_faster": {EMPTY_CACHE: {NOTEBOOK: ratio}},
    }
    both = [result, {**result, "formats": ["WAV"]}]
    assert preparation_table({"preparation": both}).splitlines()[2:] == [
        f"| TESS, {name} | {chain}"
        for name in ("FLAC", "WAV")
        for chain in (
            f"{NOTEBOOK} | 2.0 (1.0 - 3.0) |  |",
            f"{EMPTY_CACHE} | 2.0 (1.0 - 3.0) | 2.0 (1.0 - 3.0) |",
        )
    ]


def test_the_document_says_what_was_missed() -> None:
    targets = [
        {"than": "than real time", "least": 300.0, "reached": 299.9, "met": False},
        {"than": f"than {NOTEBOOK}", "least": 5.0, "reached": 5.5, "met": True},
    ]
    result = {"corpus": "TESS", "formats": ["FLAC"], "targets": targets}
    assert targets_list({"preparation": [result]}).splitlines() == [
        "- TESS, FLAC: at least 300 times faster than real time: missed, 299.9",
        f"- TESS, FLAC: at least 5 times faster than {NOTEBOOK}: met, 5.5",
    ]


def test_an_utterance_that_is_too_short_gets_one_line(tmp_path: Path) -> None:
    path = tmp_path / "TESS" / "OAF_back_sad.wav"
    write_wav(path, tone(3, 0, 0.5), TIMES * RATE)
    result = ser_bench("preparation", "--corpora", tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"ser-bench: {path}: ends before 0.5 s")
    assert result.stderr.count("\n") == 1


def test_a_corpus_that_is_not_known_gets_one_line(tones: Path) -> None:
    result = ser_bench("preparation", "--corpora", tones, "--corpus", "NOSUCH")
    assert result.returncode == 1
    assert "NOSUCH" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("number", ["0", "few"])
def test_a_wrong_number_is_wrong_usage(number: str) -> None:
    result = ser_bench("preparation", "--utterances", number)
    assert result.returncode == 2
    assert "--utterances" in result.stderr
