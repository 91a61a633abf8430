"""The documents' tables follow from the stored results, and so do the stored figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.figures import figures_by_corpus

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = [
    "README.md",
    *(
        f"docs/{name}.md"
        for name in (
            *("results", "cost", "hardware", "daemon", "enrol"),
            *("configuration", "train", "convert", "install", "contributing"),
        )
    ),
    "edge_runtime/models/default.md",
]
JUDGED = sorted((RESULTS / "bundled").glob("*.json"))


def ser_bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from benchmarks.cli import main; sys.exit(main())",
            *map(str, arguments),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_documents_show_the_stored_results() -> None:
    result = ser_bench("tables", "--check", *DOCUMENTS)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_document_out_of_date_is_named_and_then_renewed(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- table: bundled -->\nold\n<!-- end -->\nafter\n")
    checked = ser_bench("tables", "--check", document)
    assert checked.returncode == 1
    assert checked.stdout == f"{document}: is out of date\n"
    assert "old" in document.read_text()
    assert ser_bench("tables", document).returncode == 0
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| UAR |" in text
    assert "old" not in text
    assert ser_bench("tables", "--check", document).returncode == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nothing marked", "has no <!-- table: NAME --> mark"),
        ("<!-- table: nonsense -->\n<!-- end -->", "asks for the unknown table 'nonsense'"),
    ],
)
def test_a_document_without_a_known_mark_gets_one_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    document = tmp_path / "page.md"
    document.write_text(text)
    result = ser_bench("tables", document)
    assert result.returncode == 1
    assert result.stderr == f"ser-bench: {document}: {complaint}\n"


def test_results_that_a_table_lacks_are_named(tmp_path: Path) -> None:
    (tmp_path / "tess-loso").mkdir()
    (tmp_path / "tess-loso" / "run.json").write_text("{}")
    result = ser_bench("tables", "--results", tmp_path, "README.md")
    assert result.returncode == 1
    assert result.stderr == "ser-bench: there is no stored result of the kind 'bundled'\n"


def test_damaged_results_get_one_line(tmp_path: Path) -> None:
    (tmp_path / "bundled").mkdir()
    broken = tmp_path / "bundled" / "run.json"
    broken.write_text("{")
    result = ser_bench("tables", "--results", tmp_path, "README.md")
    assert result.returncode == 1
    assert result.stderr.startswith(f"ser-bench: {broken}: cannot be read")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("path", JUDGED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_stored_figures_follow_from_the_stored_predictions(path: Path) -> None:
    run = json.loads(path.read_text())
    corpora = [name.split("/")[0] for name in run["utterances"]]
    for model in run["models"].values():
        scores = np.array(model["scores"], dtype=np.float32)
        again = figures_by_corpus(corpora, np.array(run["targets"]), scores, tuple(run["labels"]))
        assert stored_part(again, model["figures"]) == model["figures"]


def stored_part(figures: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """Those of the figures that were known when the result was stored."""
    return {
        key: {name: stored_part(figures[key][name], part) for name, part in value.items()}
        if key == "by_corpus"
        else figures[key]
        for key, value in stored.items()
    }


@pytest.mark.parametrize("path", JUDGED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_test_speaker_was_trained_or_selected_on(path: Path) -> None:
    speakers = json.loads(path.read_text())["speakers"]
    assert not set(speakers["test"]) & (set(speakers["train"]) | set(speakers["validation"]))


def test_the_bundled_model_is_the_one_that_was_judged() -> None:
    from edge_runtime.classifier import DEFAULT_MODEL
    from edge_runtime.metadata import model_hash

    judged = json.loads((RESULTS / "bundled" / "edge-seed0.json").read_text())["models"]
    assert model_hash(DEFAULT_MODEL) == judged["model.int8.tflite"]["sha256"]
    assert DEFAULT_MODEL.stat().st_size <= 120 * 1024
