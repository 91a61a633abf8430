"""``ser-bench latency`` measures real processes of every back end, stage by stage."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency.configurations import default_threads, shipped_models
from benchmarks.latency.operators import N_RUNS, WARM_UP, summed
from benchmarks.latency.sound import quiet_room, speech_like
from benchmarks.latency.stages import STAGES, Stopwatch
from benchmarks.latency.stored import read_latency
from benchmarks.latency.text import as_text
from benchmarks.latency.verdict import verdicts
from benchmarks.progress import shown
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.gates import make_gate
from edge_runtime.metadata import read_metadata, write_metadata

from .latency_result import configuration, result, with_time
from .test_tables import ROOT, ser_bench

PERCENTILES = ["p25", "p50", "p75", "p90", "p99", "max"]
FEW = ("--rounds", 1)
RUNTIME_PYTHON = "SER_EDGE_TFLITE_PYTHON"
PYTHON_OF_RUNTIME = os.environ.get(RUNTIME_PYTHON)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def without_runtime() -> Any:
    """No other Python is named."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(RUNTIME_PYTHON, raising=False)
        yield


@pytest.fixture(scope="module")
def measured(without_runtime: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a result of the bundled model on one and three threads, and its page."""
    folder = tmp_path_factory.mktemp("latency")
    arguments = ("--backend", "litert", "--threads", 1, 3, "--rounds", 2)
    outcome = ("--store", folder / "new" / "a.json", "--plot", folder / "page.html")
    done = ser_bench("latency", DEFAULT_MODEL, *arguments, *outcome)
    assert done.returncode == 0, done.stderr
    (folder / "text").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def stored(measured: Path) -> dict[str, Any]:
    return read_latency(measured / "new" / "a.json")


@pytest.fixture(scope="module")
def onnx_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX model of the bundled one's features: mean over time, weights, softmax."""
    onnx = pytest.importorskip("onnx", reason="the onnx package makes the model")
    told = {"conversion": {"target": "onnx"}}
    metadata = replace(read_metadata(DEFAULT_MODEL), outputs=("scores",), provenance=told)
    frames, width = metadata.input_shape
    n_labels = len(metadata.labels)
    weights = np.random.default_rng(0).normal(size=(width, n_labels)).astype(np.float32)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("ReduceMean", ["window"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("window", kind, [1, frames, width])],
        [helper.make_tensor_value_info("scores", kind, [1, n_labels])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    path = tmp_path_factory.mktemp("onnx") / "mean.onnx"
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    write_metadata(path, metadata)
    return path


# --- what a run tells ---------------------------------------------------------------------------


def test_every_figure_is_there_for_every_configuration(stored: dict[str, Any]) -> None:
    metadata = read_metadata(DEFAULT_MODEL)
    assert [one["threads"] for one in stored["configurations"]] == [1, 3]
    for one in stored["configurations"]:
        assert (one["model"], one["backend"]) == ("default.tflite", "litert")
        assert (one["network"], one["number_format"]) == (metadata.name, "int8")
        assert one["bytes"] == DEFAULT_MODEL.stat().st_size
        assert one["hop_seconds"] == pytest.approx(metadata.hop_seconds, abs=0.02)
        assert list(one["milliseconds"]) == ["whole", *STAGES]
        for times in (*one["milliseconds"].values(), one["quiet_hop"]):
            assert list(times) == PERCENTILES
            assert list(times.values()) == sorted(times.values())
            assert times["p25"] > 0.0
        assert 6 <= one["hops"] <= 80
        assert one["unclassified_hops"] == 0
        assert one["ready_seconds"]["min"] > 0.0
        assert one["first_inference_ms"]["p50"] <= one["first_decision_ms"]["p50"]
        assert one["real_time_factor"] > 0.0
        assert one["core_percent"] > 0.0


def test_stages_make_up_the_hop_that_they_were_measured_of(stored: dict[str, Any]) -> None:
    for one in stored["configurations"]:
        most = one["whole_while_timed_by_stage"]["max"]
        assert all(one["milliseconds"][stage]["p50"] <= most for stage in STAGES)
        assert sum(one["milliseconds"][stage]["max"] for stage in STAGES) >= most


@linux_only
def test_memory_and_threads_of_the_process_are_told(stored: dict[str, Any]) -> None:
    few, many = stored["configurations"]
    for one in (few, many):
        assert 20.0 < one["steady_mib"] <= one["peak_mib"] < 300.0
    assert few["process_threads"] < many["process_threads"]


def test_the_machine_and_the_conditions_are_told(stored: dict[str, Any]) -> None:
    assert stored["machine"]["model"]
    assert set(stored["before"]) == set(stored["after"])
    assert stored["rounds"] == 2
    assert "in 2 rounds" in stored["protocol"]
    assert stored["no_operators"] == {"litert": "its Python interface gives no times of operators"}
    assert stored["fastest"]["threads"] in (1, 3)


def test_the_text_has_a_line_for_each_configuration_and_marks_one(measured: Path) -> None:
    text = (measured / "text").read_text()
    for threads in (1, 3):
        assert sum(f"default.tflite, litert x{threads} " in line for line in text.splitlines()) == 2
    assert sum(line.startswith("* default.tflite") for line in text.splitlines()) == 1
    assert "capture" in text
    assert "in 2 rounds" in text


def test_the_page_holds_its_picture_and_loads_nothing(measured: Path) -> None:
    page = (measured / "page.html").read_text()
    assert "data:image/png;base64,iVBOR" in page
    assert "http" not in page
    assert "default.tflite, litert x3" in page


def test_onnx_is_profiled_and_every_back_end_is_run(
    without_runtime: None, onnx_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="runs the model")
    picture = tmp_path / "picture.png"
    chosen = (DEFAULT_MODEL, onnx_model, "--threads", 1, *FEW)
    done = ser_bench("latency", *chosen, "--format", "jsonl", "--plot", picture, "--hop", 0.25)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    by_backend = {one["backend"]: one for one in told["configurations"]}
    operators = by_backend["onnxruntime"]["operators"]
    assert {"ReduceMean", "MatMul", "Softmax"} <= set(operators)
    assert all(microseconds >= 0.0 for microseconds in operators.values())
    assert by_backend["litert"]["operators"] is None
    assert all(one["hop_seconds"] == 0.256 for one in told["configurations"])
    assert "tflite-runtime" in told["missing"] or "tflite-runtime" in by_backend
    (verdict,) = told["verdicts"]
    assert "by inference alone, on 1 thread" in verdict
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_tflite_runtime_runs_in_the_python_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if not PYTHON_OF_RUNTIME:
        pytest.skip(f"{RUNTIME_PYTHON} is not set; `make test` sets it")
    monkeypatch.setenv(RUNTIME_PYTHON, PYTHON_OF_RUNTIME)
    chosen = ("--backend", "tflite-runtime", "--threads", 1, *FEW, "--format", "jsonl")
    done = ser_bench("latency", DEFAULT_MODEL, *chosen)
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["configurations"]
    assert (one["backend"], one["numpy"][:2]) == ("tflite-runtime", "1.")


def test_it_needs_no_more_than_the_base_install(tmp_path: Path) -> None:
    python = os.environ.get("SER_EDGE_BASE_PYTHON")
    if not python:
        pytest.skip("SER_EDGE_BASE_PYTHON is not set; `make test` sets it")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SER_EDGE_"))}
    command = [Path(python).with_name("ser-bench"), "latency", DEFAULT_MODEL, "--threads", "1"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "--rounds", "1", *more],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=clean,
            check=False,
        )

    done = run("--row")
    assert done.returncode == 0, done.stderr
    (kept,) = tmp_path.glob("*.json")
    assert f"kept in {kept.name}" in done.stdout
    assert f"benchmarks/results/hardware/{kept.name}" in done.stdout
    assert read_latency(kept)["configurations"][0]["backend"] == "litert"
    drawn = run("--plot", "a.png")
    assert drawn.returncode == 1
    assert drawn.stderr == "ser-bench: --plot needs matplotlib: pip install 'ser-edge[bench]'\n"


def test_a_recording_is_heard(to_speech: Callable[[Path], Path], tmp_path: Path) -> None:
    sound = to_speech(tmp_path / "speech.wav")
    chosen = ("--backend", "litert", "--threads", 1, *FEW, "--format", "jsonl", "--sound", sound)
    done = ser_bench("latency", DEFAULT_MODEL, *chosen)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sound"] == "speech.wav"


@pytest.fixture
def to_speech() -> Callable[[Path], Path]:
    """Write what sounds like speech, 8 s at 16 kHz, as a WAV file."""
    import wave

    def write(path: Path) -> Path:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes((speech_like(16000)[: 8 * 16000] * 32767).astype("<i2").tobytes())
        return path

    return write


# --- what it refuses ----------------------------------------------------------------------------


@pytest.fixture
def bare_model(tmp_path: Path) -> Path:
    """The bundled model without its metadata."""
    import zipfile

    content = DEFAULT_MODEL.read_bytes()
    with zipfile.ZipFile(DEFAULT_MODEL) as archive:
        first = min(info.header_offset for info in archive.infolist())
    path = tmp_path / "bare.tflite"
    path.write_bytes(content[:first])
    return path


def refusal(*arguments: object) -> str:
    done = ser_bench("latency", *arguments, *FEW)
    assert done.returncode == 1, done.stdout
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line.partition("ser-bench: ")[2]


def test_a_missing_model_gets_one_line() -> None:
    assert refusal("no-such.tflite") == "no-such.tflite: no such model file"


def test_a_model_without_metadata_gets_one_line(bare_model: Path) -> None:
    line = refusal(bare_model)
    assert line.startswith(f"{bare_model}: ")
    assert "ser-convert" in line


def test_a_file_that_is_no_model_gets_one_line() -> None:
    assert refusal("README.md") == "README.md: a model file ends in .tflite or .onnx"


def test_a_back_end_that_cannot_run_the_file_gets_one_line() -> None:
    line = refusal(DEFAULT_MODEL, "--backend", "onnxruntime")
    assert line == f"{DEFAULT_MODEL}: --backend onnxruntime cannot run such files"


@pytest.mark.parametrize(
    ("python", "complaint"),
    [
        ("/no/such/python", "/no/such/python: cannot be run (No such file or directory)"),
        (shutil.which("false"), "its process ended with status 1"),
    ],
)
def test_a_python_that_does_not_run_gets_one_line(
    python: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RUNTIME_PYTHON, python)
    line = refusal(DEFAULT_MODEL, "--backend", "tflite-runtime")
    assert line == f"default.tflite, tflite-runtime: {complaint}"


def test_a_model_that_the_back_end_refuses_is_left_out_by_name(
    without_runtime: None, tmp_path: Path
) -> None:
    broken = Path(shutil.copy(DEFAULT_MODEL, tmp_path / "broken.tflite"))
    content = bytearray(broken.read_bytes())
    content[8:400] = bytes(392)  # the beginning of the network; the metadata are at the end
    broken.write_bytes(content)
    chosen = ("--backend", "litert", "--threads", 1, *FEW)
    done = ser_bench("latency", broken, DEFAULT_MODEL, *chosen)
    assert done.returncode == 0, done.stderr
    assert "left out: broken.tflite, litert: " in done.stdout
    assert "* default.tflite, litert x1" in done.stdout


@pytest.mark.parametrize("hop", ["0", "-1", "11", "nan"])
def test_a_hop_out_of_range_gets_one_line(hop: str) -> None:
    line = refusal(DEFAULT_MODEL, "--hop", hop)
    assert line == f"--hop must be above 0 and at most 10 seconds here, not {hop}"


@pytest.mark.parametrize("hop", [0.02, 2.5])
def test_short_and_long_hops_are_timed_by_stage(hop: float) -> None:
    chosen = ("--backend", "litert", "--threads", 1, "--hop", hop, *FEW, "--format", "jsonl")
    done = ser_bench("latency", DEFAULT_MODEL, *chosen)
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["configurations"]
    assert one["hop_seconds"] == pytest.approx(hop, abs=0.01)
    assert all(one["milliseconds"][stage]["p25"] > 0.0 for stage in STAGES)


def test_a_sound_without_speech_gets_one_line(tmp_path: Path) -> None:
    import wave

    sound = tmp_path / "tone.wav"
    tone = 0.3 * np.sin(2.0 * np.pi * 440.0 * np.arange(4 * 16000) / 16000)
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((tone * 32767).astype("<i2").tobytes())
    line = refusal(DEFAULT_MODEL, "--backend", "litert", "--threads", 1, "--sound", sound)
    assert line == f"{sound}: the gate hears no speech in it; name a recording of speech"


def test_a_plot_of_another_kind_is_refused_before_anything_is_measured() -> None:
    assert refusal("--plot", "a.pdf") == "--plot a.pdf: the name must end in .png or .html"


@pytest.mark.parametrize(
    "wrong", [("--threads", "0"), ("--threads", "99"), ("--backend", "magic"), ("--rounds", "0")]
)
def test_wrong_usage_is_refused(wrong: tuple[str, str]) -> None:
    done = ser_bench("latency", *wrong)
    assert done.returncode == 2
    assert wrong[0] in done.stderr


def test_progress_is_shown_without_tqdm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(shown(range(25), "measuring")) == list(range(25))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["measuring: 0 of 25", "measuring: 2 of 25"]
    assert len(lines) == 13


# --- the parts ----------------------------------------------------------------------------------


def test_what_ships_is_measured_by_default() -> None:
    models = shipped_models()
    assert models[0] == DEFAULT_MODEL
    assert all(read_metadata(model).labels for model in models)
    assert default_threads()[0] == 1
    assert max(default_threads()) <= 4


@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_the_gate_hears_the_synthesised_speech_and_not_the_room(rate: int) -> None:
    gate = make_gate("energy", rate)
    speech = np.tile(speech_like(rate), 4)
    is_open = []
    for start in range(0, len(speech), rate // 10):
        gate.push(speech[start : start + rate // 10])
        is_open.append(gate.is_open)
    assert all(is_open[50:])
    gate.reset()
    gate.push(quiet_room(rate))
    assert not gate.is_open


@given(stages=st.lists(st.integers(0, len(STAGES) - 1), max_size=20))
def test_a_stopwatch_gives_time_to_the_stages_that_ran_alone(stages: list[int]) -> None:
    watch = Stopwatch()
    watch.start()
    for stage in stages:
        watch.switch(stage)
    times = watch.stop()
    assert all(time >= 0 for time in times)
    assert all(times[stage] == 0 for stage in range(1, len(STAGES)) if stage not in stages)


def test_the_profile_sums_up_by_kind_and_leaves_the_first_runs_out() -> None:
    def event(name: str, kind: str, duration: int) -> dict[str, Any]:
        return {"cat": "Node", "name": name, "dur": duration, "args": {"op_name": kind}}

    warm_up = [event("a_kernel_time", "Conv", 1000), event("b_kernel_time", "Conv", 1000)]
    run = [event("a_kernel_time", "Conv", 3), event("b_kernel_time", "Conv", 4)]
    run += [event("c_kernel_time", "Softmax", 9), event("c_fence_before", "Softmax", 99)]
    first = [*warm_up, event("c_kernel_time", "Softmax", 1000), {"cat": "Session", "name": "run"}]
    assert summed([*first * WARM_UP, *run * N_RUNS]) == [("Softmax", 9.0), ("Conv", 7.0)]


def test_the_faster_form_is_named_with_its_ratio() -> None:
    (sentence,) = verdicts(
        [
            with_time("inference", 0.2, number_format="float32"),
            with_time("inference", 0.1),
            with_time("inference", 0.4, number_format="float32", backend="tflite-runtime"),
            with_time("inference", 0.01, number_format="float32", threads=4),
        ]
    )
    assert sentence == (
        "edge: int8 is the fastest here by inference alone, on 1 thread: 0.100 ms in litert; "
        "float32 takes 2.00 times as long (0.200 ms in litert)"
    )


def test_no_difference_is_made_of_noise() -> None:
    (sentence,) = verdicts(
        [
            with_time("inference", 0.1),
            with_time("inference", 0.105, number_format="dynamic"),
            with_time("inference", 0.3, number_format="float32"),
        ]
    )
    assert "no difference beyond the noise between int8 and dynamic here" in sentence
    assert "float32 takes 3.00 times as long" in sentence


def test_one_form_alone_has_no_verdict() -> None:
    assert verdicts([configuration(), configuration(threads=4)]) == []
    other = configuration(network="other", number_format="float32")
    assert verdicts([configuration(), other]) == []


def test_warnings_and_what_is_missing_stand_in_the_text() -> None:
    made = result(configuration(operators={"Conv": 12.5}), warnings=["it was hot"])
    text = as_text({**made, "missing": {"onnxruntime": "not installed"}})
    assert "WARNING: it was hot" in text
    assert "left out: onnxruntime: not installed" in text
    assert "slowest operators: Conv 12.5 us" in text


def test_the_parts_of_the_command_are_found_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken for the library')\n")
    code = "import sys; sys.path.pop(0); from benchmarks.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "latency", str(DEFAULT_MODEL), "--rounds", "1"]
    done = subprocess.run(
        [*command, "--backend", "litert", "--threads", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
