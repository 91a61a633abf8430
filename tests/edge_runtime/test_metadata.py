"""What a model file says about itself goes in, comes out, and is refused when it is wrong."""

from __future__ import annotations

import io
import json
import math
import os
import string
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge_runtime import Classifier, FeatureConfig, SerEdgeError
from edge_runtime.metadata import (
    ENTRY,
    LABELS,
    LABELS_ENTRY,
    ModelMetadata,
    model_hash,
    read_metadata,
    write_metadata,
)

REUSES_FILE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
WORDS = st.text(string.ascii_letters + string.digits + " -_äöß语", min_size=1, max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@st.composite
def metadata(draw: st.DrawFn) -> ModelMetadata:
    n_mels = draw(st.integers(2, 8))
    features = FeatureConfig(
        n_mels=n_mels,
        n_mfcc=draw(st.integers(1, n_mels)),
        delta_order=draw(st.integers(0, 2)),
        pool=draw(st.sampled_from(["none", "mean"])),
    )
    width = features.feature_dim
    means = st.floats(-1e6, 1e6, allow_nan=False)
    scales = st.floats(1e-6, 1e6, allow_nan=False)
    return ModelMetadata(
        name=draw(WORDS),
        labels=tuple(draw(st.lists(WORDS, min_size=2, max_size=9, unique=True))),
        features=features,
        window_frames=draw(st.integers(1, 100_000)),
        hop_seconds=draw(st.floats(1e-6, 3600.0)),
        feature_mean=tuple(draw(st.lists(means, min_size=width, max_size=width))),
        feature_scale=tuple(draw(st.lists(scales, min_size=width, max_size=width))),
        outputs=draw(st.sampled_from([("scores",), ("scores", "embedding")])),
        temperature=draw(st.floats(1e-3, 1e3)),
        rejection_threshold=draw(st.floats(0.0, 1.0)),
        provenance=draw(st.dictionaries(st.text(), JSON, max_size=4)),
        least_runtime=draw(st.dictionaries(WORDS, WORDS, max_size=2)),
    )


def error_of(work: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(SerEdgeError) as caught:
        work(*arguments)
    message = str(caught.value)
    assert message.isprintable()
    return message


def split_model(content: bytes) -> tuple[bytes, dict[str, Any]]:
    """The flatbuffer of a .tflite file and its metadata as parsed JSON."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
        return content[:start], json.loads(archive.read(ENTRY))


def with_text(flatbuffer: bytes, text: str | bytes, name: str = ENTRY) -> bytes:
    file = io.BytesIO()
    file.write(flatbuffer)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return file.getvalue()


# --- there and back -----------------------------------------------------------------------------


@given(metadata())
def test_metadata_survives_json(described: ModelMetadata) -> None:
    assert ModelMetadata.from_json(described.to_json()) == described


def test_json_states_every_field_and_the_format(metadata_for: Callable[..., ModelMetadata]) -> None:
    stated = json.loads(metadata_for().to_json())
    assert stated["format"] == 1
    assert set(stated) == {"format", *(field.name for field in fields(ModelMetadata))}
    assert set(stated["features"]) == {field.name for field in fields(FeatureConfig)}


@settings(max_examples=25, suppress_health_check=REUSES_FILE)
@given(metadata())
def test_tflite_file_carries_what_was_written(tflite_model: Path, described: ModelMetadata) -> None:
    write_metadata(tflite_model, described)
    assert read_metadata(tflite_model) == described
    with zipfile.ZipFile(tflite_model) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted([ENTRY, LABELS_ENTRY])
        assert archive.read(LABELS_ENTRY).decode().splitlines() == list(described.labels)


@settings(max_examples=10, suppress_health_check=REUSES_FILE)
@given(metadata())
def test_onnx_file_carries_what_was_written(
    tmp_path: Path, make_onnx: Callable[..., Path], described: ModelMetadata
) -> None:
    path = make_onnx(tmp_path / "model.onnx", None)
    write_metadata(path, described)
    assert read_metadata(path) == described


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_model_runs_as_before_once_described(
    kind: str, tflite_model: Path, tmp_path: Path, make_onnx: Callable[..., Path],
    metadata_for: Callable[..., ModelMetadata],
) -> None:  # fmt: skip
    path = tflite_model
    if kind == "onnx":
        path = make_onnx(tmp_path / "model.onnx", metadata_for())
    before = Classifier(path)
    shape = (before.metadata.window_frames, before.metadata.features.frame_dim + 1)
    window = np.random.default_rng(0).normal(-40.0, 10.0, shape).astype(np.float32)
    write_metadata(path, replace(before.metadata, name="renamed"))
    after = Classifier(path)
    assert after.metadata.name == "renamed"
    np.testing.assert_array_equal(after.window_scores(window), before.window_scores(window))
    assert after.hash != before.hash


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_writing_again_replaces_and_does_not_grow(
    kind: str, tflite_model: Path, tmp_path: Path, make_onnx: Callable[..., Path],
    metadata_for: Callable[..., ModelMetadata],
) -> None:  # fmt: skip
    path = tflite_model
    if kind == "onnx":
        path = make_onnx(tmp_path / "model.onnx", None)
    write_metadata(path, metadata_for(name="first"))
    once = path.read_bytes()
    write_metadata(path, metadata_for(name="second", provenance={"corpora": "TESS " * 500}))
    assert read_metadata(path).name == "second"
    write_metadata(path, metadata_for(name="first"))
    assert path.read_bytes() == once
    assert [file.name for file in tmp_path.iterdir() if file.suffix == path.suffix] == [path.name]


def test_other_metadata_properties_of_an_onnx_file_stay(
    tmp_path: Path, make_onnx: Callable[..., Path], metadata_for: Callable[..., ModelMetadata]
) -> None:
    onnx = pytest.importorskip("onnx")
    path = make_onnx(tmp_path / "model.onnx", None)
    model = onnx.load(path)
    model.metadata_props.add(key="author", value="someone")
    onnx.save(model, path)
    write_metadata(path, metadata_for())
    write_metadata(path, metadata_for())
    properties = [(entry.key, entry.value) for entry in onnx.load(path).metadata_props]
    assert ("author", "someone") in properties
    assert [key for key, _ in properties] == ["author", ENTRY]


def test_equal_models_are_equal_files_with_equal_hashes(
    tmp_path: Path, default_model_bytes: bytes, metadata_for: Callable[..., ModelMetadata]
) -> None:
    hashes = set()
    for name in ("a.tflite", "b.tflite"):
        (tmp_path / name).write_bytes(default_model_bytes)
        write_metadata(tmp_path / name, metadata_for())
        hashes.add(model_hash(tmp_path / name))
    assert len(hashes) == 1


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_permissions_stay(tflite_model: Path, metadata_for: Callable[..., ModelMetadata]) -> None:
    tflite_model.chmod(0o640)
    write_metadata(tflite_model, metadata_for())
    assert tflite_model.stat().st_mode & 0o777 == 0o640


# --- a write that fails -------------------------------------------------------------------------

WRITE_ON_A_FULL_DISK = """
import resource, sys
from edge_runtime import SerEdgeError
from edge_runtime.metadata import read_metadata, write_metadata
metadata = read_metadata(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_metadata(sys.argv[1], metadata)
except SerEdgeError as error:
    print(error)
"""


def test_file_is_left_as_it_was_when_the_disk_takes_no_more(
    tflite_model: Path, child_environment: dict[str, str]
) -> None:
    pytest.importorskip("resource", reason="limits of the file size are POSIX's")
    before = tflite_model.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", WRITE_ON_A_FULL_DISK, str(tflite_model)],
        capture_output=True,
        text=True,
        check=True,
        env=child_environment,
    )
    assert f"{tflite_model}: cannot be written" in done.stdout
    assert tflite_model.read_bytes() == before
    assert [file.name for file in tflite_model.parent.iterdir()] == [tflite_model.name]


def test_file_is_left_as_it_was_when_the_folder_is_read_only(
    tflite_model: Path, metadata_for: Callable[..., ModelMetadata]
) -> None:
    before = tflite_model.read_bytes()
    tflite_model.parent.chmod(0o555)
    try:
        if os.access(tflite_model.parent, os.W_OK):
            pytest.skip("this user may write everywhere")
        message = error_of(write_metadata, tflite_model, metadata_for())
    finally:
        tflite_model.parent.chmod(0o755)
    assert message.startswith(f"{tflite_model}: cannot be written")
    assert tflite_model.read_bytes() == before


def test_file_is_left_as_it_was_when_the_metadata_is_no_json(
    tflite_model: Path, metadata_for: Callable[..., ModelMetadata]
) -> None:
    before = tflite_model.read_bytes()
    for provenance in ({"uar": math.nan}, {"when": object()}):
        described = metadata_for(provenance=provenance)
        assert "JSON" in error_of(write_metadata, tflite_model, described)
    assert tflite_model.read_bytes() == before
    assert [file.name for file in tflite_model.parent.iterdir()] == [tflite_model.name]


@pytest.mark.parametrize("name", ["model.tflite", "model.onnx"])
def test_what_is_no_model_gets_no_metadata(
    name: str, tmp_path: Path, metadata_for: Callable[..., ModelMetadata]
) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / name
    for content in (b"", b"hello, world", b"PK\x05\x06" + bytes(18)):
        path.write_bytes(content)
        message = error_of(write_metadata, path, metadata_for())
        assert message.startswith(f"{path}: is not a")
        assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["absent.tflite", "absent.onnx", "model.keras", "model"])
def test_missing_file_or_wrong_suffix_is_named(
    name: str, tmp_path: Path, metadata_for: Callable[..., ModelMetadata]
) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / name
    if not name.startswith("absent"):
        path.write_bytes(b"something")
    wanted = "No such file" if name.startswith("absent") else "ends in .tflite or .onnx"
    assert wanted in error_of(write_metadata, path, metadata_for())
    wanted = "no such model file" if name.startswith("absent") else "ends in .tflite or .onnx"
    message = error_of(read_metadata, path)
    assert message.startswith(f"{path}: ")
    assert wanted in message


# --- files that are refused ---------------------------------------------------------------------


def test_folder_and_impossible_name_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder.tflite"
    folder.mkdir()
    assert "no such model file" in error_of(read_metadata, folder)
    assert "cannot be read" in error_of(read_metadata, tmp_path / ("a" * 300 + ".tflite"))


def test_model_without_metadata_is_refused(
    tmp_path: Path, default_model_bytes: bytes, make_onnx: Callable[..., Path]
) -> None:
    flatbuffer, _ = split_model(default_model_bytes)
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(flatbuffer)
    foreign = tmp_path / "foreign.tflite"
    foreign.write_bytes(with_text(flatbuffer, "a\nb\n", "labelmap.txt"))
    truncated = tmp_path / "truncated.tflite"
    truncated.write_bytes(default_model_bytes[: len(default_model_bytes) // 2])
    for path in (bare, foreign, truncated, make_onnx(tmp_path / "bare.onnx", None)):
        message = error_of(read_metadata, path)
        assert message.startswith(f"{path}: carries no ser-edge metadata")
        assert "ser-convert" in message
        assert "copy it again" in message


def test_newer_format_is_refused_with_what_to_do(
    tmp_path: Path, metadata_for: Callable[..., ModelMetadata], default_model_bytes: bytes
) -> None:
    stated = {**json.loads(metadata_for().to_json()), "format": 2, "unheard-of": 1}
    path = tmp_path / "newer.tflite"
    path.write_bytes(with_text(split_model(default_model_bytes)[0], json.dumps(stated)))
    message = error_of(read_metadata, path)
    assert message.startswith(f"{path}: metadata: format 2 is newer")
    assert "pip install --upgrade ser-edge" in message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '"text"',
        "{}",
        '{"format": "1"}',
        '{"format": true}',
        '{"format": 0}',
        '{"format": 1}',
        '{"format": 1, "features": []}',
        '{"format": 1, "features": {"kinds": 7}}',
        "[" * 100_000,
        '{"format": 1' + "0" * 5000 + "}",
    ],
    ids=lambda text: text[:30],
)
def test_json_that_is_no_metadata_is_refused(text: str) -> None:
    message = error_of(ModelMetadata.from_json, text)
    assert message.startswith(("metadata: ", "feature configuration: "))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", 7),
        ("name", "two\nlines"),
        ("labels", []),
        ("labels", ["only"]),
        ("labels", ["twice", "twice"]),
        ("labels", "angry"),
        ("labels", [1, 2]),
        ("labels", ["fine", "two\nlines"]),
        ("labels", ["fine", "\ud800"]),
        ("labels", [["nested"], ["lists"]]),
        ("window_frames", 0),
        ("window_frames", 100_001),
        ("window_frames", 30.5),
        ("window_frames", True),
        ("window_frames", "30"),
        ("hop_seconds", 0),
        ("hop_seconds", -1.0),
        ("hop_seconds", 1e400),
        ("hop_seconds", "0.5"),
        ("feature_mean", [0.0]),
        ("feature_mean", ["0"] * 10),
        ("feature_mean", [10**400] * 10),
        ("feature_mean", [1e300] * 10),
        ("feature_scale", [0.0] * 10),
        ("feature_scale", [-1.0] * 10),
        ("feature_scale", [1e-300] * 10),
        ("feature_scale", [None] * 10),
        ("feature_scale", {}),
        ("outputs", []),
        ("outputs", ["embedding", "scores"]),
        ("outputs", "scores"),
        ("outputs", ["scores", 1]),
        ("temperature", 0.0),
        ("temperature", -1.0),
        ("temperature", 10**400),
        ("temperature", True),
        ("rejection_threshold", 1.01),
        ("rejection_threshold", -0.01),
        ("rejection_threshold", None),
        ("provenance", []),
        ("provenance", None),
        ("least_runtime", "1.0"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_wrong_value_is_refused_by_name(
    field: str, value: Any, metadata_for: Callable[..., ModelMetadata]
) -> None:
    stated = {**json.loads(metadata_for().to_json()), field: value}
    # A number too large for a float is JSON; "Infinity" is not.
    message = error_of(ModelMetadata.from_json, json.dumps(stated).replace("Infinity", "1e400"))
    assert message.startswith("metadata: ")
    assert field in message


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_only_python_calls_json_is_refused(
    constant: str, metadata_for: Callable[..., ModelMetadata]
) -> None:
    text = metadata_for(provenance={"uar": 0.5}).to_json().replace("0.5", constant)
    assert "not JSON" in error_of(ModelMetadata.from_json, text)


def test_missing_and_unknown_fields_are_named(metadata_for: Callable[..., ModelMetadata]) -> None:
    stated = json.loads(metadata_for().to_json())
    for field in ("name", "labels", "features", "window_frames", "feature_mean"):
        rest = {key: value for key, value in stated.items() if key != field}
        assert field in error_of(ModelMetadata.from_json, json.dumps(rest))
    assert "surplus" in error_of(ModelMetadata.from_json, json.dumps({**stated, "surplus": 1}))


@settings(max_examples=150, suppress_health_check=REUSES_FILE)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=6))
@example([(0, 0)])
def test_flipped_bytes_at_the_end_of_a_model_are_read_or_refused(
    tflite_model: Path, default_model_bytes: bytes, flips: list[tuple[int, int]]
) -> None:
    content = bytearray(default_model_bytes)
    for from_end, value in flips:
        content[-1 - from_end] = value
    read_or_refuse(tflite_model, bytes(content))


@settings(max_examples=150, suppress_health_check=REUSES_FILE)
@given(st.integers(0, 5000))
def test_truncated_model_is_refused(
    tflite_model: Path, default_model_bytes: bytes, missing: int
) -> None:
    if missing:
        tflite_model.write_bytes(default_model_bytes[:-missing])
        message = error_of(read_metadata, tflite_model)
        assert message.startswith(f"{tflite_model}: ")


def test_model_truncated_within_its_metadata_is_called_damaged(
    tflite_model: Path, default_model_bytes: bytes
) -> None:
    tflite_model.write_bytes(default_model_bytes[:-100])
    assert "damaged" in error_of(read_metadata, tflite_model)


@settings(max_examples=100, suppress_health_check=REUSES_FILE)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\0\0\0\0TFL3", b"\0\0\0\0TFL3PK\x03\x04"]))
def test_garbage_is_refused(tflite_model: Path, garbage: bytes, head: bytes) -> None:
    read_or_refuse(tflite_model, head + garbage)


@settings(max_examples=60, suppress_health_check=REUSES_FILE)
@given(st.text(max_size=200) | JSON.map(json.dumps))
def test_any_text_as_metadata_is_refused(
    tflite_model: Path, default_model_bytes: bytes, text: str
) -> None:
    flatbuffer, _ = split_model(default_model_bytes)
    tflite_model.write_bytes(with_text(flatbuffer, text))
    assert error_of(read_metadata, tflite_model).startswith(f"{tflite_model}: ")


@settings(max_examples=100, suppress_health_check=REUSES_FILE)
@given(st.data())
def test_any_value_in_any_place_is_taken_or_refused(
    metadata_for: Callable[..., ModelMetadata], data: st.DataObject
) -> None:
    stated = json.loads(metadata_for().to_json())
    place = data.draw(st.sampled_from([stated, stated["features"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    try:
        described = ModelMetadata.from_json(json.dumps(stated))
    except SerEdgeError:
        return
    assert ModelMetadata.from_json(described.to_json()) == described


def test_metadata_beyond_all_measure_is_refused(
    tflite_model: Path, default_model_bytes: bytes
) -> None:
    flatbuffer, _ = split_model(default_model_bytes)
    tflite_model.write_bytes(with_text(flatbuffer, b" " * ((1 << 20) + 1)))
    assert "larger than 1 MiB" in error_of(read_metadata, tflite_model)


@pytest.mark.parametrize("text", [b"\xff\xfe{}", b"\x80"])
def test_metadata_in_another_encoding_is_refused(
    text: bytes, tflite_model: Path, default_model_bytes: bytes
) -> None:
    tflite_model.write_bytes(with_text(split_model(default_model_bytes)[0], text))
    assert error_of(read_metadata, tflite_model).startswith(f"{tflite_model}: ")


@pytest.mark.parametrize("content", [b"", b"hello, world", bytes(100), b"\x08\x08" * 50])
def test_garbage_named_onnx_is_refused(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "garbage.onnx"
    path.write_bytes(content)
    assert error_of(read_metadata, path).startswith(f"{path}: ")


def read_or_refuse(path: Path, content: bytes) -> None:
    """Read a damaged file: any end is fine but another exception."""
    path.write_bytes(content)
    try:
        described = read_metadata(path)
    except SerEdgeError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either end is right
        return
    assert len(described.labels) >= 2


def test_labels_of_the_project_stand_in_their_order() -> None:
    assert LABELS == ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
