"""``ser-bench accuracy`` judges model files on voices that they never heard."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy_command import add_parser
from benchmarks.accuracy_selection import Selection, sample
from benchmarks.accuracy_tables import (
    KIND,
    as_text,
    conditions_table,
    streaming_labels_table,
    streaming_table,
)
from benchmarks.results import load_all
from benchmarks.sound_conditions import NOISES
from edge_runtime.classifier import DEFAULT_MODEL, Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import read_metadata, write_metadata
from edge_runtime.sources.clip import read_clip
from train.corpora import Utterance, read_corpora

from ..train.tones import write_wav
from .test_tables import RESULTS, ser_bench
from .voices import DATA, RATE, model_that_says, speakers, write_surroundings, write_voices

N_UTTERANCES = 60


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder as ser-train leaves it, with some of the bundled model's test utterances."""
    stored = json.loads((RESULTS / "bundled" / "edge-seed0.json").read_text())
    step = len(stored["targets"]) // N_UTTERANCES
    chosen = range(0, len(stored["targets"]), step)
    predictions = [
        dict(
            zip(("corpus", "name"), stored["utterances"][i].split("/")), target=stored["targets"][i]
        )
        for i in chosen
    ]
    described = {
        key: stored[key] for key in ("protocol", "split", "seed", "labels", "speakers", "versions")
    }
    described.update(recipe={"name": "edge"}, predictions=predictions)
    (tmp_path / "run.json").write_text(json.dumps(described))
    return tmp_path


def test_the_stored_scores_come_out_again(corpora: Path, run: Path, tmp_path: Path) -> None:
    store = tmp_path / "result.json"
    result = ser_bench("accuracy", run, DEFAULT_MODEL, "--store", store)
    assert result.returncode == 0, result.stderr
    assert "UAR" in result.stdout
    assert "ECE" in result.stdout
    again = json.loads(store.read_text())
    stored = json.loads((RESULTS / "bundled" / "edge-seed0.json").read_text())
    before = dict(zip(stored["utterances"], stored["models"]["model.int8.tflite"]["scores"]))
    scores = again["models"]["default.tflite"]["scores"]
    same = sum(
        max(range(7), key=row.__getitem__) == max(range(7), key=before[name].__getitem__)
        for name, row in zip(again["utterances"], scores)
    )
    # Another processor may round a quantised value the other way.
    assert same >= 0.95 * len(scores)


def test_a_folder_without_a_run_gets_one_line(corpora: Path, tmp_path: Path) -> None:
    result = ser_bench("accuracy", tmp_path, DEFAULT_MODEL)
    assert result.returncode == 1
    assert result.stderr.startswith(f"ser-bench: {tmp_path}: no run.json")
    assert result.stderr.count("\n") == 1


def test_a_run_that_lacks_something_gets_one_line(corpora: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    result = ser_bench("accuracy", tmp_path, DEFAULT_MODEL)
    assert result.returncode == 1
    assert "run.json: is damaged" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_model_with_other_labels_gets_one_line(corpora: Path, run: Path) -> None:
    described = json.loads((run / "run.json").read_text())
    described["labels"][0] = "bored"
    (run / "run.json").write_text(json.dumps(described))
    result = ser_bench("accuracy", run, DEFAULT_MODEL)
    assert result.returncode == 1
    assert "its labels are not those of the run" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_model_of_another_run_that_knows_the_test_speakers_is_refused(
    corpora: Path, run: Path
) -> None:
    described = json.loads((run / "run.json").read_text())
    described["seed"] = 7
    (run / "run.json").write_text(json.dumps(described))
    result = ser_bench("accuracy", run, DEFAULT_MODEL)
    assert result.returncode == 0, result.stderr  # a stranger to them all the same
    (known,) = [u for u in read_corpora(corpora, ["EmoDB"]) if u.name == "08a01Fd"]
    described["predictions"].append({"corpus": "EmoDB", "name": known.name, "target": 1})
    (run / "run.json").write_text(json.dumps(described))
    result = ser_bench("accuracy", run, DEFAULT_MODEL)
    assert result.returncode == 1
    assert f"was trained or selected on speaker EmoDB-08, on whom {run} is tested" in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_corpora_it_says_what_to_set(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SER_EDGE_CORPORA", raising=False)
    result = ser_bench("accuracy", run, DEFAULT_MODEL)
    assert result.returncode == 1
    assert "SER_EDGE_CORPORA" in result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpora folder with voices, noise and rooms."""
    return write_surroundings(write_voices(tmp_path_factory.mktemp("corpora")))


def accuracy(*arguments: object) -> int:
    """What ``ser-bench accuracy`` does."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["accuracy", *map(str, arguments)])
    return int(parsed.work(parsed))


def judged(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert accuracy(*arguments, "--format", "jsonl") == 0
    return dict(json.loads(capsys.readouterr().out))


def test_a_model_file_alone_is_judged_on_the_test_speakers_that_it_names(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_that_says(
        tmp_path / "own.tflite",
        corpora=[DATA],
        speakers=speakers(train=["ben"], test=["anna"]),
        figures={"utterances": 3},
    )
    result = judged(capsys, model, "--corpora", folder, "--store", tmp_path / "own.json")
    assert result == json.loads((tmp_path / "own.json").read_text())
    assert result["utterances"] == [
        f"{DATA}/angry/anna/one",
        f"{DATA}/calm/anna/one",
        f"{DATA}/sad/anna/one",
    ]
    assert [result["labels"][target] for target in result["targets"]] == ["angry", "neutral", "sad"]
    assert result["speakers"]["test"] == [f"{DATA}-anna"]
    assert "calm as neutral" in result["protocol"]
    assert "left out, being none of the model's labels: 1 of boredom" in result["protocol"]
    assert "none of these voices was trained or selected on, as far as" in result["protocol"]
    assert "which these are not" not in result["protocol"]
    one = result["models"]["own.tflite"]
    classifier = Classifier(model)
    for name, scores in zip(("angry", "calm", "sad"), one["scores"]):
        clip = read_clip(folder / "voices" / name / "anna" / "one.wav", RATE)
        expected = classifier.classify(clip).scores
        assert scores == pytest.approx(list(expected.values()), abs=0.0006)
    assert one["sha256"] == classifier.hash
    assert one["figures"]["utterances"] == 3
    assert "conditions" not in one
    assert "streams" not in one


def test_how_sure_it_is_can_be_drawn(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_that_says(tmp_path / "own.tflite")
    options = ("--corpora", folder, "--data", DATA, "--include-training-speakers")
    plot = tmp_path / "new" / "sure.png"
    judged(capsys, model, *options, "--plot", plot)
    assert plot.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SerEdgeError, match=r"^--plot a\.pdf: the name must end in \.png$"):
        accuracy(model, *options, "--plot", "a.pdf")


def test_conditions_and_streams_are_judged_and_several_processes_find_the_same(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_that_says(tmp_path / "own.tflite")
    options = (model, "--corpora", folder, "--data", DATA, "--limit", 3, "--stream")
    options += ("--conditions", "noise", "rooms")
    result = judged(capsys, *options, "--jobs", 2, "--store", tmp_path / KIND / "own.json")
    assert judged(capsys, *options) == result
    assert "does not say whose voices it was trained on" in result["protocol"]
    assert set(result["method"]) == {"utterances", "conditions", "streams"}
    one = result["models"]["own.tflite"]
    names = [f"{noise} {snr} dB" for snr in (20, 10, 5, 0) for noise in NOISES]
    names += ["room far", "room near"]
    assert list(one["conditions"]) == names
    assert list(one["streams"]) == ["clean", *names]
    clean = one["figures"]
    for condition in one["conditions"].values():
        assert condition["utterances"] == clean["utterances"] == 3
        assert condition["uar_lost"] == pytest.approx(clean["uar"] - condition["uar"], abs=2e-4)
        assert sum(map(sum, condition["confusion"])) == 3
    heard = one["streams"]["clean"]
    assert heard["utterances"] == heard["in_a_row"]["streams"] == 3
    assert heard["in_a_row"]["minutes"] == pytest.approx(3 * 2.5 / 60.0)
    assert heard["missed"] <= heard["never_right"] <= 3
    assert heard["missed"] < 3
    assert heard["began_early"] == heard["open_share_before"] == 0
    assert heard["open_share"] > 0.3
    assert sum(part["utterances"] for part in heard["by_label"].values()) == 3
    assert sum(part["never_right"] for part in heard["by_label"].values()) == heard["never_right"]

    printed = as_text(result)
    stored = load_all(tmp_path)
    conditions, streams = conditions_table(stored), streaming_table(stored)
    rows = conditions.splitlines()
    # Head, rule, clean, and for each of four ratios and the rooms their mean first.
    assert len(rows) == 3 + 4 * (1 + len(NOISES)) + 1 + 2
    assert f"**0 dB, mean of {len(NOISES)}**" in conditions
    assert rows[2].startswith(f"| own.tflite | clean | {clean['uar']:.3f} | {clean['wa']:.3f} |")
    assert len(streams.splitlines()) == 2 + len(one["streams"])
    assert len(streaming_labels_table(stored).splitlines()) == 2 + len(heard["by_label"])
    for line in (*rows[2:], *streams.splitlines()[2:]):
        assert line.replace("| own.tflite ", "") in printed
    assert all(sentence in printed for sentence in result["method"].values())


def test_models_may_be_named_after_the_corpora(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_that_says(tmp_path / "own.tflite")
    last = ("--corpora", folder, "--limit", 2, "--format", "jsonl", "--data", DATA, model)
    assert accuracy(*last) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["models"]) == ["own.tflite"]
    assert len(result["utterances"]) == 2
    with pytest.raises(SystemExit) as ended:
        accuracy("--data", DATA)
    assert ended.value.code == 2
    assert "name a .tflite or .onnx file" in capsys.readouterr().err


def test_recordings_of_ones_own_need_no_folder_of_corpora(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = model_that_says(tmp_path / "own.tflite")
    monkeypatch.delenv("SER_EDGE_CORPORA", raising=False)
    monkeypatch.chdir(folder)
    result = judged(capsys, model, "--data", DATA)
    assert result["speakers"]["test"] == [f"{DATA}-anna", f"{DATA}-ben"]
    for needs_it in (("--data", "RAVDESS"), ("--data", DATA, "--conditions", "rooms"), ()):
        with pytest.raises(SerEdgeError, match=r"^no corpora folder: give --corpora"):
            accuracy(model, *needs_it)


def test_speakers_that_a_model_knows_are_left_out_and_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_that_says(
        tmp_path / "own.tflite", corpora=[DATA], speakers=speakers(validation=["ben"])
    )
    result = judged(capsys, model, "--corpora", folder, "--data", DATA)
    assert result["speakers"]["test"] == [f"{DATA}-anna"]
    assert f"left out, having been trained or selected on: speaker {DATA}-ben" in result["protocol"]
    with_known = judged(
        capsys, model, "--corpora", folder, "--data", DATA, "--include-training-speakers"
    )
    assert with_known["speakers"]["test"] == [f"{DATA}-anna", f"{DATA}-ben"]
    assert f"WITH speaker {DATA}-ben" in with_known["protocol"]
    assert "say nothing about unknown voices" in with_known["protocol"]


@pytest.mark.parametrize("known", ["inherited_speakers", "unlabelled_speakers", "other_speakers"])
def test_what_a_model_began_from_or_heard_counts_as_known(
    folder: Path, tmp_path: Path, known: str
) -> None:
    model = model_that_says(
        tmp_path / "own.tflite",
        corpora=[DATA],
        speakers=speakers(test=["anna"]),
        **{known: [f"{DATA}-anna"]},
    )
    with pytest.raises(SerEdgeError, match="was trained or selected on speaker folder:voices-anna"):
        accuracy(model, "--corpora", folder)


def test_known_voices_alone_are_refused(folder: Path, tmp_path: Path) -> None:
    model = model_that_says(
        tmp_path / "own.tflite", corpora=[DATA], speakers=speakers(train=["anna", "ben"])
    )
    with pytest.raises(SerEdgeError, match=r"2 speakers .* --include-training-speakers") as error:
        accuracy(model, "--corpora", folder, "--data", DATA)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("provenance", "options", "complaint"),
    [
        ({}, (), "does not say whose voices it was tested on"),
        ({"speakers": "all", "corpora": [DATA]}, (), "does not say whose voices"),
        (
            {"corpora": [DATA], "speakers": speakers(test=["anna", "carl"])},
            (),
            "lacks speaker folder:voices-carl",
        ),
        ({}, ("--data", "folder:nowhere"), "nowhere: no recordings"),
        ({}, ("--data", "nonsense"), "unknown corpus 'nonsense'"),
        ({}, ("--data", "table:nowhere.csv"), "nowhere.csv: cannot be read"),
        ({}, ("--data", DATA, "--backend", "onnxruntime"), "cannot run .tflite files"),
        ({}, ("--data", DATA, "--jobs", "0"), "--jobs must be 1 or more"),
    ],
)
def test_what_cannot_be_judged_gets_one_line(
    folder: Path,
    tmp_path: Path,
    provenance: dict[str, Any],
    options: tuple[str, ...],
    complaint: str,
) -> None:
    model = model_that_says(tmp_path / "own.tflite", **provenance)
    with pytest.raises(SerEdgeError, match=re.escape(complaint)) as error:
        accuracy(model, "--corpora", folder, *options)
    assert "\n" not in str(error.value)


def test_a_corpus_of_other_emotions_is_refused(tmp_path: Path) -> None:
    corpora = write_voices(tmp_path)
    for label in ("angry", "sad", "calm"):
        shutil.rmtree(corpora / "voices" / label)
    with pytest.raises(SerEdgeError, match=r"none of the labels that .* there is boredom"):
        accuracy(DEFAULT_MODEL, "--corpora", corpora, "--data", DATA)


def test_too_short_an_utterance_is_named(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "voices" / "sad" / "carl" / "short.wav", np.ones(900) / 9, RATE)
    with pytest.raises(SerEdgeError, match=f"{re.escape(str(path))}: too short to classify"):
        accuracy(DEFAULT_MODEL, "--corpora", tmp_path, "--data", DATA)


def test_a_model_without_metadata_is_refused(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(b"\0\0\0\0TFL3" + bytes(100))
    with pytest.raises(SerEdgeError, match=r"bare.tflite: carries no ser-edge metadata"):
        accuracy(bare, "--corpora", folder, "--data", DATA)


def test_models_that_do_not_go_together_are_refused(folder: Path, tmp_path: Path) -> None:
    one = model_that_says(tmp_path / "1.tflite", corpora=[DATA], speakers=speakers(test=["anna"]))
    two = model_that_says(tmp_path / "2.tflite", corpora=[DATA], speakers=speakers(test=["ben"]))
    with pytest.raises(SerEdgeError, match="was tested on other speakers than"):
        accuracy(one, two, "--corpora", folder)
    with pytest.raises(SerEdgeError, match="another model has the same file name"):
        accuracy(one, one, "--corpora", folder)
    metadata = read_metadata(two)
    write_metadata(two, replace(metadata, labels=("bored", *metadata.labels[1:])))
    with pytest.raises(SerEdgeError, match="its labels are not those of"):
        accuracy(one, two, "--corpora", folder, "--data", DATA)


def test_a_run_is_told_from_a_model(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SerEdgeError, match="is no model file"):
        accuracy(tmp_path, "--corpora", folder)
    with pytest.raises(SerEdgeError, match="judged on its own test utterances; leave out --data"):
        accuracy(tmp_path, DEFAULT_MODEL, "--corpora", folder, "--data", DATA)


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    share=st.floats(0.0, 1.2),
)
def test_a_sample_is_in_proportion_and_always_the_same(counts: list[int], share: float) -> None:
    utterances = [
        Utterance(Path(f"{cell}-{number}.wav"), "sad", "one", "", f"corpus{cell % 2}")
        for cell, count in enumerate(counts)
        for number in range(count)
    ]
    cells = np.repeat(np.arange(len(counts)), counts)
    labels = tuple(f"label{number}" for number in range(len(counts)))
    whole = Selection(utterances, cells, labels, "all")
    n_drawn = max(1, round(share * len(utterances)))
    drawn = sample(whole, n_drawn)
    assert len(drawn.utterances) == len(drawn.targets) == min(n_drawn, len(utterances))
    assert drawn.utterances == sample(whole, n_drawn).utterances
    assert [u for u in utterances if u in drawn.utterances] == drawn.utterances
    for cell, count in enumerate(counts):
        fair = count * len(drawn.utterances) / len(utterances)
        assert abs(int((drawn.targets == cell).sum()) - fair) <= 1.0
    if n_drawn < len(utterances):
        assert f"of {len(utterances)} utterances {n_drawn} drawn" in drawn.protocol
        assert drawn.about["drawn_from"] == len(utterances)


def test_the_bundled_model_alone_gives_what_is_stored(
    corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = judged(capsys, DEFAULT_MODEL, "--corpora", corpora, "--limit", N_UTTERANCES)
    stored = json.loads((RESULTS / "bundled" / "edge-seed0.json").read_text())
    before = dict(zip(stored["utterances"], stored["models"]["model.int8.tflite"]["scores"]))
    targets = dict(zip(stored["utterances"], stored["targets"]))
    assert f"of {len(before)} utterances {N_UTTERANCES} drawn" in result["protocol"]
    assert result["targets"] == [targets[name] for name in result["utterances"]]
    assert set(result["speakers"]["test"]) == set(stored["speakers"]["test"])
    # Drawn evenly over corpora and classes, but of a few utterances not every corpus has one.
    assert {"TESS", "RAVDESS"} < {name.split("/")[0] for name in result["utterances"]}
    scores = result["models"]["default.tflite"]["scores"]
    same = sum(
        int(np.argmax(row)) == int(np.argmax(before[name]))
        for name, row in zip(result["utterances"], scores)
    )
    # Another processor may round a quantised value the other way.
    assert same >= 0.95 * N_UTTERANCES


def test_noise_at_0_db_costs_the_bundled_model_recall(
    corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--limit", 42, "--conditions", "noise")
    result = judged(capsys, DEFAULT_MODEL, "--corpora", corpora, *options)
    conditions = result["models"]["default.tflite"]["conditions"]
    lost = {
        snr: np.mean([one["uar_lost"] for one in conditions.values() if one["group"] == snr])
        for snr in ("20 dB", "0 dB")
    }
    assert lost["0 dB"] > max(0.1, lost["20 dB"])
