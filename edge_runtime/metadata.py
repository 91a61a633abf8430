"""What a model file says about itself: written into it, read back and checked.

A model is one file. In .tflite the metadata is ``ser_edge.json`` and ``labels.txt``, appended as
a zip archive the way the TFLite Metadata convention packs associated files [1]_; interpreters
ignore what follows the flatbuffer. In .onnx it is the ``metadata_props`` entry ``ser_edge.json``.

.. [1] TensorFlow Lite Metadata, "Pack the associated files",
   https://www.tensorflow.org/lite/models/convert/metadata
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import struct
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureConfig

LABELS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
UNSURE = "unsure"  # what a decision below the rejection threshold is called
FORMAT_VERSION = 1
# A model's outputs in their order; the second is optional.
OUTPUTS = SCORES, EMBEDDING = "scores", "embedding"
ENTRY = "ser_edge.json"
LABELS_ENTRY = "labels.txt"
MAX_METADATA_BYTES = 1 << 20
# The features are standardised in float32.
SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
# What `zipfile` raises on an archive that is damaged.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    OverflowError,
    EOFError,
    IndexError,
    NotImplementedError,
    RuntimeError,
)
# A zip entry without a date of its own, so that equal models are equal files.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class ModelMetadata:
    """Everything that the runtime must know to use a model.

    Parameters
    ----------
    name : str
        Short name of the model.
    labels : tuple of str
        The classes, in the order of the scores.
    features : FeatureConfig
        The complete feature definition.
    window_frames : int
        Number of frames, T, in the window that the model reads.
    hop_seconds : float
        Time between two decisions on a stream, in seconds.
    feature_mean, feature_scale : tuple of float, length D
        Every feature is standardised as ``(x - mean) / scale``; fitted on training speakers.
    outputs : tuple of str
        Names of the model's outputs in order: "scores", then optionally "embedding".
    temperature : float
        Divides the logarithm of the scores before they are normalised again, > 0.
    rejection_threshold : float
        A decision whose score is below it is "unsure"; 0 to 1.
    provenance : dict
        Corpora, protocol, figures, licence and the like, as JSON.
    least_runtime : dict of str to str
        For each interpreter package the least version that loads the file.

    Raises
    ------
    SerEdgeError
        When a value is out of range, naming it.
    """

    name: str
    labels: tuple[str, ...]
    features: FeatureConfig
    window_frames: int
    hop_seconds: float
    feature_mean: tuple[float, ...]
    feature_scale: tuple[float, ...]
    outputs: tuple[str, ...] = (SCORES,)
    temperature: float = 1.0
    rejection_threshold: float = 0.0
    provenance: dict[str, Any] = field(default_factory=dict)
    least_runtime: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        width = self.features.feature_dim
        _require(_is_text(self.name), "name must be printable text")
        _require(all(map(_is_text, self.labels)), "labels must be printable text")
        _require(len(self.labels) >= 2, "labels must be at least two")
        _require(len(set(self.labels)) == len(self.labels), "labels must differ")
        _require(UNSURE not in self.labels, f"{UNSURE!r} cannot be a label")
        _require(
            type(self.window_frames) is int and 1 <= self.window_frames <= 100_000,
            "window_frames must be an integer, 1 to 100000",
        )
        _require(
            _is_number(self.hop_seconds) and 0.0 < self.hop_seconds <= 3600.0,
            "hop_seconds must be above 0, at most 3600",
        )
        _require(len(self.feature_mean) == width, f"feature_mean must hold {width} values")
        _require(len(self.feature_scale) == width, f"feature_scale must hold {width} values")
        _require(all(map(_is_number, self.feature_mean)), "feature_mean must be finite")
        _require(
            all(_is_number(scale) and scale >= SMALLEST for scale in self.feature_scale),
            "feature_scale must be finite and above 0",
        )
        _require(all(map(_is_text, self.outputs)), "outputs must be printable text")
        _require(self.outputs[:1] == (SCORES,), "outputs must begin with scores")
        _require(
            _is_number(self.temperature) and self.temperature > 0.0, "temperature must be above 0"
        )
        _require(
            _is_number(self.rejection_threshold) and 0.0 <= self.rejection_threshold <= 1.0,
            "rejection_threshold must be 0 to 1",
        )
        for name in ("provenance", "least_runtime"):
            _require(isinstance(getattr(self, name), dict), f"{name} must be an object")

    @property
    def window_seconds(self) -> float:
        """Length of the window in seconds."""
        return self.features.samples_for(self.window_frames) / self.features.sample_rate

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one model input without the batch axis: (T, D), or (D,) when pooled."""
        if self.features.pool == "mean":
            return (self.features.feature_dim,)
        return (self.window_frames, self.features.feature_dim)

    def standardise(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardise windows of features, (..., *input_shape), as the model expects them."""
        mean, scale = self._normaliser
        standardised = np.asarray(features - mean, dtype=np.float32)
        standardised /= scale
        return standardised

    @cached_property
    def _normaliser(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and scale, made once and for a whole window: they are asked for at every decision.

        One long row takes half as long as many short ones.
        """
        of_feature = np.array([self.feature_mean, self.feature_scale], dtype=np.float32)
        mean, scale = (np.broadcast_to(one, self.input_shape).copy() for one in of_feature)
        return mean, scale

    def to_json(self) -> str:
        """Serialise with the format version in front.

        Raises
        ------
        SerEdgeError
            When the provenance holds something that JSON does not know.
        """
        fields = {"format": FORMAT_VERSION, **asdict(self), "features": self.features.to_dict()}
        try:
            return json.dumps(fields, indent=1, allow_nan=False)
        except (ValueError, TypeError) as error:
            raise SerEdgeError(f"metadata: cannot be written as JSON ({error})") from error

    @classmethod
    def from_json(cls, text: str) -> ModelMetadata:
        """Parse and check what `to_json` wrote.

        Raises
        ------
        SerEdgeError
            When the text is no JSON, newer than this runtime understands, or does not fit.
        """
        try:
            fields = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise SerEdgeError(f"metadata: not JSON ({error})") from error
        _require(isinstance(fields, dict), "not a JSON object")
        version = fields.pop("format", None)
        _require(type(version) is int and version >= 1, "no format version")
        if version > FORMAT_VERSION:
            raise SerEdgeError(
                f"metadata: format {version} is newer than this ser-edge understands "
                f"({FORMAT_VERSION}); upgrade with: pip install --upgrade ser-edge"
            )
        try:
            for name in ("labels", "feature_mean", "feature_scale", "outputs"):
                if name in fields:
                    _require(isinstance(fields[name], list), f"{name} must be a list")
                    fields[name] = tuple(fields[name])
            fields["features"] = FeatureConfig.from_dict(fields["features"])
            return cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise SerEdgeError(f"metadata: a field is missing or misplaced ({error})") from error


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SerEdgeError(f"metadata: {message}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_number(value: object) -> bool:
    """Whether a value is a number that float32 can hold."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and -LARGEST <= value <= LARGEST  # type: ignore[operator]


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def model_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a model file, in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def read_metadata(path: str | os.PathLike[str]) -> ModelMetadata:
    """Read the metadata of a model file.

    Parameters
    ----------
    path : path-like
        A .tflite or .onnx file.

    Returns
    -------
    ModelMetadata
        What the file says about itself.

    Raises
    ------
    SerEdgeError
        When the file is missing, no model, or its metadata is absent, newer than this runtime
        understands, or wrong; the message names the file and what to do.
    """
    path = Path(path)
    readers = {".tflite": _read_tflite, ".onnx": _read_onnx}
    try:
        if not path.is_file():
            raise SerEdgeError(f"{path}: no such model file")
        if path.suffix not in readers:
            raise SerEdgeError(f"{path}: a model file ends in .tflite or .onnx")
        text = readers[path.suffix](path)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read ({error.strerror or error})") from error
    if text is None:
        raise SerEdgeError(
            f"{path}: carries no ser-edge metadata, so its labels and features are unknown; "
            "convert the model with ser-convert; if that made it, its end is missing: copy it again"
        )
    try:
        return ModelMetadata.from_json(text)
    except SerEdgeError as error:
        raise SerEdgeError(f"{path}: {error}") from error


def write_metadata(path: str | os.PathLike[str], metadata: ModelMetadata) -> None:
    """Put metadata into a .tflite or .onnx file, in place of any that it carries.

    The file is replaced as a whole or, when anything fails, left as it was.

    Parameters
    ----------
    path : path-like
        The model file.
    metadata : ModelMetadata
        What to write.

    Raises
    ------
    SerEdgeError
        When the file is no .tflite or .onnx model, or cannot be written.
    """
    path = Path(path)
    describers = {".tflite": _describe_tflite, ".onnx": _describe_onnx}
    if path.suffix not in describers:
        raise SerEdgeError(f"{path}: a model file ends in .tflite or .onnx")
    own = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        with replacing(path, own) as temporary:
            temporary.write_bytes(describers[path.suffix](path, metadata))
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error


def _read_tflite(path: Path) -> str | None:
    content = _tflite_content(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if ENTRY not in archive.namelist():
                return None
            if archive.getinfo(ENTRY).file_size > MAX_METADATA_BYTES:
                raise SerEdgeError(f"{path}: its metadata is larger than 1 MiB")
            return archive.read(ENTRY).decode("utf-8")
    except DAMAGED as error:
        if ENTRY.encode() not in content:
            return None
        raise SerEdgeError(
            f"{path}: its metadata is damaged ({error}); copy or convert the model again"
        ) from error


def _tflite_content(path: Path) -> bytes:
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise SerEdgeError(f"{path}: is not a TFLite model")
    return content


def _describe_tflite(path: Path, metadata: ModelMetadata) -> bytes:
    content = _tflite_content(path)
    described = io.BytesIO()
    described.write(content[: _flatbuffer_size(content)])
    entries = {ENTRY: metadata.to_json(), LABELS_ENTRY: "\n".join(metadata.labels) + "\n"}
    with zipfile.ZipFile(described, "a") as archive:
        for name, text in entries.items():
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return described.getvalue()


def _flatbuffer_size(content: bytes) -> int:
    """Size of a .tflite file's content without the zip archive at its end."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            offsets = [entry.header_offset for entry in archive.infolist()]
    except DAMAGED:
        offsets = []
    return min(offsets, default=len(content))


def _read_onnx(path: Path) -> str | None:
    from edge_runtime.backends import onnx_session

    entries = onnx_session(path, threads=1).get_modelmeta().custom_metadata_map
    text = entries.get(ENTRY)
    return None if text is None else str(text)


def _describe_onnx(path: Path, metadata: ModelMetadata) -> bytes:
    try:
        import onnx
    except ImportError as error:
        raise SerEdgeError(
            f"{path}: writing ONNX metadata needs the onnx package: pip install 'ser-edge[convert]'"
        ) from error
    content = path.read_bytes()
    try:
        model = onnx.load_from_string(content)
    # protobuf's own exception: its package is no dependency of this one.
    except Exception as error:
        raise SerEdgeError(f"{path}: is not an ONNX model") from error
    if not model.HasField("graph"):
        raise SerEdgeError(f"{path}: is not an ONNX model")
    kept = [entry for entry in model.metadata_props if entry.key != ENTRY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=ENTRY, value=metadata.to_json())
    return bytes(model.SerializeToString())
