"""``ser-bench conversions`` keeps what it costs to convert a run, target by target."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import pytest

from benchmarks.conversion_record import without_folders
from benchmarks.conversions import convert_run
from benchmarks.results import load_all
from convert.targets import TARGETS
from edge_runtime.errors import SerEdgeError

from ..train.tones import RECIPE, write_tess
from .test_tables import ser_bench

NAME = Path("conversions") / "tess-random" / "tiny-seed0-random.json"
NEEDED = ("model.keras", "ser_edge.json", "representative.npz", "held_out.npz", "run.json")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that ``ser-train evaluate`` leaves of a tiny recipe on tones."""
    from train.cli import main

    folder = tmp_path_factory.mktemp("evaluated")
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE.replace("steps = 20", "steps = 200"), encoding="utf-8")
    write_tess(folder / "corpora" / "TESS")
    places = [f"--{name}={folder / name}" for name in ("corpora", "cache")]
    done = main(
        ["evaluate", str(recipe), "--protocol=tess-random", f"--out={folder / 'runs'}", *places]
    )
    assert done == 0
    return folder / "runs" / "tess-random" / "tiny-seed0" / "random"


@pytest.fixture(scope="module")
def converted(evaluated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stored results of two of its targets, made by the command."""
    results = tmp_path_factory.mktemp("results")
    done = ser_bench("conversions", evaluated, "--results", results, "--targets", "float32", "int8")
    assert done.returncode == 0, done.stderr
    return results


@pytest.fixture
def results(converted: Path, tmp_path: Path) -> Path:
    """A copy of them, to be changed."""
    return Path(shutil.copytree(converted, tmp_path / "results"))


@pytest.fixture
def run(evaluated: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be changed."""
    folder = tmp_path / "runs" / "tess-random" / "tiny-seed0" / "random"
    folder.mkdir(parents=True)
    for name in NEEDED:
        shutil.copy(evaluated / name, folder / name)
    return folder


def stored(results: Path) -> dict[str, Any]:
    return json.loads((results / NAME).read_text())


def with_network(run: Path, *layers: keras.layers.Layer) -> None:
    """Put another network, of random weights, in the place of the run's."""
    keras.utils.set_random_seed(0)
    made = keras.Sequential(
        [keras.Input((31, 20)), *layers, keras.layers.Dense(7, activation="softmax")]
    )
    made.save(run / "model.keras")


@pytest.mark.parametrize("name", ["run.json", "model.keras"])
def test_a_folder_that_is_no_run_gets_one_line(run, tmp_path, name):
    (run / name).unlink()
    done = ser_bench("conversions", run, "--results", tmp_path / "results")
    assert done.returncode == 1
    assert done.stderr == (
        f"ser-bench: {run}: holds no {name}; name a folder of one run that ser-train finished\n"
    )


def test_what_is_stored_is_small_and_says_what_a_table_needs(converted, evaluated):
    result = stored(converted)
    trained = json.loads((evaluated / "run.json").read_text())
    assert (result["recipe"], result["protocol_name"]) == ("tiny", "tess-random")
    for key in ("split", "seed", "protocol", "parameters", "commit", "finished"):
        assert result[key] == trained[key]
    assert list(result["targets"]) == ["float32", "int8"]
    exact, int8 = result["targets"].values()
    assert (exact["target"], int8["target"]) == ("float32", "int8")
    assert exact["agreement"] == 1.0
    assert 0.9 <= int8["agreement"] <= 1.0
    assert 1000 < int8["size"] < exact["size"]
    test = exact["test"]
    assert test["utterances"] == trained["figures"]["utterances"]
    assert test["uar_before"] == pytest.approx(trained["figures"]["uar"], abs=1e-4)
    assert test["uar_drop"] == pytest.approx(
        100 * (test["uar_before"] - test["uar_after"]), abs=0.02
    )
    assert int8["settings"] in [one["settings"] for one in int8["attempts"]]
    for one in (exact, int8):
        litert = one["backends"]["litert"]
        assert litert["ran"]
        assert 0 < litert["latency_ms_p50"] <= litert["latency_ms_p90"]
        other = one["backends"]["tflite-runtime"]
        assert other["latency_ms_p50"] > 0 if other["ran"] else "not at hand" in other["why"]
    text = (converted / NAME).read_text()
    assert len(text) < 4096
    assert str(evaluated.parents[3]) not in text
    assert "reliability" not in text


def test_nothing_is_left_in_the_run_folder(converted, evaluated):
    assert not [path.name for path in evaluated.rglob("*") if path.suffix in (".tflite", ".onnx")]
    assert not list(evaluated.glob("*.report.*"))


def test_what_is_stored_is_not_made_again(results, evaluated):
    before = (results / NAME).stat()
    done = ser_bench(
        "conversions", evaluated, "--results", results, "--targets", "int8", "--format", "jsonl"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["asked"], told["new"], told["recipe"]) == ("int8", False, "tiny")
    assert told["size"] == stored(results)["targets"]["int8"]["size"]
    after = (results / NAME).stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_target_is_added_to_those_that_are_stored(results, evaluated):
    before = stored(results)["targets"]
    done = ser_bench(
        "conversions", evaluated, "--results", results, "--targets", "int8", "onnx", "float32"
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.endswith("(stored earlier)") for line in lines] == [True, True, False]
    assert lines[2].startswith("tess-random/tiny-seed0-random onnx: ")
    after = stored(results)["targets"]
    assert list(after) == ["float32", "int8", "onnx"]
    assert {name: after[name] for name in before} == before
    assert list(after["onnx"]["backends"]) == ["onnxruntime"]


def test_again_converts_what_is_stored(results, evaluated):
    (one,) = convert_run(evaluated, ["float32"], results, again=True)
    assert one.is_new
    assert list(stored(results)["targets"]) == ["float32", "int8"]


def test_an_interruption_loses_one_target_at_most(evaluated, tmp_path):
    conversions = convert_run(evaluated, ["float32", "dynamic"], tmp_path)
    assert next(conversions).target == "float32"
    conversions.close()
    assert list(stored(tmp_path)["targets"]) == ["float32"]
    assert [one.is_new for one in convert_run(evaluated, ["float32", "dynamic"], tmp_path)] == [
        False,
        True,
    ]


def test_a_model_that_was_trained_again_is_converted_anew(results, run):
    with_network(run, keras.layers.GlobalAveragePooling1D())
    (one,) = convert_run(run, ["float32"], results)
    assert one.is_new
    assert list(stored(results)["targets"]) == ["float32"]


def test_why_a_target_was_not_made_is_stored(run, tmp_path):
    """A channel that the next layer leaves out takes all the steps of eight bits."""
    wide = keras.layers.Dense(21, name="wide")
    with_network(run, wide, keras.layers.Dense(20, use_bias=False), keras.layers.Flatten())
    network = keras.models.load_model(run / "model.keras", compile=False)
    weights, bias = network.layers[0].get_weights()
    bias[-1] = 3000.0
    network.layers[0].set_weights([weights, bias])
    narrow = network.layers[1]
    (kernel,) = narrow.get_weights()
    kernel[-1] = 0.0
    narrow.set_weights([kernel])
    network.save(run / "model.keras")
    (one,) = convert_run(run, ["onnx-int8"], tmp_path / "results")
    assert one.record["target"] == ""
    assert one.record["why"].startswith("model.keras: not written, for the onnx-int8 model ")
    assert stored(tmp_path / "results")["targets"]["onnx-int8"] == one.record


def test_what_was_made_instead_is_stored_with_the_reason(run, tmp_path):
    """A loop that cannot be written out step by step has no int8."""
    with_network(run, keras.layers.RNN(keras.layers.LSTMCell(4)))
    done = ser_bench("conversions", run, "--results", tmp_path / "results", "--targets", "int8")
    assert done.returncode == 0, done.stderr
    record = stored(tmp_path / "results")["targets"]["int8"]
    assert record["target"] == "dynamic"
    assert record["why"].startswith("model.keras: ")
    assert record["why"].endswith("; made with a dynamic range instead")
    assert record["why"] in done.stdout


def test_a_run_without_held_out_recordings_does_not_keep_others_from_it(results, run, evaluated):
    (run / "held_out.npz").unlink()
    shutil.rmtree(results)
    done = ser_bench("conversions", run, evaluated, "--results", results, "--targets", "float32")
    assert done.returncode == 1
    assert done.stderr == (
        f"ser-bench: {run}: holds no held_out.npz to judge with; run the ser-train command that "
        "trained it again: it adds the file without training\n"
    )
    assert list(stored(results)["targets"]) == ["float32"]


def test_a_model_that_cannot_be_run_is_no_result_of_a_target(run, tmp_path):
    with_network(run, keras.layers.Flatten())
    metadata = json.loads((run / "ser_edge.json").read_text())
    metadata["labels"] = metadata["labels"][:-1]
    (run / "ser_edge.json").write_text(json.dumps(metadata))
    with pytest.raises(SerEdgeError):
        list(convert_run(run, list(TARGETS), tmp_path / "results"))
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"model": 1}'])
def test_a_damaged_result_gets_one_line(results, evaluated, content):
    (results / NAME).write_text(content)
    with pytest.raises(SerEdgeError, match=r"is damaged .* delete it and convert the run again"):
        list(convert_run(evaluated, ["int8"], results))


def test_results_that_cannot_be_written_get_one_line(evaluated, tmp_path):
    (tmp_path / "file").write_text("")
    done = ser_bench(
        "conversions", evaluated, "--results", tmp_path / "file", "--targets", "float32"
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "file") in done.stderr


def test_a_run_of_no_protocol_is_stored_apart(run, tmp_path):
    moved = tmp_path / "fitted"
    run.rename(moved)
    (one,) = convert_run(moved, ["float32"], tmp_path / "results")
    assert one.run["protocol_name"] == "own"
    assert [result["split"] for result in load_all(tmp_path / "results")["conversions"]] == [
        "random"
    ]


@pytest.mark.parametrize(
    ("text", "reduced"),
    [
        ("runs/a/model.keras: no", "model.keras: no"),
        ("/usr/lib/x/python3.11: cannot be run", "python3.11: cannot be run"),
        ("node /functional_1/lstm_1/LSTM: no", "node /functional_1/lstm_1/LSTM: no"),
        ("runs/b/model.keras and 3/4 of it", "runs/b/model.keras and 3/4 of it"),
        ("No space left in /usr; make room", "No space left in /usr; make room"),
    ],
)
def test_folders_of_this_machine_are_not_stored(text, reduced):
    assert without_folders(text, (Path("runs/a"),)) == reduced
