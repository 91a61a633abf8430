"""Starting from another run: what is taken over, what stays, and what cannot be started from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS, ModelMetadata
from train import architectures
from train.evaluate import Place, fit_recipe, own_split
from train.fit import FittedModel, fit
from train.recipe import Recipe, Training, Transfer
from train.transfer import start_from, started_metadata

FEWER = ("happy", "sad", "angry")
FEW_STEPS = Training(steps=4, batch_size=8, learning_rate=5e-2, validation_interval=2)


def built(recipe: Recipe, n_labels: int) -> keras.Model:
    shape = (recipe.window_frames, recipe.features.feature_dim)
    return architectures.build(recipe.architecture, shape, n_labels, recipe.model)


def starting(recipe: Recipe, run: Path, freeze: str) -> Recipe:
    """A short training that starts from a run."""
    return replace(recipe, training=FEW_STEPS).starting_from(str(run), freeze)


def tuned(recipe: Recipe, place: Place, run: Path, freeze: str) -> FittedModel:
    recipe, split, _ = own_split(starting(recipe, run, freeze), place, 1)
    return fit(recipe, split, place.cache, 1)


def changed(model: keras.Model, other: keras.Model) -> list[str]:
    """Kinds of the layers whose weights differ, in the model's order."""
    return [
        type(ours).__name__
        for ours, theirs in zip(model.layers, other.layers)
        if not all(map(np.array_equal, ours.get_weights(), theirs.get_weights()))
    ]


@pytest.fixture(scope="module")
def known(tiny_run: Path) -> keras.Model:
    return keras.models.load_model(tiny_run / "model.keras", compile=False)


@pytest.fixture(scope="module")
def windows(tiny_run: Path) -> np.ndarray:
    with np.load(tiny_run / "representative.npz") as stored:
        return stored["windows"]


def test_same_labels_start_with_the_same_scores(tiny_run, tiny_recipe, known, windows):
    model = built(tiny_recipe, len(LABELS))
    expected = known.predict(windows, verbose=0)
    assert np.ptp(expected) > 0.01
    assert not np.allclose(model.predict(windows, verbose=0), expected, atol=1e-3)
    start_from(model, LABELS, Transfer(str(tiny_run)))
    # Threads may add in another order.
    np.testing.assert_allclose(model.predict(windows, verbose=0), expected, rtol=0, atol=1e-6)
    assert len(model.trainable_weights) == len(known.trainable_weights)


@pytest.fixture(scope="module")
def frozen(tiny_run: Path, tiny_recipe: Recipe, place: Place) -> FittedModel:
    """Trained with a frozen body, on recordings of other statistics."""
    recipe = replace(tiny_recipe, corpora=("TESS",), validation_speakers=("TESS-YAF",))
    recipe = replace(recipe, test_speakers=(), name="other")
    return tuned(recipe, place, tiny_run, "body")


@pytest.fixture(scope="module")
def unfrozen(
    tiny_run: Path, tiny_recipe: Recipe, place: Place, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run with nothing frozen."""
    folder = tmp_path_factory.mktemp("tuned")
    fit_recipe(starting(tiny_recipe, tiny_run, "nothing"), place, 1, folder)
    return folder


def test_frozen_body_stays_and_the_head_learns(frozen, known):
    """The averages of batch normalisation are among the weights that stay."""
    assert frozen.history[-1]["step"] == 4
    assert changed(frozen.model, known) == ["Dense", "Dense"]


def test_nothing_frozen_learns_everywhere(unfrozen, known):
    model = keras.models.load_model(unfrozen / "model.keras", compile=False)
    weighted = [type(layer).__name__ for layer in known.layers if layer.weights]
    assert "BatchNormalization" in weighted
    assert changed(model, known) == weighted


@pytest.mark.parametrize("labels", [FEWER, LABELS[::-1]], ids=["fewer", "other order"])
def test_other_labels_take_the_body_and_a_new_head(tiny_run, tiny_recipe, known, labels):
    fresh = built(tiny_recipe, len(labels))
    heads = [layer.get_weights() for layer in fresh.layers[-4:] if layer.weights]
    start_from(fresh, labels, Transfer(str(tiny_run), "body"))
    assert fresh.output_shape == (None, len(labels))
    assert changed(fresh, known) == ["Dense", "Dense"]
    for layer, before in zip((la for la in fresh.layers[-4:] if la.weights), heads):
        assert layer.trainable
        for ours, theirs in zip(layer.get_weights(), before):
            np.testing.assert_array_equal(ours, theirs)
    assert len(fresh.trainable_weights) == 4


def test_hidden_layer_as_wide_as_the_output_is_no_head(tmp_path, tiny_run, tiny_recipe):
    recipe = replace(tiny_recipe, architecture="lstm", model={"units": 6, "dense": len(LABELS)})
    built(recipe, len(LABELS)).save(tmp_path / "model.keras")
    shutil.copy(tiny_run / "ser_edge.json", tmp_path)
    model = built(recipe, len(LABELS))
    start_from(model, LABELS, Transfer(str(tmp_path), "body"))
    assert [layer.name for layer in model.layers if layer.weights and layer.trainable] == ["scores"]


def test_normaliser_and_features_are_those_of_the_started_run(frozen, tiny_run, tiny_recipe):
    metadata = frozen.metadata
    text = (tiny_run / "ser_edge.json").read_text(encoding="utf-8")
    started = ModelMetadata.from_json(text)
    assert metadata.feature_mean == started.feature_mean
    assert metadata.feature_scale == started.feature_scale
    assert metadata.features == started.features
    assert metadata.name == "other-tuned"
    assert metadata.provenance == {}
    fewer = started_metadata(starting(tiny_recipe, tiny_run, "nothing"), FEWER)
    assert fewer is not None
    assert fewer.labels == FEWER
    assert fewer.feature_mean == started.feature_mean


def test_without_a_start_there_is_nothing_to_take(tiny_recipe):
    assert started_metadata(tiny_recipe, LABELS) is None


def test_run_that_starts_from_another_is_stored_like_any(unfrozen, tiny_run, tiny_recipe, place):
    stored = json.loads((unfrozen / "run.json").read_text(encoding="utf-8"))
    assert stored["figures"]["utterances"] == 16 + 35
    assert stored["recipe"]["transfer"] == {"start": str(tiny_run), "freeze": "nothing"}
    recipe = starting(tiny_recipe, tiny_run, "nothing")
    assert fit_recipe(recipe, place, 1, unfrozen) == stored["figures"]
    again = json.loads((unfrozen / "run.json").read_text(encoding="utf-8"))
    assert again["finished"] == stored["finished"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window_frames": 25}, "reads other features or another window than the recipe tiny"),
        ({"architecture": "lstm", "model": {}}, "is of another architecture than the recipe's"),
        ({"model": {"stem_channels": 8, "channels": 14, "kernels": (3,)}}, "is of another size"),
    ],
    ids=["window", "architecture", "width"],
)
def test_other_model_is_refused(tiny_run, tiny_recipe, place, change, message):
    with pytest.raises(SerEdgeError, match=message) as caught:
        tuned(replace(tiny_recipe, **change), place, tiny_run, "nothing")
    assert str(tiny_run) in str(caught.value)


def test_other_features_are_refused(tiny_run, tiny_recipe, place):
    features = replace(tiny_recipe.features, n_mfcc=19)
    with pytest.raises(SerEdgeError, match="reads other features"):
        tuned(replace(tiny_recipe, features=features), place, tiny_run, "nothing")


def test_missing_run_is_named(tiny_recipe, place, tmp_path):
    with pytest.raises(SerEdgeError, match=r"nowhere: is no run that can be started from"):
        tuned(tiny_recipe, place, tmp_path / "nowhere", "nothing")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.keras", None, r"holds no model\.keras to start from"),
        ("model.keras", b"PK junk", r"model\.keras: is damaged"),
        ("ser_edge.json", b"{", r"ser_edge\.json: metadata: not JSON .*; start from another run"),
        ("ser_edge.json", b"\xff", r"its ser_edge\.json cannot be read"),
    ],
    ids=["no model", "damaged model", "damaged metadata", "no text"],
)
def test_damaged_run_is_named(tiny_run, tiny_recipe, place, tmp_path, name, content, message):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(content)
    with pytest.raises(SerEdgeError, match=message) as caught:
        tuned(tiny_recipe, place, run, "nothing")
    assert "\n" not in str(caught.value)
