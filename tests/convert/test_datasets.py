"""What a conversion is calibrated and judged with."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.datasets import Recordings, Representative, load_held_out, load_representative
from edge_runtime.metadata import ModelMetadata, read_metadata

from ..train.tones import tone, write_wav
from .conftest import Trained, converts


@pytest.fixture
def metadata(trained: Trained) -> ModelMetadata:
    return ModelMetadata.from_json((trained.folder / "ser_edge.json").read_text())


def test_held_out_recordings_score_as_in_training(trained, metadata):
    """Frames cut into windows here are the windows that training judged."""
    parts = load_held_out(trained.folder / "held_out.npz", metadata)
    model = keras.models.load_model(trained.model, compile=False)
    stored = json.loads((trained.folder / "run.json").read_text(encoding="utf-8"))
    test = parts["test"]
    got = test.scores(model.predict(test.windows, verbose=0))
    assert test.targets.tolist() == [one["target"] for one in stored["predictions"]]
    np.testing.assert_allclose(got, [one["scores"] for one in stored["predictions"]], atol=1e-4)
    assert len(parts["validation"].targets) == 16


@pytest.mark.parametrize("are_known", [True, False])
def test_nothing_is_calibrated_on_a_voice_that_is_judged(metadata, tmp_path, are_known):
    for label, emotion in (("happy", 2), ("sad", 3)):
        for speaker in range(3):
            for take in range(4):
                folder = tmp_path / label / (f"speaker {speaker}" if are_known else "")
                write_wav(folder / f"{speaker}-{take}.wav", tone(emotion, 10 * speaker + take))
        (tmp_path / label / "._copy.wav").write_bytes(b"as macOS leaves it: no sound")
    parts = load_held_out(tmp_path, metadata)
    voices = [
        {path.rpartition("/")[2].partition("-")[0] for path in parts[part].utterances}
        for part in ("validation", "test")
    ]
    assert (voices[0] & voices[1] == set()) == are_known
    assert sum(len(one.targets) for one in parts.values()) == 24
    assert all(set(one.targets.tolist()) == {1, 2} for one in parts.values())


def representative(windows: np.ndarray, **known: object) -> Representative:
    return Representative("here", windows.astype(np.float32), **known)


def test_coverage_is_the_share_of_the_range_in_training():
    windows = np.zeros((2, 3, 2))
    windows[0, 0] = [-1.0, 5.0]
    windows[1, 2] = [1.0, -5.0]
    known = {"lowest": np.array([-2.0, -1.0]), "highest": np.array([2.0, 1.0])}
    coverage = representative(windows, **known).coverage()
    assert coverage == {"least": 0.5, "median": 0.75, "by_feature": [0.5, 1.0]}
    assert representative(windows).coverage() == {}


def test_outliers_are_named_the_furthest_first():
    windows = np.random.default_rng(0).uniform(-1, 1, (30, 4, 2))
    windows[7] *= 10
    windows[3] *= 100
    names = tuple(f"C/{number}" for number in range(30))
    found = representative(windows, utterances=names).outliers()
    assert [one["utterance"] for one in found] == ["C/3", "C/7"]
    assert representative(windows[8:]).outliers() == []


def test_representative_dataset_of_a_run(trained, metadata):
    read = load_representative(trained.folder / "representative.npz", metadata)
    told = read.report(metadata.labels)
    assert told["speakers"] == 3
    assert set(read.speakers) == {"RAVDESS-01", "RAVDESS-04", "TESS-OAF"}
    assert told["coverage"]["least"] > 0.5


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(0, 99))
def test_scores_of_recordings_are_weighted_means(lengths, seed):
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    weights = rng.uniform(0.1, 1.0, len(owners)).astype(np.float32)
    weights /= np.bincount(owners, weights)[owners]
    scores = rng.dirichlet(np.ones(4), len(owners)).astype(np.float32)
    recordings = Recordings(
        "test",
        np.zeros((len(owners), 1, 1), np.float32),
        weights.astype(np.float32),
        owners,
        np.zeros(len(lengths), dtype=np.int64),
    )
    got = recordings.scores(scores)
    for number in range(len(lengths)):
        own = owners == number
        np.testing.assert_allclose(got[number], weights[own] @ scores[own], atol=1e-5)
    np.testing.assert_allclose(got.sum(axis=1), 1.0, atol=1e-5)


def test_calibration_is_fitted_to_validation_and_stored(run, metadata, capsys):
    """A model that is too sure: a third of the labels it is judged by are others."""
    with np.load(run / "held_out.npz") as archive:
        whole = dict(archive)
    rng = np.random.default_rng(0)
    for kind in ("frames", "lengths", "utterances"):
        whole[f"validation_{kind}"] = whole[f"test_{kind}"]
    for part in ("validation", "test"):
        targets = whole["test_targets"].copy()
        wrong = rng.choice(len(targets), len(targets) // 3, replace=False)
        targets[wrong] = (targets[wrong] + 1) % 7
        whole[f"{part}_targets"] = targets
    np.savez(run / "held_out.npz", **whole)
    report = converts(capsys, run / "model.keras", "--float32")
    stored = read_metadata(report["file"])
    assert stored.temperature == report["calibration"]["temperature"] > 1.2
    assert 0.0 <= stored.rejection_threshold == report["calibration"]["rejection_threshold"] < 1.0
    assert report["test"]["after"]["ece"] < report["test"]["converted"]["ece"] - 0.05
    assert report["calibration"]["fitted_on"] == "51 validation utterances"
