"""Recurrent networks become int8, written out step by step; where they cannot be, it is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from convert.cli import main
from edge_runtime.metadata import read_metadata

from .conftest import converts, network

layers = keras.layers
NETWORKS = {
    "lstm": lambda: [layers.LSTM(8)],
    "bilstm": lambda: [
        layers.Bidirectional(layers.LSTM(6, return_sequences=True)),
        layers.Bidirectional(layers.LSTM(6)),
    ],
    "gru": lambda: [layers.GRU(8)],
}


@pytest.fixture(params=list(NETWORKS))
def model(request: pytest.FixtureRequest, run: Path) -> Path:
    path = run / f"{request.param}.keras"
    made = network(*NETWORKS[request.param]())
    with np.load(run / "representative.npz") as archive:
        windows, targets = archive["windows"], archive["targets"]
    made.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    made.fit(windows, targets, batch_size=8, epochs=30, verbose=0)
    made.save(path)
    return path


def test_int8_is_int8(model, capsys):
    report = converts(capsys, model, "--int8")
    assert report["target"] == "int8"
    assert report["agreement"] >= 0.9
    assert report["test"]["after"]["uar"] > 0.5
    interpreter = Interpreter(model_path=report["file"])
    ends = interpreter.get_input_details() + interpreter.get_output_details()
    assert [details["dtype"] for details in ends] == [np.int8, np.int8]
    assert report["float_operators"] < 0.05
    assert not any("WHILE" in name for name in report["operators"])


@pytest.mark.parametrize("target", ["float32", "onnx"])
def test_float_files_keep_the_loop(model, target, capsys):
    report = converts(capsys, model, f"--{target}")
    assert report["agreement"] == 1.0
    assert report["largest_difference"] < 1e-4


def saved_model(run: Path, batch: int | None) -> Path:
    made = network(layers.LSTM(8))
    folder = run / "saved"
    served = tf.function(made).get_concrete_function(tf.TensorSpec((batch, 31, 20)))
    tf.saved_model.save(made, folder, signatures=served)
    for name in ("ser_edge.json", "representative.npz", "held_out.npz"):
        shutil.copy(run / name, folder / name)
    return folder


def test_saved_model_with_a_loop_over_any_batch_says_what_to_do(run, capsys):
    assert main([str(saved_model(run, None)), "--int8"]) == 1
    err = capsys.readouterr().err
    assert "a recurrent layer of it takes batches of any size" in err
    assert err.count("\n") == 1


def test_saved_model_with_a_loop_falls_back_and_says_why(run, capsys):
    folder = saved_model(run, 1)
    assert main([str(folder), "--int8"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{run / 'saved.dynamic.tflite'}: 100.0% same label")
    assert err.count("\n") == 1
    assert "a recurrent layer is a loop in it, which int8 cannot be made of" in err
    assert "made with a dynamic range instead" in err
    conversion = read_metadata(run / "saved.dynamic.tflite").provenance["conversion"]
    assert conversion["target"] == "dynamic"
    assert not (run / "saved.int8.tflite").exists()
