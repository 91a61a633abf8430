"""The networks: their sizes, what they give, that they can be stored and that they learn."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureConfig
from edge_runtime.mel import dct_matrix
from edge_runtime.metadata import ModelMetadata
from train.architectures import ARCHITECTURES, begin_with_inverse_dct, build
from train.recipe import load_recipe

RECURRENT = ("lstm", "lstm123", "lstm256", "lstm256_dropout", "bilstm")
READ_POOLED = (*RECURRENT, "reslstm_sa")
SMALL: dict[str, dict[str, object]] = {
    "edge": {"stem_channels": 8, "channels": 8, "kernels": (3,), "dropout": 0.0},
    "edge_2d": {
        "stem_channels": 4,
        "plane_channels": 8,
        "channels": 8,
        "kernels": (3,),
        "dropout": 0.0,
    },
    "lstm": {"units": 12, "dense": 8, "dropout": 0.0},
    "lstm123": {"units": 12, "dense": (8, 8), "dropouts": (0.0, 0.0)},
    "lstm256": {"units": 12, "dense": (8, 8), "dropout": 0.0},
    "lstm256_dropout": {"units": 12, "dense": (8, 8, 8), "dropout": 0.0},
    "bilstm": {"units": 8, "dense": 8, "dropout": 0.0},
    "light_sernet": {
        "path_filters": 4,
        "block_filters": (8, 8, 8, 8),
        "last_filters": 8,
        "dropout": 0.0,
    },
    "reslstm_sa": {"hidden": 12, "dropout": 0.0},
}


@pytest.fixture(autouse=True)
def _fixed_seed() -> Iterator[None]:
    keras.utils.set_random_seed(0)
    yield
    keras.backend.clear_session()


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def parameters(model: keras.Model) -> dict[str, int]:
    return {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}


def test_every_network_is_tested():
    assert set(SMALL) == set(ARCHITECTURES)


@pytest.mark.parametrize(("width", "lstm"), [(1, 61_500), (40, 80_688)])
def test_lstm123_as_published_but_for_the_lstm(width, lstm):
    # The published 51,084 of the LSTM are less than any width gives.
    model = build("lstm123", (50, width), 7, {})
    assert parameters(model) == {"lstm": lstm, "dense_1": 7936, "dense_2": 2080, "scores": 231}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # The LSTM of both: 4 * 256 * (256 + 1 + 1).
        ("lstm256", 264_192 + 32_896 + 8_256 + 455),
        ("lstm256_dropout", 264_192 + 32_896 + 8_256 + 2_080 + 231),
        ("lstm", 66_560 + 8_256 + 455),
        ("bilstm", 33_792 + 98_816 + 8_256 + 455),
    ],
)
def test_recurrent_parameters_on_averaged_coefficients(name, count):
    assert build(name, (40,), 7, {}).count_params() == count


def test_dropouts_of_the_recurrent_networks():
    def rates(name: str) -> list[float]:
        model = build(name, (40,), 7, {})
        return [x.rate for x in model.layers if isinstance(x, keras.layers.Dropout)]

    assert rates("lstm123") == [0.22, 0.12]
    assert rates("lstm256") == [0.2] * 3
    assert rates("lstm256_dropout") == [0.5] * 4


def test_light_sernet_parameters():
    model = build("light_sernet", (184, 40), 7, {})
    assert model.count_params() == 463_335
    assert model.get_layer("paths").output.shape == (None, 92, 20, 96)
    assert len(model.losses) == 5


def test_light_sernet_without_l2():
    assert build("light_sernet", (184, 40), 7, {"l2": 0.0}).losses == []


@pytest.mark.parametrize(("hidden", "published"), [(32, 27_988), (64, 46_772), (128, 108_916)])
def test_reslstm_sa_parameters(hidden, published):
    model = build("reslstm_sa", (94, 46), 8, {"hidden": hidden})
    # The paper counts two biases for every gate, of which only the sum acts.
    second_biases = 4 * 46 + 4 * hidden
    assert trainable(model) == published - second_biases


def test_reslstm_sa_attention_weighs_time():
    model = build("reslstm_sa", (11, 5), 4, {})
    weights = keras.Model(model.input, model.get_layer("attention_weights").output)
    given = weights.predict(np.random.default_rng(0).normal(size=(3, 11, 5)), verbose=0)
    assert given.shape == (3, 11, 1)
    np.testing.assert_allclose(given.sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("shape", [(40, 20), (20,)])
def test_probabilities(name, shape):
    if len(shape) == 1 and name not in READ_POOLED:
        with pytest.raises(SerEdgeError, match=f"architecture {name}"):
            build(name, shape, 5, SMALL[name])
        return
    model = build(name, shape, 5, SMALL[name])
    scores = model.predict(np.random.default_rng(1).normal(size=(3, *shape)), verbose=0)
    assert scores.shape == (3, 5)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    assert model.output_names == ["scores"]


@pytest.mark.parametrize("name", READ_POOLED)
def test_averaged_features_are_read_one_after_another(name):
    pooled = build(name, (20,), 5, SMALL[name])
    stepwise = build(name, (20, 1), 5, SMALL[name])
    stepwise.set_weights(pooled.get_weights())
    values = np.random.default_rng(2).normal(size=(3, 20))
    np.testing.assert_allclose(
        pooled.predict(values, verbose=0),
        stepwise.predict(values[..., None], verbose=0),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", list(SMALL))
def test_stored_and_loaded(name, tmp_path):
    model = build(name, (40, 20), 5, SMALL[name])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    values = np.random.default_rng(3).normal(size=(2, 40, 20))
    np.testing.assert_allclose(
        loaded.predict(values, verbose=0), model.predict(values, verbose=0), atol=1e-6
    )
    custom = [x.name for x in model.layers if not type(x).__module__.startswith("keras.")]
    assert custom == []
    assert not any(isinstance(x, keras.layers.Lambda) for x in model.layers)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lstm", {"unit": 3}),
        ("lstm", {"units": 0}),
        ("lstm", {"dense": "wide"}),
        ("lstm123", {"dense": (64,)}),
        ("lstm123", {"dropouts": 0.2}),
        ("lstm256", {"dropout": 1.5}),
        ("lstm256_dropout", {"dense": 64}),
        ("bilstm", {"units": -1}),
        ("light_sernet", {"block_filters": (64, 96)}),
        ("light_sernet", {"path_filters": 0}),
        ("light_sernet", {"l2": "much"}),
        ("reslstm_sa", {"hidden": 0}),
        ("reslstm_sa", {"heads": 2}),
    ],
)
def test_wrong_option(name, options):
    with pytest.raises(SerEdgeError, match=f"recipe: architecture {name}: ") as caught:
        build(name, (40, 20), 7, options)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", list(SMALL))
def test_too_many_axes(name):
    with pytest.raises(SerEdgeError, match=f"architecture {name}"):
        build(name, (4, 40, 20), 7, SMALL[name])


@pytest.mark.parametrize("name", list(SMALL))
def test_learns_classes_that_lie_apart(name):
    rng = np.random.default_rng(4)
    targets = np.arange(48) % 3
    # What differs between the classes: which third of the coefficients is raised.
    raised = np.repeat(np.eye(3), 4, axis=1)[targets]
    values = rng.normal(scale=0.3, size=(48, 8, 12)) + 1.5 * raised[:, None]
    model = build(name, (8, 12), 3, SMALL[name])
    model.compile(optimizer=keras.optimizers.Adam(2e-2), loss="sparse_categorical_crossentropy")
    history = model.fit(values, targets, batch_size=16, epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
    # With the statistics of the batch: those that inference uses follow over many more steps.
    scores = np.asarray(model(values, training=True))
    assert np.mean(scores.argmax(axis=1) == targets) > 0.9


@pytest.mark.parametrize(
    ("recipe", "width", "n_labels", "count"),
    [("light-sernet", 40, 7, 461_607), ("reslstm-sa", 46, 8, 46_332)],
)
def test_recipes_of_the_papers(recipe, width, n_labels, count):
    loaded = load_recipe(recipe)
    assert loaded.examples == "clips"
    assert loaded.features.feature_dim == width
    assert len(loaded.labels) == n_labels
    assert not set(loaded.validation_speakers) & set(loaded.test_speakers)
    shape = (loaded.window_frames, width)
    model = build(loaded.architecture, shape, n_labels, loaded.model)
    assert trainable(model) == count


def test_edge_2d_begins_with_the_spectrum_that_mfcc_came_from():
    config = FeatureConfig(kinds=("mfcc",), n_mels=24, n_mfcc=24, log="db")
    rng = np.random.default_rng(5)
    bands = rng.normal(-30.0, 15.0, (3, 40, 24)).astype(np.float32)
    mfcc = bands @ dct_matrix(24, 24)
    mean, scale = mfcc.mean(axis=(0, 1)), mfcc.std(axis=(0, 1))
    metadata = ModelMetadata(
        name="x",
        labels=("a", "b"),
        features=config,
        window_frames=40,
        hop_seconds=0.5,
        feature_mean=tuple(mean.tolist()),
        feature_scale=tuple(scale.tolist()),
    )
    model = build("edge_2d", (40, 24), 2, SMALL["edge_2d"])
    begin_with_inverse_dct(model, metadata)
    spectrum = keras.Model(model.input, model.get_layer("spectrum").output)
    given = spectrum.predict((mfcc - mean) / scale, verbose=0)[:, :, 0]
    np.testing.assert_allclose(15.0 * given, bands - bands.mean(axis=(0, 1)), atol=2e-3)


def test_edge_2d_leaves_other_first_layers_alone():
    metadata = ModelMetadata(
        name="x",
        labels=("a", "b"),
        features=FeatureConfig(kinds=("mfcc",), n_mels=24, n_mfcc=20),
        window_frames=40,
        hop_seconds=0.5,
        feature_mean=(0.0,) * 20,
        feature_scale=(1.0,) * 20,
    )
    for options in ({"spectrum": False}, {"spectrum": True}):
        model = build("edge_2d", (40, 20), 2, {**SMALL["edge_2d"], **options})
        before = model.get_weights()
        begin_with_inverse_dct(model, metadata)
        for one, two in zip(before, model.get_weights()):
            np.testing.assert_array_equal(one, two)
