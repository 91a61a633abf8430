"""Networks of every kind become the same model, and someone else's gets the metadata it lacks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from convert.cli import main
from edge_runtime import Classifier
from edge_runtime.metadata import read_metadata

from ..train.tones import RATE, tone, write_wav
from .conftest import Trained, converts, network


def scores(path: Path, windows: np.ndarray) -> np.ndarray:
    backend = Classifier(path).backend
    return np.stack([backend.run(window)[0] for window in windows])


@pytest.fixture(scope="module")
def model(trained: Trained) -> keras.Model:
    return keras.models.load_model(trained.model, compile=False)


@pytest.fixture
def expected(float32, windows) -> np.ndarray:
    return scores(float32.path, windows)


@pytest.fixture
def windows(trained: Trained) -> np.ndarray:
    with np.load(trained.folder / "representative.npz") as archive:
        return archive["windows"][:30]


def as_saved_model(model: keras.Model, run: Path) -> Path:
    model.export(run / "saved", verbose=False)
    for name in ("ser_edge.json", "representative.npz", "held_out.npz"):
        shutil.copy(run / name, run / "saved" / name)
    return run / "saved"


def as_json(model: keras.Model, run: Path) -> Path:
    (run / "network.json").write_text(model.to_json())
    model.save_weights(run / "network.weights.h5")
    return run / "network.json"


@pytest.mark.parametrize("made", [as_saved_model, as_json])
def test_other_forms_of_a_keras_model(made, model, run, windows, expected, capsys):
    original = made(model, run)
    report = converts(capsys, original, "--float32")
    np.testing.assert_allclose(scores(Path(report["file"]), windows), expected, atol=1e-5)
    quantised = converts(capsys, original, "--int8")
    assert quantised["agreement"] >= 0.95
    assert Path(quantised["file"]).parent == run


def test_float_tflite_and_onnx(run, all_converted, windows, expected, capsys):
    """Files that carry their metadata already, as this program wrote them."""
    for name in ("float32", "onnx"):
        shutil.copy(all_converted[name].path, run / f"given{all_converted[name].path.suffix}")
    for original, target in (("given.tflite", "onnx"), ("given.onnx", "onnx")):
        output = run / f"{original}.again.onnx"
        converts(capsys, run / original, f"--{target}", "-o", output)
        np.testing.assert_allclose(scores(output, windows), expected, atol=1e-4)
    for original, target in (("given.tflite", "int8"), ("given.onnx", "onnx-int8")):
        report = converts(capsys, run / original, f"--{target}")
        assert report["agreement"] >= 0.95


def test_onnx_becomes_no_tflite(run, all_converted, capsys):
    shutil.copy(all_converted["onnx"].path, run / "given.onnx")
    assert main([str(run / "given.onnx"), "--int8"]) == 1
    err = capsys.readouterr().err
    assert "from a .onnx file only --onnx, --onnx-int8 can be made" in err


# --- someone else's -------------------------------------------------------------------------------


@pytest.fixture
def foreign(run: Path) -> Path:
    """Reads 31 frames of 20 MFCC as an image of one channel, and says nothing of itself."""
    folder = run / "foreign"
    folder.mkdir()
    layers = keras.layers
    network(
        layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), shape=(31, 20, 1)
    ).save(folder / "theirs.keras")
    return folder / "theirs.keras"


@pytest.fixture
def sounds(run: Path) -> Path:
    """A folder of sound files for each label, four voices of each."""
    labels = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
    # The tones of RAVDESS' eight emotions, of which calm, the second, is left out.
    for emotion, label in zip((0, 2, 3, 4, 5, 6, 7), labels):
        for voice in range(4):
            sound = tone(emotion, voice, seconds=1.0)
            write_wav(run / "sounds" / label / f"{voice}.wav", sound)
    return run / "sounds"


def test_labels_and_features_from_the_command_line(run, foreign, sounds, capsys):
    described = json.loads((run / "ser_edge.json").read_text())
    (run / "features.json").write_text(json.dumps(described["features"]))
    arguments = [foreign, "--int8", "--max-uar-drop", "100"]
    arguments += ["--labels", "a,b,c,d,e,f,g", "--features", run / "features.json"]
    report = converts(capsys, *arguments, "--representative", sounds)
    metadata = read_metadata(report["file"])
    assert metadata.labels == tuple("abcdefg")
    assert (metadata.window_frames, metadata.features.n_mfcc) == (31, 20)
    assert metadata.features.sample_rate == RATE
    assert report["representative"]["utterances"] == 28
    assert Classifier(report["file"]).classify(tone(1, 1)).label in "abcdefg"


def test_float_files_need_no_sound_to_be_compared_on(run, foreign, capsys):
    described = json.loads((run / "ser_edge.json").read_text())
    (run / "features.json").write_text(json.dumps(described["features"]))
    arguments = ["--labels", "a,b,c,d,e,f,g", "--features", run / "features.json"]
    report = converts(capsys, foreign, "--float32", *arguments)
    assert report["windows_of"] == "random numbers"
    assert report["agreement"] == 1.0
    assert "not_fitted" in report["calibration"]


def test_folder_of_sounds_to_judge_with(run, sounds, capsys):
    arguments = [run / "model.keras", "--int8", "--representative", sounds, "--held-out", sounds]
    report = converts(capsys, *arguments)
    assert report["representative"]["utterances"] == 28
    assert report["validation"]["utterances"] == report["test"]["utterances"] == 14
    assert report["test"]["after"]["uar"] > 0.8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is no ser_edge.json beside it"),
        (["--labels", "a,b"], "or give --labels and --features"),
        (["--features", "librosa"], "--features needs --labels too"),
        (["--labels", "a,a", "--features", "librosa"], "at least two different labels"),
        (["--labels", "a,b", "--features", "none.json"], "no such file, and no preset (librosa"),
        (
            ["--labels", "a,b", "--features", "python_speech_features"],
            "reads 20 values per frame, but --features gives 13",
        ),
    ],
)
def test_what_is_not_said_of_it(foreign, arguments, said, capsys):
    assert main([str(foreign), "--float32", *arguments]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_wrong_number_of_labels(foreign, run, sounds, capsys):
    arguments = [foreign, "--float32", "--labels", "a,b,c", "--features", "librosa"]
    assert main([*map(str, arguments), "--representative", str(sounds)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
