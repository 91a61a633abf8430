"""What a conversion makes: one file that the device runs, and that gives the model's answers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert.datasets import load_held_out
from edge_runtime import Classifier
from edge_runtime.metadata import ModelMetadata, read_metadata
from edge_runtime.reliability import expected_calibration_error, reliability_bins
from edge_runtime.sources import read_clip
from train.corpora import read_corpora
from train.predict import Predictor

from ..train.tones import RATE, tone, write_wav
from .conftest import ENDINGS, Converted, Trained


def windows_of(trained: Trained) -> np.ndarray:
    with np.load(trained.folder / "representative.npz") as archive:
        return archive["windows"]


def keras_clip_scores(trained: Trained, paths: list[Path]) -> np.ndarray:
    """The way of the figures: log-mel frames, windows, Keras."""
    predictor = Predictor(trained.folder)
    return np.array([list(predictor.scores(path).values()) for path in paths])


def device_clip_scores(model: Path, paths: list[Path]) -> np.ndarray:
    classifier = Classifier(model)
    return np.stack([classifier.clip_scores(read_clip(path, RATE)) for path in paths])


def test_int8_is_int8_from_end_to_end(int8):
    interpreter = Interpreter(model_path=str(int8.path))
    interpreter.allocate_tensors()
    ends = interpreter.get_input_details() + interpreter.get_output_details()
    assert [details["dtype"] for details in ends] == [np.int8] * 3
    assert all(details["quantization"][0] > 0 for details in ends)
    kinds = {details["dtype"] for details in interpreter.get_tensor_details()}
    assert kinds <= {np.int8, np.int32}
    assert int8.report["float_operators"] == 0.0


def test_float32_is_float32(float32):
    interpreter = Interpreter(model_path=str(float32.path))
    ends = interpreter.get_input_details() + interpreter.get_output_details()
    assert [details["dtype"] for details in ends] == [np.float32] * 3


def test_int16_is_int16_from_end_to_end(all_converted):
    interpreter = Interpreter(model_path=str(all_converted["int16"].path))
    interpreter.allocate_tensors()
    ends = interpreter.get_input_details() + interpreter.get_output_details()
    assert [details["dtype"] for details in ends] == [np.int16] * 3


def test_every_target_is_made_under_its_own_name(all_converted, trained):
    assert {name: one.path for name, one in all_converted.items()} == {
        name: trained.model.with_name(f"model{ending}") for name, ending in ENDINGS.items()
    }


def test_report_and_file_agree(converted: Converted):
    report = converted.report
    assert report["file"] == str(converted.path)
    assert report["size"] == converted.path.stat().st_size
    assert 0.9 <= report["agreement"] <= 1.0
    assert 0.0 <= report["mean_difference"] <= report["largest_difference"] <= 1.0
    told = read_metadata(converted.path).provenance["conversion"]
    for field in ("target", "windows", "agreement", "mean_difference", "backends", "operators"):
        assert told[field] == report[field]
    for part in ("validation", "test"):
        assert told[part]["uar_drop"] == report[part]["uar_drop"]
        assert told[part]["after"]["uar"] == report[part]["after"]["uar"]


def test_reported_figures_are_what_the_device_measures(converted: Converted, trained: Trained):
    """The windows of the test utterances, by the device's back end and by Keras."""
    metadata = ModelMetadata.from_json((trained.folder / "ser_edge.json").read_text())
    held_out = load_held_out(trained.folder / "held_out.npz", metadata)["test"]
    backend = Classifier(converted.path).backend
    got = np.stack([backend.run(window)[0] for window in held_out.windows])
    model = keras.models.load_model(trained.model, compile=False)
    wanted = model.predict(held_out.windows, verbose=0)
    report = converted.report
    agreement = np.mean(got.argmax(axis=1) == wanted.argmax(axis=1))
    assert report["windows"] == len(wanted)
    assert report["agreement"] == pytest.approx(agreement, abs=1e-4)
    difference = np.abs(got - wanted)
    assert report["largest_difference"] == pytest.approx(difference.max(), abs=1e-4)
    assert difference.max() < (0.25 if "int8" in report["target"] else 5e-3)


def test_figures_before_are_those_of_training(converted: Converted, trained: Trained):
    run = json.loads((trained.folder / "run.json").read_text(encoding="utf-8"))
    test = converted.report["test"]
    assert test["utterances"] == run["figures"]["utterances"]
    assert test["before"]["uar"] == pytest.approx(run["figures"]["uar"], abs=1e-4)
    assert test["before"]["ece"] == pytest.approx(run["figures"]["ece"], abs=1e-3)


def test_figures_after_are_those_of_the_classifier(int8: Converted, trained: Trained):
    """Whole files through the whole device side, calibration included."""
    run = json.loads((trained.folder / "run.json").read_text(encoding="utf-8"))
    paths = {u.name: u.path for u in read_corpora(trained.corpora, ["TESS", "RAVDESS"])}
    tested = run["predictions"]
    scores = device_clip_scores(int8.path, [paths[one["name"]] for one in tested])
    targets = np.array([one["target"] for one in tested])
    bins = reliability_bins(targets, scores)
    after = int8.report["test"]["after"]
    assert after["wa"] == pytest.approx(np.mean(scores.argmax(axis=1) == targets), abs=0.021)
    assert after["ece"] == pytest.approx(expected_calibration_error(bins), abs=0.02)


def test_onnx_agrees_with_the_float_tflite(all_converted, trained):
    windows = windows_of(trained)[:50]
    files = (all_converted[name].path for name in ("onnx", "float32"))
    onnx, tflite = (
        np.stack([Classifier(path).backend.run(window)[0] for window in windows]) for path in files
    )
    assert np.ptp(tflite) > 0.1
    np.testing.assert_allclose(onnx, tflite, atol=1e-4)


def test_metadata_travels(converted: Converted, trained: Trained):
    before = ModelMetadata.from_json((trained.folder / "ser_edge.json").read_text())
    after = read_metadata(converted.path)
    for field in ("name", "labels", "features", "window_frames", "feature_mean", "feature_scale"):
        assert getattr(after, field) == getattr(before, field)
    for key, value in before.provenance.items():
        assert after.provenance[key] == value
    assert after.provenance["licence"] == "test"


def test_least_runtime_is_named(converted: Converted):
    least = read_metadata(converted.path).least_runtime
    wanted = {"onnxruntime"} if converted.path.suffix == ".onnx" else {"tflite-runtime"}
    assert wanted <= set(least)
    for number in least.values():
        assert all(part.isdigit() for part in number.split("."))


def test_int8_stays_within_the_oldest_interpreter(int8):
    """tflite-runtime 2.14 is the only one on 32-bit devices."""
    least = read_metadata(int8.path).least_runtime["tflite-runtime"]
    assert tuple(map(int, least.split("."))) <= (2, 14, 0)


def test_tflite_is_also_a_zip_with_the_labels(int8, float32):
    for converted in (int8, float32):
        with zipfile.ZipFile(converted.path) as archive:
            assert archive.testzip() is None
            assert archive.read("labels.txt").decode().split() == list(
                read_metadata(converted.path).labels
            )


def test_converted_file_classifies_a_sound(converted: Converted, trained: Trained):
    decision = Classifier(converted.path).classify(tone(3, 1))
    assert sum(decision.scores.values()) == pytest.approx(1.0, abs=1e-4)
    assert list(decision.scores) == list(read_metadata(converted.path).labels)


def test_test_utterances_are_judged_alike_in_training_and_on_the_device(float32, trained):
    utterances = read_corpora(trained.corpora, ["TESS", "RAVDESS"])
    tested = [u.path for u in utterances if u.speaker in ("TESS-YAF", "RAVDESS-03")]
    difference = keras_clip_scores(trained, tested) - device_clip_scores(float32.path, tested)
    assert len(tested) == 51
    assert np.abs(difference).max() < 1e-3


def with_pauses(emotion: int) -> np.ndarray:
    """A clip of many windows whose loudness differs a lot, so that they count differently."""
    hush = 1e-3 * np.random.default_rng(0).normal(size=RATE // 2)
    return np.concatenate([tone(emotion, 0, 1.0), hush, tone(emotion + 1, 1, 1.0, 0.02), hush])


@pytest.mark.parametrize(
    "sound",
    [
        tone(4, 0, seconds=0.3),
        tone(4, 0, seconds=3.0),
        with_pauses(2),
        with_pauses(2) * 0.03,
        0.05 * np.concatenate([np.zeros(RATE), tone(5, 3, 0.6), np.zeros(RATE)]),
    ],
    ids=["shorter than the window", "long", "pauses", "quiet pauses", "digital silence around"],
)
def test_clips_of_every_kind_are_judged_alike(float32, trained, tmp_path, sound):
    path = write_wav(tmp_path / "clip.wav", sound)
    difference = keras_clip_scores(trained, [path]) - device_clip_scores(float32.path, [path])
    assert np.abs(difference).max() < 1e-3
