"""What a conversion starts from: a fitted network, of ser-train's or of someone else's."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convert.child import Child
from convert.targets import Target
from edge_runtime.backends import load_backend
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import PRESETS, FeatureConfig
from edge_runtime.metadata import ENTRY, ModelMetadata, read_metadata

WEIGHTS_FILES = ("{stem}.weights.h5", "{stem}.h5")
SAVED_MODEL = "saved_model.pb"
DEFAULT_HOP_SECONDS = 0.5
POOLED_WINDOW_SECONDS = 3.0
# What each kind of original can become.
POSSIBLE = {
    "keras": ("float32", "float16", "dynamic", "int8", "int16", "onnx", "onnx-int8"),
    "saved-model": ("float32", "float16", "dynamic", "int8", "int16", "onnx", "onnx-int8"),
    "tflite": ("float32", "int8", "int16", "onnx", "onnx-int8"),
    "onnx": ("onnx", "onnx-int8"),
}


@dataclass(frozen=True)
class Original:
    """A network and what is known about it.

    Attributes
    ----------
    path : Path
        The .keras, .json, .tflite or .onnx file, or the folder of a SavedModel.
    kind : {"keras", "saved-model", "tflite", "onnx"}
        How it is loaded; a .json is "keras" too.
    weights : Path or None
        The .h5 file that goes with a .json.
    metadata : ModelMetadata
        Goes into the converted file.
    """

    path: Path
    kind: str
    weights: Path | None
    metadata: ModelMetadata

    @property
    def folder(self) -> Path:
        """Where the files that go with it are."""
        return self.path.parent

    @property
    def name(self) -> Path:
        """What the names of converted files begin with."""
        return self.path.with_suffix("") if self.kind != "saved-model" else self.path

    def to_task(self) -> dict[str, Any]:
        """As JSON types, for `convert.worker`."""
        return _task(self.path, self.kind, self.weights)

    def require(self, target: Target) -> None:
        """Refuse a target that it cannot become.

        Raises
        ------
        SerEdgeError
            When it cannot.
        """
        if target.name not in POSSIBLE[self.kind]:
            possible = ", ".join(f"--{name}" for name in POSSIBLE[self.kind])
            raise SerEdgeError(
                f"{self.path}: from a {self.path.suffix} file only {possible} can be made, not "
                f"--{target.name}; start from the .keras file or a SavedModel"
            )


def _task(path: Path, kind: str, weights: Path | None) -> dict[str, Any]:
    return {
        "path": str(path.resolve()),
        "kind": kind,
        "weights": str(weights.resolve()) if weights else None,
    }


def load_original(path: Path, labels: str | None, features: str | None) -> Original:
    """Find out what a model is, and what describes it.

    Parameters
    ----------
    path : Path
        A .keras, .json (with its weights in .h5 beside it), .tflite or .onnx file, or the folder
        of a SavedModel. ``ser_edge.json`` beside it (in it, for a folder) or the file's own
        metadata describe it, unless the other two do.
    labels : str, optional
        The classes in the order of the scores, separated by commas, or a text file with one in
        each line.
    features : str, optional
        A preset ("librosa", "python_speech_features") or a .json file: a ``ser_edge.json``, or
        the feature definition in it alone.

    Raises
    ------
    SerEdgeError
        When it is missing, no model, or its metadata is missing, damaged or does not fit.
    """
    kind, weights = _kind(path)
    # Where both are given nothing else is asked, be it damaged.
    described = None if features and labels else _described(path, kind)
    if features is not None:
        described = _featured(path, kind, weights, features, labels, described)
    elif labels is not None and described is not None:
        described = replace(described, labels=_labels(labels))
    if described is None:
        raise SerEdgeError(
            f"{path}: there is no {ENTRY} beside it to say what its features and labels are; "
            "ser-train writes one, or give --labels and --features"
        )
    return Original(path, kind, weights, described)


def _kind(path: Path) -> tuple[str, Path | None]:
    if path.is_dir():
        if (path / SAVED_MODEL).is_file():
            return "saved-model", None
        raise SerEdgeError(f"{path}: is a folder without {SAVED_MODEL}, so no SavedModel")
    kinds = {".keras": "keras", ".json": "keras", ".tflite": "tflite", ".onnx": "onnx"}
    if path.suffix not in kinds or not path.is_file():
        raise SerEdgeError(
            f"{path}: no such model; it must be a .keras, .json, .tflite or .onnx file or the "
            "folder of a SavedModel"
        )
    if path.suffix != ".json":
        return kinds[path.suffix], None
    for pattern in WEIGHTS_FILES:
        weights = path.with_name(pattern.format(stem=path.stem))
        if weights.is_file():
            return "keras", weights
    raise SerEdgeError(f"{path}: there is no {path.stem}.weights.h5 beside it")


def _described(path: Path, kind: str) -> ModelMetadata | None:
    beside = (path if kind == "saved-model" else path.parent) / ENTRY
    if kind in ("tflite", "onnx"):
        try:
            return read_metadata(path)
        except SerEdgeError as error:
            if "carries no ser-edge metadata" not in str(error):
                raise
    if path.name == ENTRY:
        raise SerEdgeError(f"{path}: describes a model and is none")
    return _from_file(beside) if beside.exists() else None


def _from_file(path: Path) -> ModelMetadata:
    try:
        return ModelMetadata.from_json(path.read_text(encoding="utf-8"))
    except (SerEdgeError, UnicodeDecodeError, OSError) as error:
        raise SerEdgeError(f"{path}: {error}") from error


def _labels(given: str) -> tuple[str, ...]:
    path = Path(given)
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else given.replace(",", "\n")
    except (UnicodeDecodeError, OSError) as error:
        raise SerEdgeError(f"--labels: {path}: cannot be read ({error})") from error
    labels = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise SerEdgeError(f"--labels: at least two different labels are needed, not {given!r}")
    return labels


def _featured(
    path: Path,
    kind: str,
    weights: Path | None,
    features: str,
    labels: str | None,
    described: ModelMetadata | None,
) -> ModelMetadata:
    """Metadata from --features, and from --labels unless the features' file has them too."""
    if features not in PRESETS:
        content = _json(Path(features))
        if "features" in content:
            whole = _from_file(Path(features))
            return whole if labels is None else replace(whole, labels=_labels(labels))
        config = FeatureConfig.from_dict(content)
    else:
        config = PRESETS[features]
    if labels is None and described is None:
        raise SerEdgeError(f"{path}: --features needs --labels too")
    shape = _window_shape(path, kind, weights)
    config = replace(config, pool="mean") if len(shape) == 1 else config
    if shape[-1] != config.feature_dim:
        raise SerEdgeError(
            f"{path}: reads {shape[-1]} values per frame, but --features gives {config.feature_dim}"
        )
    return ModelMetadata(
        name=path.stem,
        labels=_labels(labels) if labels else described.labels,  # type: ignore[union-attr]
        features=config,
        window_frames=shape[0] if len(shape) == 2 else _frames_in_window(config),
        hop_seconds=DEFAULT_HOP_SECONDS,
        feature_mean=(0.0,) * config.feature_dim,
        feature_scale=(1.0,) * config.feature_dim,
    )


def _frames_in_window(config: FeatureConfig) -> int:
    """For features averaged over a window whose length the network does not tell."""
    return max(1, config.frames_in(int(POOLED_WINDOW_SECONDS * config.sample_rate)))


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(PRESETS)
        raise SerEdgeError(f"--features: {path}: no such file, and no preset ({known})") from error
    except (OSError, ValueError) as error:
        raise SerEdgeError(f"--features: {path}: is no JSON ({error})") from error
    if not isinstance(content, dict):
        raise SerEdgeError(f"--features: {path}: is no JSON object")
    return content


def _window_shape(path: Path, kind: str, weights: Path | None) -> tuple[int, ...]:
    """Shape of a foreign model's input, without axes of size one."""
    if kind in ("tflite", "onnx"):
        shape = load_backend(path).input_shape
    else:
        task = {"task": "shape", "original": _task(path, kind, weights)}
        with closing(Child("convert.worker")) as worker:
            shape = tuple(worker.run(task, {}, f"{path}: loading it")[0]["shape"])
    kept = tuple(int(size) for size in shape if size != 1)
    if not 1 <= len(kept) <= 2 or not all(np.array(kept) > 0):
        raise SerEdgeError(f"{path}: reads {shape} values, not a window of frames")
    return kept
