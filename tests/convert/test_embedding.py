"""The second output: what a network's last layers tell the classes apart by."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from convert.figures import embedding_departure
from convert.networks import embedding_parts, with_batch_of_one
from edge_runtime.backends import load_backend
from edge_runtime.classifier import Classifier
from edge_runtime.metadata import read_metadata
from train.architectures import build

from .conftest import Converted, Trained

layers = keras.layers


def test_file_gives_what_the_last_layers_read(converted: Converted, trained: Trained) -> None:
    metadata = read_metadata(converted.path)
    assert metadata.outputs == ("scores", "embedding")
    model = keras.models.load_model(trained.model)
    pooled = keras.Model(model.inputs, embedding_parts(model))
    windows = np.load(trained.folder / "representative.npz")["windows"][:20]
    expected = np.concatenate([np.asarray(part) for part in pooled(windows)], axis=1)
    backend = load_backend(converted.path)
    given = [backend.run(window, 2) for window in windows]
    assert [len(one) for one in given[0]] == [len(metadata.labels), expected.shape[1]]
    departure = embedding_departure(expected, np.stack([embedding for _, embedding in given]))
    assert departure["correlation"] > 0.98
    # Nobody who does not ask for it pays for it.
    assert len(backend.run(windows[0])) == 1
    Classifier(converted.path)


def test_the_report_says_how_much_of_it_is_left(int8: Converted) -> None:
    embedding = int8.report["embedding"]
    written = int8.path.with_name(f"{int8.path.name}.report.md").read_text(encoding="utf-8")
    assert 0.95 < embedding["correlation"] <= 1.0
    assert embedding["least_correlation"] <= embedding["correlation"]
    assert f"Its {embedding['size']} values of embedding correlate" in written


@pytest.mark.parametrize("name", ["edge", "edge_2d"])
def test_networks_that_ship_have_one(name: str) -> None:
    parts = embedding_parts(build(name, (31, 20), 7, {"kernels": (3,)}))
    assert [part.shape[1] for part in parts] in ([80, 80], [100, 100])


def test_dropout_before_the_last_layer_is_no_part_of_it() -> None:
    inputs = keras.Input((31, 20))
    pooled = layers.GlobalAveragePooling1D()(inputs)
    dropped = layers.Dropout(0.5)(layers.Dropout(0.5)(pooled))
    logits = layers.Dense(3)(dropped)
    (part,) = embedding_parts(keras.Model(inputs, layers.Activation("softmax")(logits)))
    assert part is pooled


@pytest.mark.parametrize(
    "last",
    [layers.Conv1D(3, 31, activation="softmax"), layers.LSTM(3, activation="softmax")],
    ids=["a convolution", "a recurrent layer"],
)
def test_a_network_that_ends_in_something_else_has_none(last: keras.Layer) -> None:
    inputs = keras.Input((31, 20))
    outputs = last(inputs)
    if len(outputs.shape) == 3:
        outputs = layers.Flatten()(outputs)
    model = keras.Model(inputs, outputs)
    assert embedding_parts(model) == []
    assert len(with_batch_of_one(model, (31, 20)).outputs) == 1


def test_departure_of_an_equal_and_of_an_unlike_embedding() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(5.0, 1.0, (2, 400, 30)).astype(np.float32)
    assert embedding_departure(one, one) == {
        "size": 30,
        "correlation": 1.0,
        "least_correlation": 1.0,
    }
    assert abs(embedding_departure(one, other)["correlation"]) < 0.1
