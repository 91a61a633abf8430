"""What cannot be converted: one line that says why, and nothing left behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from convert.cli import main
from convert.fitted import LEAST_WINDOWS

from .conftest import Trained


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]):
    """Run ser-convert, which must refuse in one line and leave every file as it was."""

    def check(folder: Path, *arguments: object) -> str:
        before = contents(folder)
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert (status, out) == (1, ""), err
        assert err.startswith("ser-convert: ")
        assert err.count("\n") == 1
        assert contents(folder) == before
        return err

    return check


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def save_windows(folder: Path, windows: np.ndarray) -> None:
    np.savez_compressed(folder / "representative.npz", windows=windows)


def random_windows(n: int = 40, shape: tuple[int, ...] = (31, 20)) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def change_metadata(folder: Path, **changes: object) -> None:
    path = folder / "ser_edge.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# --- what stands beside the model -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["missing.keras", "ser_edge.json", ".", "", "/"])
def test_no_such_model(run, refused, name):
    model = run / name if name not in ("", "/") else name
    assert "no such .keras file" in refused(run, model, "--int8")


def test_no_metadata_beside_it(run, refused):
    (run / "ser_edge.json").unlink()
    said = refused(run, run / "model.keras", "--int8")
    assert "no ser_edge.json beside it" in said
    assert "ser-train writes one" in said


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"format": 1}', b'{"format": 99}'],
)
def test_damaged_metadata(run, refused, content):
    (run / "ser_edge.json").write_bytes(content)
    assert "ser_edge.json" in refused(run, run / "model.keras", "--float32")


def test_metadata_that_is_a_folder(run, refused):
    (run / "ser_edge.json").unlink()
    (run / "ser_edge.json").mkdir()
    assert "ser_edge.json" in refused(run, run / "model.keras", "--float32")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"window_frames": 30}, "its windows are (31, 20), the model reads (30, 20)"),
        ({"labels": ["one"]}, "labels must be at least two"),
        ({"feature_mean": [0.0]}, "feature_mean must hold 20 values"),
        ({"temperature": 0}, "temperature must be above 0"),
    ],
)
def test_metadata_that_does_not_fit(run, refused, changes, said):
    change_metadata(run, **changes)
    assert said in refused(run, run / "model.keras", "--int8")


# --- the representative dataset -------------------------------------------------------------------


def test_no_representative_dataset(run, refused):
    (run / "representative.npz").unlink()
    assert "no representative dataset" in refused(run, run / "model.keras", "--int8")
    said = refused(run, run / "model.keras", "--int8", "--representative", run / "mine.npz")
    assert "mine.npz: no representative dataset" in said


def test_representative_that_is_no_npz(run, refused):
    path = run / "representative.npz"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 0xFF
    for content in (b"", b"text", whole[:-200], whole[: len(whole) // 2], bytes(flipped)):
        path.write_bytes(content)
        assert "is no .npz with an array 'windows'" in refused(run, run / "model.keras", "--int8")


def test_representative_that_is_npy_or_pickle_or_something_else(run, refused):
    path = run / "representative.npz"
    with path.open("wb") as file:
        np.save(file, random_windows())
    assert "is no .npz with an array 'windows'" in refused(run, run / "model.keras", "--int8")
    for arrays in (
        {"other": random_windows()},
        {"windows": np.array([{"a": 1}], dtype=object)},
        {"windows": np.array(["text"] * 30)},
    ):
        np.savez(path, **arrays)
        assert "is no .npz with an array 'windows'" in refused(run, run / "model.keras", "--int8")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_representative_with_values_that_are_no_numbers(run, refused, value):
    windows = random_windows()
    windows[7, 3, 2] = value
    save_windows(run, windows)
    assert "values that are not numbers" in refused(run, run / "model.keras", "--int8")


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7e5])
def test_constant_representative(run, refused, value):
    save_windows(run, np.full((50, 31, 20), value, dtype=np.float32))
    assert "all windows are alike" in refused(run, run / "model.keras", "--int8")


@pytest.mark.parametrize("shape", [(), (620,), (20, 31), (31, 20, 1), (32, 20)])
def test_representative_of_another_shape(run, refused, shape):
    save_windows(run, random_windows(40, shape))
    assert "the model reads (31, 20)" in refused(run, run / "model.keras", "--int8")


@pytest.mark.parametrize("n", [0, 1, LEAST_WINDOWS - 1])
def test_too_few_windows(run, refused, n):
    save_windows(run, random_windows(n))
    assert f"{n} windows; at least {LEAST_WINDOWS}" in refused(run, run / "model.keras", "--int8")


# --- the output -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "name", "suffix"),
    [
        ("int8", "x.onnx", ".tflite"),
        ("float32", "x", ".tflite"),
        ("onnx", "x.tflite", ".onnx"),
        ("int8", "model.keras", ".tflite"),
    ],
)
def test_wrong_suffix(run, refused, target, name, suffix):
    said = refused(run, run / "model.keras", f"--{target}", "-o", run / name)
    assert f"must end in {suffix}" in said


def test_output_below_a_file(run, refused):
    (run / "file").write_bytes(b"")
    output = run / "file" / "model.tflite"
    said = refused(run, run / "model.keras", "--float32", "-o", output)
    assert f"{output}: cannot be written" in said


# --- the model ------------------------------------------------------------------------------------


@pytest.fixture
def earlier(run: Path) -> Path:
    """A file from an earlier conversion, which a failure must leave as it is."""
    path = run / "model.tflite"
    path.write_bytes(b"the model that is in use")
    return path


def save_network(folder: Path, *layers: keras.Layer, shape=(31, 20), labels: int = 7) -> Path:
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input(shape), *layers, keras.layers.Dense(labels, activation="softmax")]
    )
    path = folder / "model.keras"
    network.save(path)
    return path


def test_truncated_model(run, earlier, refused):
    model = run / "model.keras"
    whole = model.read_bytes()
    model.write_bytes(whole[: len(whole) // 2])
    said = refused(run, model, "--float32", "-o", earlier)
    assert "model.keras: cannot be converted to float32" in said


def test_code_in_a_model_is_not_run(run, earlier, refused):
    model = save_network(
        run, keras.layers.Lambda(lambda x: 2 * x), keras.layers.GlobalAveragePooling1D()
    )
    said = refused(run, model, "--float32", "-o", earlier)
    assert "cannot be converted to float32" in said
    assert "lambda" in said.lower()


def test_rolled_recurrent_layer_in_int8_says_what_to_do(run, earlier, refused, capsys):
    model = save_network(run, keras.layers.LSTM(8))
    said = refused(run, model, "--int8", "-o", earlier)
    assert "recurrent layer that is not unrolled" in said
    assert "--float32 or --onnx" in said
    assert main([str(model), "--float32", "-o", str(earlier)]) == 0
    assert "100.0% same label" in capsys.readouterr().out


def test_model_that_reads_other_windows_than_its_metadata_says(run, earlier, refused):
    model = save_network(run, keras.layers.GlobalAveragePooling1D(), shape=(25, 20))
    said = refused(run, model, "--float32", "-o", earlier)
    assert "reads windows of (25, 20), but the ser_edge.json beside it describes (31, 20)" in said


def test_model_with_other_labels_than_its_metadata_says(run, earlier, refused):
    model = save_network(run, keras.layers.GlobalAveragePooling1D(), labels=5)
    said = refused(run, model, "--float32", "-o", earlier)
    assert "its outputs have 5 values" in said
    assert "names 7 labels" in said


def test_quantised_model_that_answers_otherwise_is_not_written(run, earlier, refused):
    """Calibrated on a whisper, judged on the real thing."""
    with np.load(run / "representative.npz") as archive:
        windows = archive["windows"]
    windows[0::2] *= 1e-4
    save_windows(run, windows)
    said = refused(run, run / "model.keras", "--int8", "-o", earlier)
    assert "not written, for the int8 model gives another label" in said
    assert "try --float32" in said
