"""The interpreters: what goes in and out of them, and what each says of a file it cannot run."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_runtime import Classifier, SerEdgeError
from edge_runtime.backends import BACKEND_NAMES, dequantise, load_backend, quantise
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.metadata import ModelMetadata, write_metadata

DTYPES = st.sampled_from([np.int8, np.uint8, np.int16])
SCALES = st.floats(2.0**-20, 2.0**10, width=32)
REALS = hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e6, 1e6, width=32))


TASKS = Path("/proc/self/task")


def error_of(work: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(SerEdgeError) as caught:
        work(*arguments)
    message = str(caught.value)
    assert message.isprintable()
    return message


# --- quantisation -------------------------------------------------------------------------------


@given(REALS, SCALES, DTYPES, st.data())
def test_quantising_rounds_and_clips(
    values: np.ndarray, scale: float, dtype: Any, data: st.DataObject
) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    zero_point = data.draw(st.integers(low, high))
    got = quantise(values, scale, zero_point, dtype)
    assert got.dtype == dtype
    ratios = values / np.float32(scale)
    wanted = [min(max(round(float(ratio)) + zero_point, low), high) for ratio in ratios]
    assert got.tolist() == wanted


@pytest.mark.parametrize("kind", [float, np.float32, np.float64])
def test_quantising_is_in_single_precision_whatever_the_scale_is(kind: type) -> None:
    # In double precision this is just below three and a half steps, which rounds to 3.
    values, scale = np.float32([0.35]), kind(np.float32(0.1))
    assert quantise(values, scale, 0, np.int8).tolist() == [4]


@given(SCALES, DTYPES, st.data())
def test_dequantised_is_within_half_a_step(scale: float, dtype: Any, data: st.DataObject) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    zero_point = data.draw(st.integers(low, high))
    inside = st.floats(float(low - zero_point), float(high - zero_point), width=32)
    steps = np.array(data.draw(st.lists(inside, min_size=1, max_size=50)), np.float32)
    values = steps * np.float32(scale)
    restored = dequantise(quantise(values, scale, zero_point, dtype), scale, zero_point)
    assert restored.dtype == np.float32
    assert np.all(np.abs(restored - values) <= 0.5 * scale * (1 + 1e-2))


@given(SCALES, DTYPES, st.data())
def test_every_integer_survives_there_and_back(
    scale: float, dtype: Any, data: st.DataObject
) -> None:
    zero_point = data.draw(st.integers(np.iinfo(dtype).min, np.iinfo(dtype).max))
    integers = np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, 7, dtype=dtype)
    restored = quantise(dequantise(integers, scale, zero_point), scale, zero_point, dtype)
    np.testing.assert_array_equal(restored, integers)


# --- the same model in every interpreter --------------------------------------------------------


def wanted_scores(folder: Path) -> np.ndarray:
    """The scores by hand, in double precision, (n_windows, n_labels)."""
    with np.load(folder / "weights.npz") as archive:
        weights = {name: archive[name].astype(np.float64) for name in archive}
    windows = np.load(folder / "windows.npy").astype(np.float64)
    reach, n_out = len(weights["kernel"]), windows.shape[1] - len(weights["kernel"]) + 1
    convolved = weights["bias"] + sum(
        windows[:, offset : offset + n_out] @ weights["kernel"][offset] for offset in range(reach)
    )
    hidden = np.maximum(np.maximum(convolved, 0.0).mean(axis=1) @ weights["hidden"], 0.0)
    logits = hidden @ weights["scores"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def run_all(path: Path, folder: Path, backend: str = "auto") -> np.ndarray:
    loaded = load_backend(path, backend)
    return np.stack([loaded.run(window)[0] for window in np.load(folder / "windows.npy")])


@pytest.mark.parametrize("name", ["float32.tflite", "float32.onnx"])
def test_float_model_gives_the_scores_of_its_weights(name: str, converted_models: Path) -> None:
    got = run_all(converted_models / name, converted_models)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted_scores(converted_models), atol=1e-5)
    assert len(set(got.argmax(axis=1))) > 2  # a test that one class always passes is none


def test_litert_and_onnxruntime_agree(converted_models: Path) -> None:
    litert = run_all(converted_models / "float32.tflite", converted_models, "litert")
    onnx = run_all(converted_models / "float32.onnx", converted_models, "onnxruntime")
    np.testing.assert_allclose(litert, onnx, atol=1e-5)


def test_int8_model_departs_little_from_its_float_model(converted_models: Path) -> None:
    got = run_all(converted_models / "int8.tflite", converted_models)
    wanted = wanted_scores(converted_models)
    np.testing.assert_allclose(got.sum(axis=1), 1.0, atol=0.03)
    assert np.abs(got - wanted).mean() < 0.03
    assert (got.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.8


@pytest.mark.parametrize("name", ["float32.tflite", "int8.tflite", "float32.onnx"])
def test_back_end_states_what_it_is_and_what_it_reads(name: str, converted_models: Path) -> None:
    loaded = load_backend(converted_models / name)
    assert loaded.name in BACKEND_NAMES
    assert loaded.version[0].isdigit()
    assert loaded.input_shape == (30, 10)
    assert loaded.output_sizes == (7,)
    # Of 256 steps from 0 to 1, or none.
    assert loaded.score_step == (1.0 / 256.0 if name == "int8.tflite" else 0.0)


@pytest.mark.skipif(not TASKS.is_dir(), reason="Linux tells how many threads there are")
@pytest.mark.parametrize("name", ["float32.tflite", "int8.tflite", "float32.onnx"])
def test_no_more_threads_work_than_are_allowed(name: str, converted_models: Path) -> None:
    window = np.load(converted_models / "windows.npy")[0]
    load_backend(converted_models / name).run(window)  # what the library starts once and for all
    for options, more in (({}, 0), ({"threads": 1}, 0), ({"threads": 3}, 2)):
        before = len(list(TASKS.iterdir()))
        loaded = load_backend(converted_models / name, **options)
        loaded.run(window)
        assert len(list(TASKS.iterdir())) - before == more
        del loaded


def test_loading_and_running_says_nothing(
    converted_models: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("float32.tflite", "int8.tflite", "float32.onnx"):
            run_all(converted_models / name, converted_models)
    assert capfd.readouterr() == ("", "")


def test_extreme_features_saturate(converted_models: Path) -> None:
    loaded = load_backend(converted_models / "int8.tflite")
    for value in (1e30, -1e30):
        scores = loaded.run(np.full(loaded.input_shape, value, np.float32))[0]
        assert np.all(np.isfinite(scores))
        beyond = loaded.run(np.full(loaded.input_shape, value / 10, np.float32))[0]
        np.testing.assert_array_equal(scores, beyond)


def test_answers_do_not_depend_on_what_was_asked_before(converted_models: Path) -> None:
    windows = np.load(converted_models / "windows.npy")
    for name in ("int8.tflite", "float32.onnx"):
        loaded = load_backend(converted_models / name)
        first = loaded.run(windows[0])[0]
        kept = first.copy()
        loaded.run(windows[-1])
        np.testing.assert_array_equal(first, kept)  # no view of the interpreter's memory
        np.testing.assert_array_equal(loaded.run(windows[0])[0], kept)


def test_second_output_comes_second(
    tmp_path: Path, make_onnx: Callable[..., Path], metadata_for: Callable[..., ModelMetadata]
) -> None:
    path = make_onnx(tmp_path / "two.onnx", metadata_for(outputs=("scores", "embedding")))
    loaded = load_backend(path)
    assert loaded.output_sizes == (7, 10)
    window = np.random.default_rng(0).normal(size=(30, 10)).astype(np.float32)
    assert len(loaded.run(window)) == 1
    scores, embedding = loaded.run(window, 2)
    assert scores.sum() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(embedding, window.mean(axis=0), atol=1e-6)


def test_bundled_model_gives_its_scores_and_is_asked_for_its_embedding() -> None:
    loaded = load_backend(DEFAULT_MODEL)
    window = np.random.default_rng(1).normal(size=loaded.input_shape).astype(np.float32)
    (scores,) = loaded.run(window)
    both = loaded.run(window, 2)
    assert tuple(map(len, both)) == loaded.output_sizes
    np.testing.assert_array_equal(both[0], scores)


def test_scores_in_double_precision_are_given_in_single(
    tmp_path: Path, make_onnx: Callable[..., Path]
) -> None:
    onnx = pytest.importorskip("onnx")
    path = make_onnx(tmp_path / "precise.onnx", None)
    model, double = onnx.load(path), onnx.TensorProto.DOUBLE
    model.graph.node.append(onnx.helper.make_node("Cast", ["scores"], ["precise"], to=double))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("precise", double, [1, 7]))
    onnx.save(model, path)
    (scores,) = load_backend(path).run(np.zeros((30, 10), np.float32))
    assert scores.dtype == np.float32


def test_loaded_model_stays_when_its_file_is_replaced(
    tmp_path: Path, converted_models: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((converted_models / "int8.tflite").read_bytes())
    loaded = load_backend(path)
    window = np.load(converted_models / "windows.npy")[3]
    before = loaded.run(window)[0]
    path.write_bytes(b"gone")
    np.testing.assert_array_equal(loaded.run(window)[0], before)


@pytest.mark.parametrize("threads", [1, 2, 64])
def test_any_sensible_number_of_threads_gives_the_same(
    threads: int, converted_models: Path
) -> None:
    window = np.load(converted_models / "windows.npy")[5]
    for name in ("float32.tflite", "float32.onnx"):
        path = converted_models / name
        got = load_backend(path, threads=threads).run(window)[0]
        np.testing.assert_allclose(got, load_backend(path).run(window)[0], atol=1e-6)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [0, -1, 65, 10**12])
def test_senseless_number_of_threads_is_refused(threads: int, tflite_model: Path) -> None:
    assert "threads must be 1 to 64" in error_of(load_backend, tflite_model, "auto", threads)


@pytest.mark.parametrize(
    ("name", "backend", "wanted"),
    [
        ("model.tflite", "onnxruntime", "--backend litert or tflite-runtime"),
        ("model.onnx", "litert", "--backend onnxruntime"),
        ("model.tflite", "torch", "--backend litert or tflite-runtime"),
        ("model.keras", "auto", "ends in .tflite or .onnx"),
    ],
)
def test_back_end_that_does_not_fit_the_file_is_refused(
    name: str, backend: str, wanted: str, tmp_path: Path
) -> None:
    message = error_of(load_backend, tmp_path / name, backend)
    assert message.startswith(f"{tmp_path / name}: ")
    assert wanted in message


@pytest.fixture
def no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the interpreters that are installed."""
    found = importlib.metadata.distribution

    def distribution(name: str) -> importlib.metadata.Distribution:
        if name in ("ai-edge-litert", "tflite-runtime", "onnxruntime"):
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    for module in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "onnxruntime"):
        monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.usefixtures("no_interpreter")
@pytest.mark.parametrize(
    ("name", "backend", "wanted"),
    [
        (
            "a.tflite",
            "auto",
            "no interpreter for it is installed; {} ai-edge-litert or tflite-runtime",
        ),
        ("a.tflite", "litert", "the back end ai-edge-litert is not installed: {} ai-edge-litert"),
        (
            "a.tflite",
            "tflite-runtime",
            "the back end tflite-runtime is not installed: {} tflite-runtime",
        ),
        ("a.onnx", "auto", "no interpreter for it is installed; {} onnxruntime"),
        ("a.onnx", "onnxruntime", "the back end onnxruntime is not installed: {} onnxruntime"),
    ],
)
def test_missing_back_end_is_named_with_its_package(name: str, backend: str, wanted: str) -> None:
    message = error_of(load_backend, name, backend).removeprefix(f"{name}: ")
    assert message == wanted.format("pip install")


@pytest.mark.usefixtures("no_interpreter")
@pytest.mark.parametrize(
    ("name", "machine", "python", "is_published"),
    [
        ("a.tflite", "armv7l", (3, 13, 1), False),
        ("a.tflite", "armv8l", (3, 12, 0), False),
        ("a.tflite", "armv7l", (3, 11, 9), True),
        ("a.tflite", "aarch64", (3, 13, 1), True),
        ("a.onnx", "armv7l", (3, 13, 1), True),
    ],
)
def test_where_no_interpreter_is_published_none_is_recommended(
    name: str,
    machine: str,
    python: tuple[int, ...],
    is_published: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(platform, "machine", lambda: machine)
        patch.setattr(sys, "version_info", python)
        message = error_of(load_backend, name)
    if is_published:
        assert "installed; pip install " in message
        return
    assert message.endswith(
        f"installed; none is published for Python 3.{python[1]} on 32-bit ARM: install a 64-bit "
        "system, or one with Python 3.9 to 3.11 and there pip install tflite-runtime"
    )


StandIn = Callable[[str], str]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Install a tflite-runtime 2.13.0 of the given source, and give what loading with it says."""
    package = tmp_path / "tflite_runtime"
    described = tmp_path / "tflite_runtime-2.13.0.dist-info"

    def load(source: str) -> str:
        for folder in (package, described):
            folder.mkdir()
        (package / "__init__.py").touch()
        (package / "interpreter.py").write_text(source, encoding="utf-8")
        (described / "METADATA").write_text(
            "Name: tflite-runtime\nVersion: 2.13.0\n", encoding="utf-8"
        )
        monkeypatch.syspath_prepend(tmp_path)
        model = tmp_path / "model.tflite"
        model.touch()
        return error_of(load_backend, model, "tflite-runtime").removeprefix(f"{model}: ")

    loaded = {name: sys.modules.pop(name) for name in [*sys.modules] if "tflite_runtime" in name}
    yield load
    for name in [name for name in sys.modules if name.startswith("tflite_runtime")]:
        del sys.modules[name]
    sys.modules.update(loaded)


def refusing(error: str) -> str:
    return f"def Interpreter(**options):\n    raise {error}\n"


def test_interpreter_that_is_installed_and_cannot_be_imported_says_why(stand_in: StandIn) -> None:
    message = stand_in("raise ImportError('libstdc++.so.6: not found')")
    assert message == (
        "the back end tflite-runtime fails (libstdc++.so.6: not found): pip install tflite-runtime"
    )


@pytest.mark.parametrize("error", ["SystemError('error return')", "ImportError('numpy.core')"])
def test_interpreter_built_for_another_numpy_says_so(error: str, stand_in: StandIn) -> None:
    assert stand_in(refusing(error)) == (
        f"tflite-runtime 2.13.0 does not work with numpy {np.__version__}; pip install 'numpy<2'"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("ValueError('  not a model\\nbut a picture')", "not a model"),
        ("RuntimeError('')", "no reason given"),
        ("OSError('cannot be read')", "cannot be read"),
    ],
)
def test_reason_of_an_interpreter_is_its_first_line(
    error: str, reason: str, stand_in: StandIn
) -> None:
    assert stand_in(refusing(error)) == f"tflite-runtime 2.13.0 cannot load it ({reason})"


def test_operator_too_new_for_tflite_runtime_is_worth_the_other_interpreter(
    stand_in: StandIn,
) -> None:
    message = stand_in(refusing("ValueError(\"builtin opcode 'CONV_2D' version '9'\")"))
    assert message == (
        "tflite-runtime 2.13.0 is too old for its operator CONV_2D version 9; "
        "pip install ai-edge-litert, or convert the model again with ser-convert"
    )


def interpreters() -> list[str]:
    """Each that is installed, with its version."""
    found = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
    packages = ("ai-edge-litert", "tflite-runtime", "onnxruntime")
    return [f"{package} {found[package]}" for package in packages if package in found]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("garbage.tflite", b"\x1c\0\0\0TFL3" + bytes(200)),
        ("text.tflite", b"hello, world"),
        ("empty.tflite", b""),
        ("garbage.onnx", b"\x08\x08" + bytes(200)),
        ("empty.onnx", b""),
    ],
)
def test_file_that_no_interpreter_can_load_is_refused(
    name: str, content: bytes, tmp_path: Path
) -> None:
    if name.endswith(".onnx"):
        pytest.importorskip("onnxruntime")
    path = tmp_path / name
    path.write_bytes(content)
    message = error_of(load_backend, path)
    installed = [f"{path}: {named} cannot load it (" for named in interpreters()]
    assert message.startswith(tuple(installed))
    if name.endswith(".onnx"):
        assert "ONNXRuntimeError" in message  # its own words


# --- files that a converter would not write -----------------------------------------------------


@pytest.fixture
def altered(tmp_path: Path, converted_models: Path) -> Callable[[str, Callable[..., None]], Path]:
    """Change a .tflite file: its name, and what to do with the model and its only graph."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")

    def alter(name: str, change: Callable[..., None]) -> Path:
        content = (converted_models / name).read_bytes()
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        change(model, model.subgraphs[0])
        builder = flatbuffers.Builder(0)
        builder.Finish(model.Pack(builder), b"TFL3")
        path = tmp_path / "altered.tflite"
        path.write_bytes(bytes(builder.Output()))
        return path

    return alter


def test_scores_of_a_tflite_file_in_double_precision_are_given_in_single(
    altered: Callable[..., Path],
) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

    def cast_to_double(model: Any, graph: Any) -> None:
        code, tensor, operator = schema.OperatorCodeT(), schema.TensorT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CAST
        tensor.name, tensor.shape, tensor.type = b"precise", [1, 7], schema.TensorType.FLOAT64
        operator.opcodeIndex, operator.inputs = len(model.operatorCodes), [*graph.outputs]
        operator.outputs = [len(graph.tensors)]
        model.operatorCodes.append(code)
        graph.tensors.append(tensor)
        graph.operators.append(operator)
        graph.outputs = operator.outputs
        model.signatureDefs = None

    loaded = load_backend(altered("float32.tflite", cast_to_double), "litert")
    (scores,) = loaded.run(np.zeros((30, 10), np.float32))
    assert scores.dtype == np.float32
    assert scores.sum() == pytest.approx(1.0, abs=1e-6)


def test_operator_too_new_for_litert_is_worth_an_upgrade(altered: Callable[..., Path]) -> None:
    def make_newer(model: Any, graph: Any) -> None:
        for code in model.operatorCodes:
            code.version = 99

    path = altered("float32.tflite", make_newer)
    version = importlib.metadata.version("ai-edge-litert")
    told, advice = error_of(load_backend, path, "litert").split("; ")
    assert told.startswith(f"{path}: ai-edge-litert {version} is too old for its operator ")
    assert told.endswith(" version 99")
    assert advice == (
        "pip install --upgrade ai-edge-litert, or convert the model again with ser-convert"
    )


def test_integers_without_a_scale_are_refused(altered: Callable[..., Path]) -> None:
    def forget_the_scale(model: Any, graph: Any) -> None:
        tensor = graph.tensors[graph.inputs[0]]
        tensor.name, tensor.quantization.scale = b"window", None

    path = altered("int8.tflite", forget_the_scale)
    assert error_of(load_backend, path, "litert") == (
        f"{path}: its tensor window holds integers without a scale; "
        "convert the model again with ser-convert"
    )


def test_two_inputs_are_refused(altered: Callable[..., Path]) -> None:
    def ask_for_more(model: Any, graph: Any) -> None:
        graph.inputs = [*graph.inputs, graph.outputs[0]]

    path = altered("float32.tflite", ask_for_more)
    assert error_of(load_backend, path, "litert") == (
        f"{path}: the model reads 1 x 30 x 10 and 1 x 7 values, not one window at a time; "
        "convert the model again with ser-convert"
    )


def test_output_without_a_fixed_size_is_refused(
    tmp_path: Path, make_onnx: Callable[..., Path]
) -> None:
    onnx = pytest.importorskip("onnx")
    path = make_onnx(tmp_path / "open.onnx", None, input_shape=[1, "frames", 10])
    model = onnx.load(path)
    model.graph.node.append(onnx.helper.make_node("Identity", ["window"], ["again"]))
    info = onnx.helper.make_tensor_value_info("again", onnx.TensorProto.FLOAT, [1, "frames", 10])
    model.graph.output.append(info)
    onnx.save(model, path)
    assert error_of(load_backend, path) == (
        f"{path}: its output again has no fixed size; convert the model again with ser-convert"
    )


@pytest.mark.parametrize("name", ["absent.tflite", "absent.onnx"])
def test_missing_file_is_named(name: str, tmp_path: Path) -> None:
    message = error_of(load_backend, tmp_path / name)
    assert message.startswith(f"{tmp_path / name}: ")


def test_model_that_reads_several_windows_is_refused(
    tmp_path: Path, make_onnx: Callable[..., Path]
) -> None:
    path = make_onnx(tmp_path / "four.onnx", None, input_shape=[4, 30, 10])
    assert error_of(load_backend, path) == (
        f"{path}: the model reads 4 x 30 x 10 values, not one window at a time; "
        "convert the model again with ser-convert"
    )


def test_model_that_reads_integers_is_refused(
    tmp_path: Path, make_onnx: Callable[..., Path]
) -> None:
    onnx = pytest.importorskip("onnx")
    path = make_onnx(tmp_path / "integers.onnx", None)
    model, tensor = onnx.load(path), onnx.TensorProto
    cast = onnx.helper.make_node("Cast", ["integers"], ["window"], to=tensor.FLOAT)
    model.graph.node.insert(0, cast)
    read = onnx.helper.make_tensor_value_info("integers", tensor.INT64, [1, 30, 10])
    model.graph.input[0].CopyFrom(read)
    onnx.save(model, path)
    assert error_of(load_backend, path) == (
        f"{path}: the model reads tensor(int64), not tensor(float); "
        "convert the model again with ser-convert"
    )


def test_batch_axis_may_be_of_any_size(
    tmp_path: Path, make_onnx: Callable[..., Path], metadata_for: Callable[..., ModelMetadata]
) -> None:
    path = make_onnx(tmp_path / "any.onnx", metadata_for(), input_shape=["batch", 30, 10])
    assert load_backend(path).input_shape == (30, 10)
    assert Classifier(path).metadata.name == "small"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"window_frames": 31}, "reads 30 x 10 values"),
        ({"labels": ("a", "b")}, "outputs have 7 values"),
        ({"outputs": ("scores", "embedding")}, "names scores, embedding"),
    ],
)
def test_metadata_that_does_not_fit_the_model_is_refused(
    changes: dict[str, Any],
    wanted: str,
    tmp_path: Path,
    converted_models: Path,
    metadata_for: Callable[..., ModelMetadata],
) -> None:
    for name in ("int8.tflite", "float32.onnx"):
        path = tmp_path / name
        path.write_bytes((converted_models / name).read_bytes())
        write_metadata(path, metadata_for(**changes))
        message = error_of(Classifier, path)
        assert message.startswith(f"{path}: ")
        assert wanted in message
        assert "ser-convert" in message


def test_pooled_features_need_a_model_that_reads_one_vector(
    tmp_path: Path, make_onnx: Callable[..., Path], metadata_for: Callable[..., ModelMetadata]
) -> None:
    described = metadata_for()
    pooled = metadata_for(
        features=type(described.features).from_dict(
            {**described.features.to_dict(), "pool": "mean"}
        )
    )
    assert Classifier(make_onnx(tmp_path / "pooled.onnx", pooled)).backend.input_shape == (10,)
    path = make_onnx(tmp_path / "window.onnx", described)
    write_metadata(path, pooled)
    assert "describes 10 features" in error_of(Classifier, path)


# --- tflite-runtime, in a Python of its own -----------------------------------------------------

RUN_WINDOWS = """
import json, sys
import numpy as np
from edge_runtime import SerEdgeError
from edge_runtime.backends import load_backend
try:
    backend = load_backend(sys.argv[1], "tflite-runtime")
    windows = np.load(sys.argv[2])
    scores = [backend.run(window)[0].tolist() for window in windows]
    print(json.dumps({"name": backend.name, "version": backend.version, "scores": scores}))
except SerEdgeError as error:
    print(json.dumps({"error": str(error)}))
"""


@pytest.fixture(scope="module")
def tflite_runtime(
    converted_models: Path, child_environment: dict[str, str]
) -> Callable[[str], dict[str, Any]]:
    python = os.environ.get("SER_EDGE_TFLITE_PYTHON")
    if not python:
        pytest.skip("set SER_EDGE_TFLITE_PYTHON to a Python with tflite-runtime to run this")

    def run(name: str) -> dict[str, Any]:
        files = [str(converted_models / name), str(converted_models / "windows.npy")]
        done = subprocess.run(
            [python, "-c", RUN_WINDOWS, *files],
            capture_output=True,
            text=True,
            check=False,
            env=child_environment,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stderr == ""
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run


def test_tflite_runtime_gives_the_scores_of_the_weights(
    tflite_runtime: Callable[[str], dict[str, Any]], converted_models: Path
) -> None:
    answer = tflite_runtime("float32.tflite")
    assert answer["name"] == "tflite-runtime"
    assert answer["version"][0].isdigit()
    np.testing.assert_allclose(answer["scores"], wanted_scores(converted_models), atol=1e-5)


def test_tflite_runtime_and_litert_agree_on_int8(
    tflite_runtime: Callable[[str], dict[str, Any]], converted_models: Path
) -> None:
    litert = run_all(converted_models / "int8.tflite", converted_models, "litert")
    got = np.array(tflite_runtime("int8.tflite")["scores"])
    assert np.abs(got - litert).max() < 0.1  # their kernels round otherwise
    assert (got.argmax(axis=1) == litert.argmax(axis=1)).mean() > 0.9


def test_operator_too_new_for_tflite_runtime_is_named_with_what_to_install(
    tflite_runtime: Callable[[str], dict[str, Any]], converted_models: Path
) -> None:
    run_all(converted_models / "newer.tflite", converted_models, "litert")  # LiteRT can
    error = tflite_runtime("newer.tflite")["error"]
    assert error.isprintable()
    assert "too old for its operator FULLY_CONNECTED version 12" in error
    assert "pip install ai-edge-litert" in error
    assert "ser-convert" in error
