"""A small model fitted to tones, as ser-train leaves it, and its conversions."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from convert.cli import main
from train.cache import FeatureCache
from train.evaluate import Place, fit_recipe
from train.recipe import load_recipe

from ..train.tones import RECIPE, write_ravdess, write_tess

SUFFIXES = {"int8": ".int8.tflite", "float32": ".float32.tflite", "onnx": ".onnx"}


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


def _converted(trained: Trained, target: str) -> Converted:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert main([str(trained.model), f"--{target}", "--format", "jsonl"]) == 0
    return Converted(trained.model.with_suffix(SUFFIXES[target]), json.loads(output.getvalue()))


@pytest.fixture(scope="session")
def int8(trained: Trained) -> Converted:
    return _converted(trained, "int8")


@pytest.fixture(scope="session")
def float32(trained: Trained) -> Converted:
    return _converted(trained, "float32")


@pytest.fixture(scope="session")
def onnx(trained: Trained) -> Converted:
    return _converted(trained, "onnx")


@pytest.fixture(params=["int8", "float32", "onnx"])
def converted(request: pytest.FixtureRequest) -> Converted:
    """Each of the three in turn."""
    result: Converted = request.getfixturevalue(request.param)
    return result
