"""A small model fitted to tones, as ser-train leaves it, and its conversions."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pytest

from convert.cli import main
from train.cache import FeatureCache
from train.evaluate import Place, fit_recipe
from train.recipe import load_recipe

from ..train.tones import RECIPE, write_ravdess, write_tess

ENDINGS = {
    "float32": ".float32.tflite",
    "float16": ".float16.tflite",
    "dynamic": ".dynamic.tflite",
    "int8": ".int8.tflite",
    "int16": ".int16.tflite",
    "onnx": ".onnx",
    "onnx-int8": ".int8.onnx",
}


@dataclass(frozen=True)
class Trained:
    """A finished run and the corpora it was trained on."""

    folder: Path
    corpora: Path

    @property
    def model(self) -> Path:
        return self.folder / "model.keras"


@dataclass(frozen=True)
class Converted:
    path: Path
    report: dict[str, Any]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    root = tmp_path_factory.mktemp("trained")
    write_tess(root / "corpora" / "TESS")
    write_ravdess(root / "corpora" / "RAVDESS", range(1, 5), repeats=2)
    (root / "tiny.toml").write_text(RECIPE.replace("steps = 20", "steps = 400"), encoding="utf-8")
    recipe = load_recipe(str(root / "tiny.toml"))
    fit_recipe(recipe, Place(root / "corpora", FeatureCache(root / "cache")), 0, root / "run")
    return Trained(root / "run", root / "corpora")


@pytest.fixture(scope="session")
def all_converted(trained: Trained) -> dict[str, Converted]:
    """Every target of the run's model, by ``--all``."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main([str(trained.model), "--all", "--format", "jsonl"]) == 0
    reports = [json.loads(line) for line in output.getvalue().splitlines()]
    return {report["target"]: Converted(Path(report["file"]), report) for report in reports}


@pytest.fixture(params=list(ENDINGS))
def converted(request: pytest.FixtureRequest, all_converted: dict[str, Converted]) -> Converted:
    """Each of them in turn."""
    return all_converted[request.param]


@pytest.fixture(scope="session")
def int8(all_converted: dict[str, Converted]) -> Converted:
    return all_converted["int8"]


@pytest.fixture(scope="session")
def float32(all_converted: dict[str, Converted]) -> Converted:
    return all_converted["float32"]


@pytest.fixture
def run(tmp_path: Path, trained: Trained) -> Path:
    """A copy of the finished run, to be changed."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("model.keras", "ser_edge.json", "representative.npz", "held_out.npz"):
        shutil.copy(trained.folder / name, folder / name)
    return folder


def network(*layers: keras.Layer, shape=(31, 20), labels: int = 7) -> keras.Model:
    """A network with random weights that reads the run's windows."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input(shape), *layers, keras.layers.Dense(labels, activation="softmax")]
    )


def converts(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Convert, which must succeed, and give the report."""
    status = main([*map(str, arguments), "--format", "jsonl"])
    out, err = capsys.readouterr()
    assert status == 0, err
    return json.loads(out)
