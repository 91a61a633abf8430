"""``ser-bench accuracy`` judges the bundled model again and finds what is stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime.classifier import DEFAULT_MODEL

from .test_tables import RESULTS, ser_bench

N_UTTERANCES = 60


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder as ser-train leaves it, with some of the bundled model's test utterances."""
    stored = json.loads((RESULTS / "bundled" / "edge-seed0.json").read_text())
    step = len(stored["targets"]) // N_UTTERANCES
    chosen = range(0, len(stored["targets"]), step)
    predictions = [
        dict(
            zip(("corpus", "name"), stored["utterances"][i].split("/")), target=stored["targets"][i]
        )
        for i in chosen
    ]
    described = {
        key: stored[key] for key in ("protocol", "split", "seed", "labels", "speakers", "versions")
    }
    described.update(recipe={"name": "edge"}, predictions=predictions)
    (tmp_path / "run.json").write_text(json.dumps(described))
    return tmp_path


def test_the_stored_scores_come_out_again(corpora: Path, run: Path, tmp_path: Path) -> None:
    store = tmp_path / "result.json"
    result = ser_bench("accuracy", run, DEFAULT_MODEL, "--store", store)
    assert result.returncode == 0, result.stderr
    assert "UAR" in result.stdout
    again = json.loads(store.read_text())
    stored = json.loads((RESULTS / "bundled" / "edge-seed0.json").read_text())
    before = dict(zip(stored["utterances"], stored["models"]["model.int8.tflite"]["scores"]))
    scores = again["models"]["default.tflite"]["scores"]
    same = sum(
        max(range(7), key=row.__getitem__) == max(range(7), key=before[name].__getitem__)
        for name, row in zip(again["utterances"], scores)
    )
    # Another processor may round a quantised value the other way.
    assert same >= 0.95 * len(scores)


def test_a_folder_without_a_run_gets_one_line(corpora: Path, tmp_path: Path) -> None:
    result = ser_bench("accuracy", tmp_path, DEFAULT_MODEL)
    assert result.returncode == 1
    assert result.stderr.startswith(f"ser-bench: {tmp_path}: no run.json")
    assert result.stderr.count("\n") == 1


def test_a_model_with_other_labels_gets_one_line(corpora: Path, run: Path) -> None:
    described = json.loads((run / "run.json").read_text())
    described["labels"][0] = "bored"
    (run / "run.json").write_text(json.dumps(described))
    result = ser_bench("accuracy", run, DEFAULT_MODEL)
    assert result.returncode == 1
    assert "its labels are not those of the run" in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_corpora_it_says_what_to_set(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SER_EDGE_CORPORA", raising=False)
    result = ser_bench("accuracy", run, DEFAULT_MODEL)
    assert result.returncode == 1
    assert "SER_EDGE_CORPORA" in result.stderr
