"""``ser-bench enrol``: what enrolment gains is measured speaker by speaker, stored and drawn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.enrol_tables import cost_list, enrolment_table, pairs_table
from edge_runtime.classifier import DEFAULT_MODEL

from .some_run import SPEAKERS, write_run
from .test_tables import ser_bench


@pytest.fixture
def run(corpora: Path, tmp_path: Path) -> Path:
    """A run folder as ser-train leaves it, with two speakers of EmoDB as its test part."""
    return write_run(corpora, tmp_path)


def test_two_real_speakers_are_enrolled_stored_and_drawn(run: Path, tmp_path: Path) -> None:
    results, plot = tmp_path / "results", tmp_path / "plots" / "curve.png"
    done = ser_bench("enrol", run, "--results", results)
    assert done.returncode == 1
    assert "ser-convert" in done.stderr  # the model is not converted yet
    shutil.copy(DEFAULT_MODEL, run / "model.int8.tflite")
    done = ser_bench("enrol", run, "--results", results, "--plot", plot)
    assert done.returncode == 0, done.stderr
    assert "| EmoDB | 1 | 2 |" in done.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    stored = json.loads((results / "enrol" / "edge-seed0-test-EmoDB.json").read_text())
    assert set(stored["speakers"]) == set(SPEAKERS)
    for rows in stored["speakers"].values():
        assert [row["clips"] for row in rows][:2] == [1, 3]
        for row in rows:
            for figure in ("uar", "answered", "right"):
                for when in ("before", "after"):
                    drawn = row[f"{figure} {when}"]
                    assert len(drawn) == stored["draws"] == 5
                    assert all(one is None or 0.0 <= one <= 1.0 for one in drawn)
            assert len(row["emotions"]) >= 3
    (pair,) = stored["others"]["pairs"]
    assert pair["speakers"] == list(SPEAKERS)
    assert stored["cost"]["profile_bytes"] < 100_000
    again = ser_bench("enrol", run, "--results", results)
    assert again.stdout == "edge-seed0-test-EmoDB.json: stored earlier\n"
    with (run / "model.int8.tflite").open("ab") as model:
        model.write(b"made anew")
    again = ser_bench("enrol", run, "--results", results)
    assert "of another model file; --again" in again.stdout


def test_a_voice_that_the_model_knows_is_refused(run: Path, tmp_path: Path) -> None:
    described = json.loads((run / "run.json").read_text(encoding="utf-8"))
    described["predictions"].append({"corpus": "EmoDB", "name": "08a01Fd", "target": 1})
    (run / "run.json").write_text(json.dumps(described))
    shutil.copy(DEFAULT_MODEL, run / "model.int8.tflite")
    done = ser_bench("enrol", run, "--results", tmp_path / "results")
    assert done.returncode == 1
    assert "was trained or selected on EmoDB-08, whom the run tests" in done.stderr
    assert not (tmp_path / "results").exists()


def test_without_anything_to_do_it_says_what_to_name() -> None:
    done = ser_bench("enrol")
    assert done.returncode == 1
    assert "name runs to measure" in done.stderr


def test_a_folder_without_a_run_is_one_line(tmp_path: Path) -> None:
    shutil.copy(DEFAULT_MODEL, tmp_path / "model.int8.tflite")
    done = ser_bench("enrol", tmp_path, "--corpora", tmp_path, "--results", tmp_path / "results")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "results").exists()


def stored(corpus: str, speakers: dict[str, dict[int, tuple[float, float]]]) -> dict[str, Any]:
    """A result: by speaker and number of clips the UAR before and after, in two draws alike."""
    pair = {"alone": 0.3, "own": 0.5, "the other's": 0.25, "one of both": 0.45}
    return {
        "recipe": "edge",
        "split": f"test-{corpus}",
        "speakers": {
            speaker: [
                {
                    "clips": count,
                    "emotions": ["happy", "sad", "fear"],
                    "uar before": [before] * 2,
                    "uar after": [after] * 2,
                    "answered before": [0.3] * 2,
                    "answered after": [0.4] * 2,
                    "right before": [0.5, None],
                    "right after": [0.6] * 2,
                }
                for count, (before, after) in rows.items()
            ]
            for speaker, rows in speakers.items()
        },
        "others": {"pairs": [{**pair, "nearest voice": 0.8}, {**pair, "nearest voice": 0.6}]},
        "cost": {"clips": 70, "fit_ms": 40.0, "profile_bytes": 31000},
    }


def test_tables_say_gains_and_the_worst_and_leave_rare_counts_out_of_the_mean() -> None:
    one = stored("A", {"a": {1: (0.2, 0.4), 5: (0.2, 0.9)}, "b": {1: (0.4, 0.3)}, "c": {}})
    other = stored("B", {"d": {1: (0.5, 0.6), 5: (0.5, 0.8)}})
    table = enrolment_table({"enrol": [one, other]}).splitlines()
    row = "| A | 1 | 2 | 3 | 0.300 ± 0.000 (2) | 0.350 ± 0.000 (2) | +5.0 | b: 0.30 (before 0.40) "
    assert f"{row}| 30%/50%, then 40%/60% |" in table
    assert table[-2].startswith("| **mean** | 1 | 2 corpora |  | 0.400 | 0.475 | +7.5 |")
    # Of three speakers of A one has five clips: that is no figure of the corpus.
    assert table[-1].startswith("| **mean** | 5 | 1 corpora |  | 0.500 | 0.800 | +30.0 |")
    pairs = pairs_table({"enrol": [one, other]})
    assert "| one profile of both speakers' clips | 0.450 | 0.450 |" in pairs
    assert "70% (60%)" in pairs
    assert "a profile of 70 clips: 31 KB" in cost_list({"enrol": [one]})


def test_results_of_two_recipes_are_not_averaged() -> None:
    one = stored("A", {"a": {1: (0.2, 0.4)}})
    other = {**stored("A", {"a": {1: (0.3, 0.8)}}), "recipe": "edge-1d"}
    table = enrolment_table({"enrol": [one, other]})
    assert "| A (edge) | 1 | 1 | 3 | 0.200 ± 0.000 (2) | 0.400 ± 0.000 (2) | +20.0 |" in table
    assert "| A (edge-1d) | 1 | 1 | 3 | 0.300 ± 0.000 (2) | 0.800 ± 0.000 (2) | +50.0 |" in table
    assert "| **mean (edge-1d)** | 1 | 1 corpora |  | 0.300 | 0.800 | +50.0 |" in table
    assert "| A (edge) | A (edge-1d) |" in pairs_table({"enrol": [one, other]})
