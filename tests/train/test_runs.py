"""What a run leaves: the network in other forms, and nothing half-written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from edge_runtime.errors import SerEdgeError
from train.evaluate import fit_recipe
from train.predict import latest_run
from train.recipe import Training

from ..disks import small_disk

KEEP = ("json-h5", "features", "test-set")


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    training = Training(steps=20, batch_size=8, learning_rate=5e-2)
    return replace(tiny_recipe, training=training, keep=KEEP)


def test_network_as_json_and_h5_is_the_same(recipe, place, tmp_path):
    fit_recipe(recipe, place, 0, tmp_path)
    model = keras.models.model_from_json((tmp_path / "model.json").read_text(encoding="utf-8"))
    model.load_weights(tmp_path / "model.weights.h5")
    with np.load(tmp_path / "features.npz") as arrays:
        inputs = arrays["test_inputs"]
    whole = keras.models.load_model(tmp_path / "model.keras", compile=False)
    expected = whole.predict(inputs, verbose=0)
    assert np.ptp(expected) > 0.01
    np.testing.assert_array_equal(model.predict(inputs, verbose=0), expected)
    assert not list(tmp_path.glob(".*"))
    tested = (tmp_path / "test.csv").read_text(encoding="utf-8").splitlines()
    assert len(tested) == 1 + len(json.loads((tmp_path / "run.json").read_text())["predictions"])


def test_run_without_git_is_stored_all_the_same(recipe, place, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    fit_recipe(recipe, place, 0, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["commit"] == ""


@pytest.mark.parametrize("kib", [8, 48, 100, 200, 400])
def test_full_disk_is_one_line_and_no_run(recipe, place, tmp_path, kib):
    """Full while the model, the arrays or the figures are written."""
    with small_disk(tmp_path / "disk", kib) as disk:
        with pytest.raises(SerEdgeError, match=r"cannot be written \(No space left") as caught:
            fit_recipe(recipe, place, 0, disk / "run")
        assert "\n" not in str(caught.value)
        assert not (disk / "run" / "run.json").exists()
        assert not list((disk / "run").glob(".*"))
        with pytest.raises(SerEdgeError, match="holds no run"):
            latest_run(disk)
        for path in (disk / "run").glob("*.keras"):
            keras.models.load_model(path, compile=False)


def test_size_of_the_disks_above(recipe, place, tmp_path):
    """The largest must be too small by little, or its test proves nothing."""
    folder: Path = tmp_path / "run"
    fit_recipe(recipe, place, 0, folder)
    for plot in [*folder.glob("*.png"), folder / "report.html"]:
        plot.unlink()
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert sizes["model.keras"] > 8 << 10
    assert sum(sizes.values()) > 400 << 10, sizes
    shutil.rmtree(folder)
