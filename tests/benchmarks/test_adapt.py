"""``ser-bench adapt``: what getting used to a voice gains is measured run by run, and stored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.adapt_tables import adaptation_table, adapted_classes_table
from edge_runtime.classifier import DEFAULT_MODEL

from .some_run import SPEAKERS, write_run
from .test_tables import ser_bench

PASTS = ["as recorded", "0.70", "0.90", "0.97"]
WHICH = ("alone", "adapted")


@pytest.fixture
def run(corpora: Path, tmp_path: Path) -> Path:
    """A run folder as ser-train leaves it, with two speakers of EmoDB as its test part."""
    return write_run(corpora, tmp_path)


def test_two_real_speakers_are_judged_after_each_past_and_stored(run: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = ser_bench("adapt", run, "--results", results)
    assert done.returncode == 1
    assert "ser-convert" in done.stderr  # the model is not converted yet
    shutil.copy(DEFAULT_MODEL, run / "model.int8.tflite")
    command = ("adapt", run, "--results", results, "--draws", 2)
    done = ser_bench(*command)
    assert done.returncode == 0, done.stderr
    path = results / "adaptation" / "cross-corpus" / "edge-seed0-test-EmoDB.json"
    stored = json.loads(path.read_text())
    assert done.stdout.strip() == adaptation_table({"adaptation": [stored]})
    n_utterances = len(json.loads((run / "run.json").read_text())["predictions"])
    assert list(stored["pasts"]) == PASTS
    for past in stored["pasts"].values():
        assert past["speakers"] == len(SPEAKERS)
        assert past["utterances"] == n_utterances
        for which in WHICH:
            uar, recalls = past[f"uar {which}"], past[f"recall {which}"]
            assert len(uar) == stored["draws"] == 2
            assert "neutral" in recalls
            assert np.mean(list(recalls.values()), axis=0) == pytest.approx(uar, abs=1e-4)
            assert all(0.0 <= one <= 1.0 for drawn in recalls.values() for one in drawn)
        # However the halves are dealt, every utterance is judged once.
        assert len(set(past["uar alone"])) == 1
        assert past["uar adapted"] != past["uar alone"]
    assert ser_bench(*command).stdout == "edge-seed0-test-EmoDB.json: stored earlier\n"
    assert ser_bench(*command, "--again").returncode == 0
    assert json.loads(path.read_text()) == stored  # drawn by the seed
    assert ser_bench(*command, "--again", "--seed", 1).returncode == 0
    assert json.loads(path.read_text())["pasts"] != stored["pasts"]


def test_a_speaker_without_neutral_recordings_is_judged_after_no_share_of_them(
    run: Path, tmp_path: Path
) -> None:
    shutil.copy(DEFAULT_MODEL, run / "model.int8.tflite")
    described = json.loads((run / "run.json").read_text())
    described["predictions"] = [
        one
        for one in described["predictions"]
        if not one["name"].startswith("03") or one["target"] != 0
    ]
    (run / "run.json").write_text(json.dumps(described))
    results = tmp_path / "results"
    done = ser_bench("adapt", run, "--results", results, "--draws", 1, "--format", "jsonl")
    pasts = json.loads(done.stdout)["pasts"]
    assert [past["speakers"] for past in pasts.values()] == [2, 1, 1, 1]
    assert pasts["as recorded"]["utterances"] > pasts["0.70"]["utterances"]


def test_a_voice_that_the_model_knows_is_refused(run: Path, tmp_path: Path) -> None:
    described = json.loads((run / "run.json").read_text(encoding="utf-8"))
    described["predictions"].append({"corpus": "EmoDB", "name": "08a01Fd", "target": 1})
    (run / "run.json").write_text(json.dumps(described))
    shutil.copy(DEFAULT_MODEL, run / "model.int8.tflite")
    done = ser_bench("adapt", run, "--results", tmp_path / "results")
    assert done.returncode == 1
    assert "was trained or selected on EmoDB-08, whom the run tests" in done.stderr
    assert not (tmp_path / "results").exists()


def test_without_a_run_it_says_what_to_name() -> None:
    done = ser_bench("adapt")
    assert done.returncode == 1
    assert "name runs to measure" in done.stderr


def stored(corpus: str, uar: tuple[float, float], **changes: Any) -> dict[str, Any]:
    """A result: UAR alone and adapted, in two draws that differ a little; no neutral in it."""
    past = {
        "speakers": 3,
        "utterances": 100,
        "uar alone": [uar[0], uar[0]],
        "uar adapted": [uar[1] - 0.1, uar[1] + 0.1],
        "recall alone": {"sad": [0.5, 0.5]},
        "recall adapted": {"sad": [0.7, 0.8]},
    }
    return {
        "protocol_name": "cross-corpus",
        "recipe": "edge",
        "split": f"test-{corpus}",
        "seed": 0,
        "corpora": [corpus],
        "pasts": {"as recorded": past},
        **changes,
    }


def test_the_table_has_a_row_for_each_test_and_means_over_unheard_corpora() -> None:
    neutral = {
        "recall alone": {"neutral": [0.5, 0.5], "angry": [0.4, 0.4]},
        "recall adapted": {"neutral": [0.6, 0.8], "angry": [0.2, 0.4]},
    }
    one = stored("A", (0.3, 0.5))
    other = stored("B", (0.4, 0.4))
    past = {**other["pasts"]["as recorded"], **neutral}
    other["pasts"] = {"as recorded": past, "0.90": past}
    folds = [
        stored("C", uar, split=split, protocol_name="folds")
        for split, uar in (("fold1", (0.6, 0.6)), ("fold2", (0.8, 0.9)))
    ]
    table = adaptation_table({"adaptation": [one, other, *folds]}).splitlines()
    alone = "0.300 ± 0.000 (2) | 0.500 ± 0.141 (2) | +20.0"
    assert f"| A | as recorded | 3 | 100 | {alone} | - | - |" in table
    assert any(line.startswith("| B | 90% neutral | 3 | 100 | ") for line in table)
    # Of folds the mean, for each draw.
    whole = "0.700 ± 0.000 (2) | 0.750 ± 0.141 (2) | +5.0"
    assert f"| C (folds) | as recorded | 6 | 200 | {whole} | - | - |" in table
    # What not all corpora have is no mean of them.
    means = [line for line in table if line.startswith("| **mean")]
    assert means == [
        "| **mean** | as recorded | 2 corpora |  | 0.350 | 0.450 | +10.0 | 0.500 | 0.700 |"
    ]
    assert adapted_classes_table({"adaptation": [one, other, *folds]}).splitlines() == [
        "| tested on | neutral | sad | angry |",
        "|---|---|---|---|",
        "| B | 0.50 → 0.70 | - | 0.40 → 0.30 |",
    ]


def test_results_of_two_recipes_are_not_averaged() -> None:
    one = stored("A", (0.3, 0.5))
    other = stored("A", (0.4, 0.8), recipe="edge-1d")
    table = adaptation_table({"adaptation": [one, other]})
    assert "| A (edge) | as recorded | 3 | 100 | 0.300 ± 0.000 (2) | 0.500 " in table
    assert "| A (edge-1d) | as recorded | 3 | 100 | 0.400 ± 0.000 (2) | 0.800 " in table
    assert "mean" not in table
