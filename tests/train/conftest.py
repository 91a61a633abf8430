"""Synthesised corpora and one small trained run, shared by the tests of the desktop side."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from train.cache import FeatureCache
from train.evaluate import Place, fit_recipe
from train.recipe import Recipe, load_recipe

from .tones import RECIPE, write_ravdess, write_tess


@pytest.fixture(scope="session")
def tone_corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with TESS and RAVDESS made of tones."""
    folder = tmp_path_factory.mktemp("corpora")
    write_tess(folder / "TESS")
    write_ravdess(folder / "RAVDESS", range(1, 5), repeats=2)
    return folder


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return load_recipe(str(path))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def place(tone_corpora: Path, cache: FeatureCache) -> Place:
    """Where the tones are."""
    return Place(tone_corpora, cache)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Recipe, place: Place) -> Path:
    """The folder of one finished run of the tiny recipe."""
    folder = tmp_path_factory.mktemp("runs") / "tiny-seed0"
    fit_recipe(tiny_recipe, place, 0, folder)
    return folder


@pytest.fixture(scope="session")
def real_corpora() -> Path:
    """The folder of real corpora, where there is one."""
    folder = os.environ.get("SER_EDGE_CORPORA", "")
    if not folder:
        pytest.skip("SER_EDGE_CORPORA is not set: no real corpora to test with")
    return Path(folder)
