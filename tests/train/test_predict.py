"""A run that is damaged is one line, whichever of its files it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import SerEdgeError
from train.predict import Predictor


@pytest.fixture
def run(tiny_run, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def refused(run: Path) -> str:
    with pytest.raises(SerEdgeError) as caught:
        Predictor(run)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive", None])
def test_damaged_model(run, content):
    path = run / "model.keras"
    if content is None:
        path.unlink()
        assert refused(run) == f"{path}: is missing; train again"
    else:
        path.write_bytes(content)
        assert refused(run) == f"{path}: is damaged; train again"


def test_truncated_and_overwritten_model(run):
    path = run / "model.keras"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 10):
        for damaged in (whole[:place], whole[:place] + bytes(200) + whole[place + 200 :]):
            if damaged == whole:  # HDF5 leaves gaps of zeros
                continue
            path.write_bytes(damaged)
            assert refused(run) == f"{path}: is damaged; train again"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"format": 99}', b"[]"])
def test_damaged_metadata(run, content):
    (run / "ser_edge.json").write_bytes(content)
    assert refused(run).startswith(f"{run / 'ser_edge.json'}: ")


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"hop_seconds": 0}, "hop_seconds must be above 0"),
        ({"training": 5}, "training must be a table"),
        (None, "is damaged"),
    ],
)
def test_damaged_recipe(run, recipe, said):
    path = run / "run.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["recipe"] = recipe and {**fields["recipe"], **recipe}
    path.write_text(json.dumps(fields), encoding="utf-8")
    assert refused(run).startswith(f"{path}: {said}")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{}"])
def test_damaged_run(run, content):
    (run / "run.json").write_bytes(content)
    assert refused(run).startswith(f"{run / 'run.json'}: is damaged (")
