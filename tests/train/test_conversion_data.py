"""What a run leaves for conversion: drawn evenly, of training speakers, and made again if lost."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from train.dataset import inputs_of, load_clips
from train.evaluate import fit_recipe, own_split
from train.recipe import Training
from train.runs import stored_metadata


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    return replace(tiny_recipe, training=Training(steps=20, batch_size=8))


@pytest.fixture
def run(recipe, place, tmp_path) -> Path:
    fit_recipe(recipe, place, 0, tmp_path / "run")
    return tmp_path / "run"


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def test_representative_inputs_are_training_inputs(recipe, place, run):
    recipe, split, _ = own_split(recipe, place, 0)
    representative = arrays(run / "representative.npz")
    metadata = stored_metadata(run)
    train = load_clips(split.train, split.labels, recipe, place.cache)
    inputs = np.concatenate([inputs_of(c, recipe, metadata)[0] for c in train.frames])
    known = {window.tobytes() for window in inputs}
    assert all(window.tobytes() in known for window in representative["windows"])
    assert set(representative["speakers"]) == {u.speaker for u in split.train}
    assert len(set(representative["utterances"])) == len(representative["utterances"])
    rows = inputs.reshape(-1, inputs.shape[-1])
    np.testing.assert_allclose(representative["lowest"], rows.min(axis=0), atol=1e-6)
    np.testing.assert_allclose(representative["highest"], rows.max(axis=0), atol=1e-6)


def test_representative_inputs_are_drawn_evenly(recipe, place, run, monkeypatch):
    monkeypatch.setattr("train.conversion_data.REPRESENTATIVE_UTTERANCES", 14)
    (run / "held_out.npz").unlink()
    fit_recipe(recipe, place, 0, run)
    drawn = arrays(run / "representative.npz")
    groups = Counter(zip(drawn["targets"].tolist(), drawn["speakers"].tolist()))
    assert sum(groups.values()) == 14
    assert max(groups.values()) == 1


def test_held_out_recordings_are_those_of_the_figures(run):
    stored = json.loads((run / "run.json").read_text(encoding="utf-8"))
    held_out = arrays(run / "held_out.npz")
    names = [f"{p['corpus']}/{p['name']}" for p in stored["predictions"]]
    assert held_out["test_utterances"].tolist() == names
    assert held_out["test_targets"].tolist() == [p["target"] for p in stored["predictions"]]
    for part in ("validation", "test"):
        assert held_out[f"{part}_lengths"].sum() == len(held_out[f"{part}_frames"])


@pytest.mark.parametrize("lost", ["held_out.npz", "representative.npz"])
def test_made_again_when_lost_without_training_again(recipe, place, run, lost):
    kept = {name: arrays(run / name) for name in ("representative.npz", "held_out.npz")}
    trained = (run / "model.keras").read_bytes()
    (run / lost).unlink()
    fit_recipe(recipe, place, 0, run)
    assert (run / "model.keras").read_bytes() == trained
    for name, before in kept.items():
        after = arrays(run / name)
        assert set(after) == set(before)
        for key, values in before.items():
            np.testing.assert_array_equal(after[key], values)
