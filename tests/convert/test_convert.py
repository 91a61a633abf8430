"""What a conversion makes: one file that the device runs, and that gives the model's answers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime import Classifier
from edge_runtime.metadata import ModelMetadata, read_metadata
from edge_runtime.sources import read_clip
from train.corpora import read_corpora
from train.predict import Predictor

from ..train.tones import RATE, tone, write_wav
from .conftest import Converted, Trained


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
    assert [details["dtype"] for details in ends] == [np.int8, np.int8]
    assert all(details["quantization"][0] > 0 for details in ends)
    kinds = {details["dtype"] for details in interpreter.get_tensor_details()}
    assert kinds <= {np.int8, np.int32}


def test_float32_is_float32(float32):
    interpreter = Interpreter(model_path=str(float32.path))
    ends = interpreter.get_input_details() + interpreter.get_output_details()
    assert [details["dtype"] for details in ends] == [np.float32, np.float32]


def test_report_and_file_agree(converted: Converted, trained: Trained):
    report = converted.report
    assert report["file"] == str(converted.path)
    assert report["size"] == converted.path.stat().st_size
    assert report["windows"] == len(windows_of(trained)) // 2
    assert 0.9 <= report["agreement"] <= 1.0
    assert 0.0 <= report["mean_difference"] <= report["largest_difference"] <= 1.0
    told = read_metadata(converted.path).provenance["conversion"]
    assert told["target"] == report["target"]
    for field in ("backend", "windows", "agreement", "mean_difference", "largest_difference"):
        assert told["comparison"][field] == report[field]


def test_reported_agreement_is_what_the_device_measures(converted: Converted, trained: Trained):
    held_out = windows_of(trained)[1::2]
    backend = Classifier(converted.path).backend
    got = np.stack([backend.run(window)[0] for window in held_out])
    model = keras.models.load_model(trained.model, compile=False)
    wanted = model.predict(held_out, verbose=0)
    agreement = np.mean(got.argmax(axis=1) == wanted.argmax(axis=1))
    assert converted.report["agreement"] == pytest.approx(agreement, abs=1e-4)
    difference = np.abs(got - wanted)
    assert converted.report["largest_difference"] == pytest.approx(difference.max(), abs=1e-4)
    assert difference.max() < (0.25 if converted.report["target"] == "int8" else 1e-4)


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
