"""``ser-bench limit`` compares each stage with products that are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.arithmetic import of_frame
from benchmarks.limit_network import arithmetic_of
from benchmarks.limit_text import limit_table, products_table
from benchmarks.matrix_products import FLOAT, INT8, fully_connected
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.metadata import read_metadata

from .test_tables import ser_bench

interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="it runs the products")

PARTS = ("features", "gate", "window", "inference")


def layer(kind: str, rows: int, inputs: int, outputs: int) -> tuple[np.ndarray, ...]:
    """What goes into a layer, its weights, and what comes out."""
    running = interpreter.Interpreter(model_content=fully_connected(kind, rows, inputs, outputs))
    running.allocate_tensors()
    (given,), (got,) = running.get_input_details(), running.get_output_details()
    weights = next(one for one in running.get_tensor_details() if one["name"] == "weights")
    rng = np.random.default_rng(1)
    values = rng.integers(-100, 100, given["shape"]).astype(given["dtype"])
    running.set_tensor(given["index"], values)
    running.invoke()
    scale = got["quantization"][0] or 1.0
    return values, running.get_tensor(weights["index"]), running.get_tensor(got["index"]) * scale


@pytest.mark.parametrize("kind", [FLOAT, INT8])
def test_a_layer_multiplies_its_matrices(kind: str) -> None:
    values, weights, products = layer(kind, 8, 64, 16)
    wanted = values.astype(np.float64) @ weights.astype(np.float64).T
    step = 64.0 * 8.0 if kind == INT8 else 0.01
    # What exceeds int8 saturates: some do, so that the whole range is in use.
    inside = np.abs(wanted) < 127 * step if kind == INT8 else np.ones(wanted.shape, dtype=bool)
    assert inside.mean() > 0.9
    assert np.abs(products - wanted)[inside].max() <= step


def test_every_stage_is_judged_against_its_product(tmp_path: Path) -> None:
    stored = tmp_path / "limit" / "here.json"
    result = ser_bench("limit", "--rounds", 3, "--format", "jsonl", "--store", stored)
    assert result.returncode == 0, result.stderr
    measured = json.loads(result.stdout)
    assert measured == json.loads(stored.read_text())
    (model,) = measured["models"]
    stages = model["stages"]
    assert set(stages) == {*PARTS, "network alone", "decision"}
    for stage in stages.values():
        assert 0.0 <= stage["efficiency"]["p10"] <= stage["efficiency"]["p90"]
        assert stage["efficiency"]["p90"] > 0.0
        assert stage["ms"]["p50"] > 0.0
    config = read_metadata(DEFAULT_MODEL).features
    features = of_frame(config).times(model["hop_frames"]).macs
    assert stages["features"]["macs"] == {"float32, numpy": features}
    network = sum(sum(one.macs.values()) for one in arithmetic_of(DEFAULT_MODEL).values())
    assert stages["inference"]["macs"] == {"int8, interpreter": network}
    total = sum(sum(stages[name]["macs"].values()) for name in PARTS)
    assert sum(stages["decision"]["macs"].values()) == total
    kinds = {one["kind"] for one in measured["products"].values()}
    assert kinds == {"float32, numpy", "float32, interpreter", "int8, interpreter"}
    assert all(one["gmac_per_s"]["p50"] > 0 for one in measured["products"].values())


def test_several_files_are_judged_in_one_run(tmp_path: Path) -> None:
    again = tmp_path / "again.tflite"
    again.write_bytes(DEFAULT_MODEL.read_bytes())
    stored = tmp_path / "both.json"
    shown = ser_bench("limit", DEFAULT_MODEL, again, "--rounds", 1, "--store", stored)
    assert shown.returncode == 0, shown.stderr
    result = json.loads(stored.read_text())
    assert [model["file"] for model in result["models"]] == ["default.tflite", "again.tflite"]
    lines = shown.stdout.splitlines()
    for name in ("features of a hop", "inference", "decision, samples to events"):
        assert sum(line.startswith(f"| {name} |") for line in lines) == 2
    results = {"limit": [result]}
    assert len(limit_table(results).splitlines()) == 2 + 2 * 6
    assert len(products_table(results).splitlines()) == 2 + len(result["products"])


def test_a_file_that_is_not_there_gets_one_line() -> None:
    result = ser_bench("limit", "nothing.tflite")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("ser-bench: nothing.tflite: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_file_of_another_format_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    with pytest.raises(Exception, match=r"of \.tflite files alone"):
        arithmetic_of(path)


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_a_wrong_number_of_rounds_is_wrong_usage(rounds: str) -> None:
    result = ser_bench("limit", "--rounds", rounds)
    assert result.returncode == 2
    assert "--rounds" in result.stderr
