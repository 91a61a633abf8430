"""When the plain way loses too much, others follow, and what is responsible is named."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert.cli import main

from .conftest import converts


@pytest.fixture
def lopsided(run: Path) -> Path:
    """The run's network behind a layer one of whose channels takes all the steps of eight bits."""
    made = keras.models.load_model(run / "model.keras", compile=False)
    wide = keras.layers.Dense(21, name="wide")
    narrow = keras.layers.Dense(20, use_bias=False, name="narrow")
    inputs = keras.Input(made.input_shape[1:])
    # Read by two layers, so that its channels cannot be equalised.
    other = keras.layers.Dense(20, use_bias=False, name="other")
    given = wide(inputs)
    outputs = made(keras.layers.Add()([narrow(given), other(given)]))
    one_more = np.zeros(21)
    one_more[-1] = 3000.0
    wide.set_weights([np.eye(20, 21), one_more])
    narrow.set_weights([np.eye(21, 20)])
    other.set_weights([0.0 * np.eye(21, 20)])
    keras.Model(inputs, outputs).save(run / "lopsided.keras")
    return run / "lopsided.keras"


def test_layers_stay_in_float_where_nothing_else_helps(lopsided, capsys):
    report = converts(capsys, lopsided, "--int8")
    tried = [one["settings"] for one in report["attempts"]]
    ranges = ["minmax ranges", "percentile ranges", "mse ranges"]
    assert tried[:6] == [*ranges, *(f"{one}, channels equalised" for one in ranges)]
    assert "in float32" in report["settings"]
    assert report["settings"] == tried[-1]
    assert report["attempts"][0]["agreement"] < 0.9
    assert report["attempts"][-1]["uar_drop"] <= 0.5
    assert report["agreement"] >= 0.9
    assert 0.0 < report["float_operators"] < 0.6
    # From outside it is an int8 file all the same.
    details = Interpreter(model_path=report["file"]).get_input_details()[0]
    assert details["dtype"] == np.int8
    assert {row["layer"] for row in report["layers"][:4]} & {"wide_1", "narrow_1", "wide", "narrow"}


def test_one_way_alone_is_tried_when_it_is_named(run, capsys):
    report = converts(capsys, run / "model.keras", "--int8", "--ranges", "mse")
    tried = [one["settings"] for one in report["attempts"]]
    assert tried == ["mse ranges", "mse ranges, channels equalised"]
    assert report["settings"] in tried


def test_onnx_has_ways_of_its_own(lopsided, capsys):
    assert main([str(lopsided), "--onnx-int8"]) == 1
    err = capsys.readouterr().err
    assert "not written, for the onnx-int8 model" in err
    assert "(2 ways tried)" in err


@pytest.mark.parametrize("points", ["-1", "101", "much"])
def test_limit_is_points(run, points, capsys):
    with pytest.raises(SystemExit) as caught:
        main([str(run / "model.keras"), "--int8", "--max-uar-drop", points])
    assert caught.value.code == 2
    assert "--max-uar-drop: must be a number of points from 0 to 100" in capsys.readouterr().err
