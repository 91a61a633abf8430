"""Sound, models and processes for the tests of the device core."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import Classifier, FeatureConfig
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.metadata import LABELS, ModelMetadata, write_metadata

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000
SMALL_FEATURES = FeatureConfig(
    frame_length=400, hop_length=160, n_mels=20, n_mfcc=10, level="peak", log_floor=1e-6
)
WINDOW_FRAMES = 30


def synthesise_speech(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """A voice-like sound: harmonics of a moving pitch, three formants, syllables, pauses."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    pitch = 110.0 * (1 + rng.random()) * (1 + 0.2 * np.sin(2 * np.pi * 0.7 * time + seed))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    formants = rng.uniform([300, 900, 2200], [800, 2000, 3200])
    voice = np.zeros_like(time)
    for number in range(1, 30):
        gain = sum(np.exp(-(((number * pitch - formant) / 200.0) ** 2)) for formant in formants)
        voice += (0.02 / number + gain) * np.sin(number * phase) * (number * pitch < rate / 2)
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time + seed), 0.0, None) ** 0.5
    sound = voice * syllables + 0.3 * rng.normal(size=len(time)) * (syllables == 0.0) * 0.01
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def describe(**changes: Any) -> ModelMetadata:
    """Metadata of the small models of the tests."""
    features = changes.pop("features", SMALL_FEATURES)
    width = features.feature_dim
    metadata = ModelMetadata(
        name="small",
        labels=LABELS,
        features=features,
        window_frames=WINDOW_FRAMES,
        hop_seconds=0.1,
        feature_mean=(0.0,) * width,
        feature_scale=(20.0,) * width,
    )
    return replace(metadata, **changes)


@pytest.fixture(scope="session")
def speech() -> Callable[..., np.ndarray]:
    """Synthesise voice-like sound: seconds, seed, rate."""
    return synthesise_speech


@pytest.fixture(scope="session")
def metadata_for() -> Callable[..., ModelMetadata]:
    """Metadata of the small models, with changes."""
    return describe


@pytest.fixture(scope="session")
def default_model_bytes() -> bytes:
    """The bundled model, to be copied: nothing may change the original."""
    return DEFAULT_MODEL.read_bytes()


@pytest.fixture
def tflite_model(tmp_path: Path, default_model_bytes: bytes) -> Path:
    """A copy of the bundled model that a test may write to."""
    path = tmp_path / "model.tflite"
    path.write_bytes(default_model_bytes)
    return path


@pytest.fixture(scope="session")
def make_onnx() -> Callable[..., Path]:
    """Write an ONNX classifier that averages the window and applies random weights.

    Its arguments: the path, the metadata (None writes none), and ``outputs``, the number of
    scores it gives when that is not the number of labels.
    """
    onnx = pytest.importorskip("onnx", reason="the onnx package makes the models")

    def make(path: Path, metadata: ModelMetadata | None, **options: Any) -> Path:
        described = metadata or describe()
        n_frames, width = described.window_frames, described.features.feature_dim
        n_scores = options.get("outputs", len(described.labels))
        weights = np.random.default_rng(3).normal(size=(width, n_scores)).astype(np.float32)
        helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
        shape = [1, width] if described.features.pool == "mean" else [1, n_frames, width]
        shape = options.get("input_shape", shape)
        embedding = ["embedding"] if "embedding" in described.outputs else []
        nodes = [
            helper.make_node("ReduceMean", ["window"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
            helper.make_node("Identity", ["mean"], ["embedding"]),
        ]
        if described.features.pool == "mean":
            nodes[0] = helper.make_node("Identity", ["window"], ["mean"])
        graph = helper.make_graph(
            nodes if embedding else nodes[:3],
            "small",
            [helper.make_tensor_value_info("window", float32, shape)],
            [
                helper.make_tensor_value_info(name, float32, [1, size])
                for name, size in [("scores", n_scores), ("embedding", width)]
                if name == "scores" or embedding
            ],
            [onnx.numpy_helper.from_array(weights, "weights")],
        )
        opset = [helper.make_opsetid("", 13)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
        if metadata is not None:
            write_metadata(path, metadata)
        return path

    return make


@pytest.fixture(scope="session")
def converted_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One Keras model as float32.tflite, int8.tflite and float32.onnx.

    Beside them weights.npz, windows.npy to run them on, and newer.tflite, which holds an operator
    that tflite-runtime does not know. TensorFlow works in a process of its own: with some
    interpreters it cannot share one. Where SER_EDGE_TEST_MODELS names a folder, they stay there.
    """
    kept = os.environ.get("SER_EDGE_TEST_MODELS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("converted")
    if not (folder / "done").is_file():
        make_models(folder)
        (folder / "done").touch()
    return folder


def make_models(folder: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow makes the models")
    folder.mkdir(parents=True, exist_ok=True)
    script = Path(__file__).with_name("make_models.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for path in [*folder.glob("*.tflite"), *folder.glob("*.onnx")]:
        write_metadata(path, describe())


@pytest.fixture(scope="session")
def ser_edge() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``ser-edge`` in a process: arguments, ``stdin`` bytes, ``env`` changes."""

    def run(*arguments: object, stdin: bytes = b"", env: dict[str, str] | None = None) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "edge_runtime.cli", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            check=False,
            env=environment(env),
        )
        stdout, stderr = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in stderr
        return subprocess.CompletedProcess(done.args, done.returncode, stdout, stderr)

    return run


def environment(changes: dict[str, str] | None = None) -> dict[str, str]:
    """The environment without the options of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SER_EDGE_")}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), **(changes or {})}


@pytest.fixture(scope="session")
def child_environment() -> dict[str, str]:
    """The environment for processes that tests start themselves."""
    return environment()


def wav_bytes(samples: np.ndarray, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        n_channels = 1 if samples.ndim == 1 else samples.shape[1]
        writer.setparams((n_channels, 2, rate, 0, "NONE", ""))
        writer.writeframes(np.round(32767 * np.clip(samples, -1, 1)).astype("<i2").tobytes())
    return file.getvalue()


@pytest.fixture(scope="session")
def to_wav() -> Callable[..., bytes]:
    """A 16 bit WAV file's bytes: samples (n,) or (n, channels), rate."""
    return wav_bytes


@pytest.fixture(scope="session")
def bundled() -> Classifier:
    return Classifier()


@pytest.fixture(scope="session")
def small(
    tmp_path_factory: pytest.TempPathFactory,
    make_onnx: Callable[..., Path],
    metadata_for: Callable[..., ModelMetadata],
) -> Classifier:
    """A model with a window of 30 frames of 160 samples, 5040 samples in all."""
    path = tmp_path_factory.mktemp("small") / "small.onnx"
    return Classifier(make_onnx(path, metadata_for(rejection_threshold=0.4)))
