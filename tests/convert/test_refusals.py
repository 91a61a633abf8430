"""What cannot be converted: one line that says why, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from convert.cli import main
from convert.datasets import LEAST_WINDOWS

from ..disks import small_disk
from ..train.tones import write_wav
from .conftest import converts, network


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


@pytest.mark.parametrize("name", ["missing.keras", "held_out.npz", ".", "", "/"])
def test_no_such_model(run, refused, name):
    model = run / name if name not in ("", "/") else name
    said = refused(run, model, "--int8")
    assert any(part in said for part in ("no such model", "no SavedModel", "describes a model"))


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
    said = refused(run, run / "model.keras", "--int8")
    assert "representative.npz: no such file; ser-train leaves one" in said
    said = refused(run, run / "model.keras", "--int8", "--representative", run / "mine.npz")
    assert "mine.npz: no such file" in said


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


def test_folder_of_sound_that_is_not_to_be_calibrated_with(run, refused):
    folder = run / "sounds"
    folder.mkdir()
    arguments = (run / "model.keras", "--int8", "--representative", folder)
    assert "sounds: holds no sound file" in refused(run, *arguments)
    write_wav(folder / "silence.wav", np.zeros(8000))
    assert "silence.wav" in refused(run, *arguments)
    (folder / "silence.wav").write_bytes(b"no sound at all")
    assert "silence.wav" in refused(run, *arguments)


# --- the recordings held out ----------------------------------------------------------------------


def test_held_out_recordings_that_do_not_fit(run, refused):
    path = run / "held_out.npz"
    with np.load(path) as archive:
        whole = dict(archive)
    model = run / "model.keras"
    changes = [
        ({"test_frames": whole["test_frames"][:, 1:]}, "the model's features (21,)"),
        ({"test_lengths": whole["test_lengths"][1:]}, "its lengths do not fit its frames"),
        ({"test_targets": whole["test_targets"] + 5}, "labels that the model does not name"),
        ({"test_frames": whole["test_frames"] * np.nan}, "values that are not numbers"),
    ]
    for change, said in changes:
        np.savez(path, **{**whole, **change})
        assert said in refused(run, model, "--int8")
    np.savez(path, windows=whole["test_frames"])
    assert "held_out.npz: is no held_out.npz of this model" in refused(run, model, "--int8")
    path.write_bytes(b"text")
    assert "held_out.npz: is no held_out.npz" in refused(run, model, "--int8")


def test_held_out_folder_without_the_labels(run, refused):
    write_wav(run / "sounds" / "joy" / "a.wav", np.ones(8000))
    said = refused(run, run / "model.keras", "--int8", "--held-out", run / "sounds")
    assert "in a subfolder named as a label (neutral, happy" in said


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


@pytest.fixture
def earlier(run: Path) -> Path:
    """A file from an earlier conversion, which a failure must leave as it is."""
    path = run / "model.tflite"
    path.write_bytes(b"the model that is in use")
    return path


@pytest.mark.parametrize("kib", [8, 24, 64])
def test_full_disk_leaves_the_earlier_file(run, tmp_path, capsys, kib):
    """Full while the model, the report's figures or its picture is written."""
    with small_disk(tmp_path / "disk", kib) as disk:
        earlier = disk / "model.tflite"
        earlier.write_bytes(b"the model that is in use")
        assert main([str(run / "model.keras"), "--float32", "-o", str(earlier)]) == 1
        err = capsys.readouterr().err
        assert "cannot be written (No space left on device)" in err
        assert err.count("\n") == 1
        assert list(disk.iterdir()) == [earlier]
        assert earlier.read_bytes() == b"the model that is in use"


def test_read_only_disk_leaves_the_earlier_file(run, tmp_path, capsys):
    with small_disk(tmp_path / "disk", 512) as disk:
        earlier = disk / "model.tflite"
        earlier.write_bytes(b"the model that is in use")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert main([str(run / "model.keras"), "--float32", "-o", str(earlier)]) == 1
        err = capsys.readouterr().err
        assert "cannot be written (Read-only file system)" in err
        assert err.count("\n") == 1
        assert earlier.read_bytes() == b"the model that is in use"


def test_folder_that_cannot_be_written(run, refused):
    output = Path("/proc/model.tflite")
    assert "cannot be written" in refused(run, run / "model.keras", "--float32", "-o", output)


def test_no_room_for_intermediate_files(run, refused, tmp_path, monkeypatch):
    with small_disk(tmp_path / "disk", 16) as disk:
        monkeypatch.setattr("tempfile.tempdir", str(disk))
        said = refused(run, run / "model.keras", "--int8")
        assert "make room there or set TMPDIR" in said


def test_all_names_its_files_itself(run, refused):
    said = refused(run, run / "model.keras", "--all", "-o", run / "x.tflite")
    assert "--all: names its files itself" in said


# --- the device -----------------------------------------------------------------------------------


def test_nothing_runs_onnx_on_32_bit_devices(run, refused):
    said = refused(run, run / "model.keras", "--onnx", "--target", "pi-32bit")
    assert "nothing runs .onnx files there; convert to .tflite" in said


def test_interpreter_of_the_device_is_not_at_hand(run, refused, monkeypatch):
    monkeypatch.delenv("SER_EDGE_TFLITE_PYTHON", raising=False)
    said = refused(run, run / "model.keras", "--float32", "--target", "pi-32bit")
    assert "must be run in tflite-runtime, which is not at hand here" in said
    assert "pip install tflite-runtime 'numpy<2'" in said


def test_python_that_is_none(run, refused):
    arguments = (run / "model.keras", "--float32", "--target", "pi-32bit", "--tflite-python")
    assert "nowhere: cannot be run" in refused(run, *arguments, run / "nowhere")
    assert "failed" in refused(run, *arguments, "/bin/false")


# --- the model ------------------------------------------------------------------------------------


def save_network(folder: Path, *layers: keras.Layer, **options: object) -> Path:
    path = folder / "model.keras"
    network(*layers, **options).save(path)
    return path


def test_truncated_model(run, earlier, refused):
    model = run / "model.keras"
    whole = model.read_bytes()
    for content in (b"", whole[: len(whole) // 2]):
        model.write_bytes(content)
        said = refused(run, model, "--float32", "-o", earlier)
        assert "model.keras: loading it failed (Keras cannot load it" in said


def test_code_in_a_model_is_not_run(run, earlier, refused):
    mark = run / "it-ran"
    name = str(mark)
    model = save_network(
        run,
        keras.layers.Lambda(lambda x: (Path(name).touch(), 2 * x)[1]),
        keras.layers.GlobalAveragePooling1D(),
    )
    mark.unlink()  # building it ran it
    said = refused(run, model, "--float32", "-o", earlier)
    assert "it carries code in a Lambda layer, which is never run" in said
    assert not mark.exists()


def test_code_in_a_model_as_json_is_not_run(run, refused):
    made = network(keras.layers.Lambda(lambda x: 2 * x), keras.layers.GlobalAveragePooling1D())
    (run / "network.json").write_text(made.to_json())
    made.save_weights(run / "network.weights.h5")
    said = refused(run, run / "network.json", "--float32")
    assert "it carries code in a Lambda layer, which is never run" in said


def test_json_without_its_weights(run, refused):
    (run / "network.json").write_text(network(keras.layers.Flatten()).to_json())
    said = refused(run, run / "network.json", "--float32")
    assert "there is no network.weights.h5 beside it" in said


def test_weights_of_another_network(run, refused):
    (run / "network.json").write_text(network(keras.layers.Flatten()).to_json())
    network(keras.layers.GlobalAveragePooling1D()).save_weights(run / "network.weights.h5")
    assert "Keras cannot load it" in refused(run, run / "network.json", "--float32")


def test_operator_that_the_converter_does_not_know(run, earlier, refused):
    made = network(keras.layers.GlobalAveragePooling1D())
    inputs = keras.Input((31, 20))
    keras.Model(inputs, made(keras.ops.erfinv(inputs / 100.0))).save(run / "model.keras")
    said = refused(run, run / "model.keras", "--float32", "-o", earlier)
    assert "conversion to float32 failed" in said
    assert "Erfinv" in said


def test_layer_of_someone_s_own(run, earlier, refused):
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    model = save_network(run, Mine(), keras.layers.GlobalAveragePooling1D())
    said = refused(run, model, "--float32", "-o", earlier)
    assert "Keras cannot load it" in said
    assert "Mine" in said


def test_saved_model_that_is_damaged(run, refused):
    (run / "saved").mkdir()
    assert "so no SavedModel" in refused(run, run / "saved", "--float32")
    (run / "saved" / "saved_model.pb").write_bytes(b"\xff" * 100)
    for name in ("ser_edge.json", "representative.npz"):
        (run / "saved" / name).write_bytes((run / name).read_bytes())
    assert "TensorFlow cannot load it" in refused(run, run / "saved", "--float32")


@pytest.mark.parametrize("name", ["damaged.tflite", "damaged.onnx"])
def test_damaged_model_of_someone_else(run, refused, name):
    (run / name).write_bytes(b"\x1c\0\0\0TFL3" + b"\0" * 200)
    target = "--onnx" if name.endswith("onnx") else "--float32"
    assert name in refused(run, run / name, target)


def test_model_that_reads_other_windows_than_its_metadata_says(run, earlier, refused):
    model = save_network(run, keras.layers.GlobalAveragePooling1D(), shape=(25, 20))
    said = refused(run, model, "--float32", "-o", earlier)
    assert "it reads windows of (25, 20), but its metadata describes (31, 20)" in said


def test_model_with_other_labels_than_its_metadata_says(run, earlier, refused):
    model = save_network(run, keras.layers.GlobalAveragePooling1D(), labels=5)
    said = refused(run, model, "--float32", "-o", earlier)
    assert "gives 5 scores, but its metadata names 7 labels" in said


def test_model_that_gives_no_numbers(run, earlier, refused):
    made = network(keras.layers.GlobalAveragePooling1D())
    made.set_weights([weights * np.nan for weights in made.get_weights()])
    made.save(run / "model.keras")
    said = refused(run, run / "model.keras", "--float32", "-o", earlier)
    assert "gives scores that are not numbers" in said


def test_quantised_model_that_answers_otherwise_is_not_written(run, earlier, refused):
    """Calibrated on a whisper, judged on the real thing; every way is tried."""
    with np.load(run / "representative.npz") as archive:
        windows = archive["windows"]
    save_windows(run, windows * 1e-4)
    said = refused(run, run / "model.keras", "--int8", "-o", earlier)
    assert "not written, for the int8 model" in said
    assert "its noisiest layers: " in said
    assert "try --int16, --dynamic or --float32" in said
    assert "nearly even" not in said


def test_barely_trained_model_is_told_to_be_trained_longer(run, earlier, refused):
    made = network(keras.layers.GlobalAveragePooling1D())
    made.set_weights([weights * 1e-4 for weights in made.get_weights()])
    made.save(run / "model.keras")
    said = refused(run, run / "model.keras", "--int8", "-o", earlier)
    assert "whose scores are nearly even" in said
    assert "train it longer" in said


def test_damaged_metadata_is_not_asked_where_flags_say_all(run, capsys):
    features = run / "features.json"
    described = json.loads((run / "ser_edge.json").read_text(encoding="utf-8"))
    features.write_text(json.dumps(described["features"]), encoding="utf-8")
    (run / "ser_edge.json").write_text("{}", encoding="utf-8")
    labels = ",".join(described["labels"])
    report = converts(
        capsys, run / "model.keras", "--float32", "--labels", labels, "--features", features
    )
    assert Path(report["file"]).is_file()
