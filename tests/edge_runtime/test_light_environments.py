"""The command line works with each interpreter alone, as devices have them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.metadata import read_metadata

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.wav"


def answer(variable: str, *arguments: object, cwd: Path) -> list[dict[str, object]]:
    """Run ``ser-edge`` with the Python that a variable names and nothing but what it has."""
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} is not set; `make test` sets it")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SER_EDGE_"))}
    done = subprocess.run(
        [Path(python).with_name("ser-edge"), *map(str, arguments), "--format", "jsonl"],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=clean,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("variable", ["SER_EDGE_BASE_PYTHON", "SER_EDGE_TFLITE_PYTHON"])
def test_the_bundled_model_listens(variable: str, tmp_path: Path) -> None:
    events = answer(variable, "listen", "--source", DEMO, cwd=tmp_path)
    kinds = [event["kind"] for event in events]
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert len(events) >= 10
    assert all(set(event["scores"]) == set(read_metadata(DEFAULT_MODEL).labels) for event in events)


def test_the_interpreters_agree_on_the_bundled_model(tmp_path: Path) -> None:
    (one,) = answer("SER_EDGE_BASE_PYTHON", "classify", DEMO, cwd=tmp_path)
    (other,) = answer("SER_EDGE_TFLITE_PYTHON", "classify", DEMO, cwd=tmp_path)
    for label, score in one["scores"].items():
        # Mean over windows of int8 probabilities, each a few steps of 1/256 apart at most.
        assert other["scores"][label] == pytest.approx(score, abs=4 / 256)


def test_onnxruntime_alone_classifies_with_an_onnx_file(
    make_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    model = make_onnx(tmp_path / "model.onnx", read_metadata(DEFAULT_MODEL))
    (event,) = answer("SER_EDGE_ONNX_PYTHON", "classify", DEMO, "--model", model, cwd=tmp_path)
    assert sum(event["scores"].values()) == pytest.approx(1.0, abs=1e-5)


def test_onnxruntime_alone_says_what_a_tflite_file_needs(tmp_path: Path) -> None:
    python = os.environ.get("SER_EDGE_ONNX_PYTHON")
    if not python:
        pytest.skip("SER_EDGE_ONNX_PYTHON is not set; `make test` sets it")
    done = subprocess.run(
        [Path(python).with_name("ser-edge"), "classify", str(DEMO)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install ai-edge-litert" in done.stderr
