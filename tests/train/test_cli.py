"""``ser-train`` as it is typed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from train.cli import main, name_of

from .tones import RECIPE, touch, write_tess

ROOT = Path(__file__).parents[2]
# Importing the programs sets it for TensorFlow; a shell does not.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
SER_TRAIN = "import sys; from train.cli import main; sys.exit(main())"


def ser_train(*arguments: object, cwd: Path, code: str = SER_TRAIN, **environment: str):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT), **environment},
    )


def one_line(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on standard error of a run that failed."""
    assert main([str(argument) for argument in arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ser-train: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE.replace("steps = 20", "steps = 2"), encoding="utf-8")
    return path


def test_fit(tmp_path, recipe_file, tone_corpora):
    result = ser_train(
        "fit", recipe_file, "--seed", 3, cwd=tmp_path, SER_EDGE_CORPORA=str(tone_corpora)
    )
    assert result.returncode == 0, result.stderr
    begins, *rounds = result.stderr.splitlines()
    assert re.fullmatch(r"training begins(, \d+\.\d s after the program's start)?", begins)
    assert [line[:19] for line in rounds] == ["round 1 of 1: loss "]
    folder = tmp_path / "runs" / "tiny-seed3"
    assert {p.name for p in folder.iterdir()} >= {"model.keras", "run.json", "ser_edge.json"}
    figures = json.loads((folder / "run.json").read_text())["figures"]
    last = result.stdout.splitlines()[-3:]
    assert last[0].startswith(f"runs/tiny-seed3: UAR {figures['uar']:.3f}, WA ")
    assert last[0].endswith("see runs/tiny-seed3/report.html")
    assert [line.split(":")[0] for line in last[1:]] == ["  RAVDESS", "  TESS"]
    assert (tmp_path / "cache").is_dir()


def test_evaluate(tmp_path, recipe_file):
    write_tess(tmp_path / "corpora" / "TESS")
    result = ser_train(
        *("evaluate", recipe_file, "--protocol", "tess-loso", "--corpora", "corpora"),
        *("--out", "here", "--cache", "kept"),
        cwd=tmp_path,
        SER_EDGE_CORPORA="",
    )
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "here" / "tess-loso" / "tiny-seed0"
    uars = [
        json.loads((folder / f"test-{who}" / "run.json").read_text())["figures"]["uar"]
        for who in ("OAF", "YAF")
    ]
    last = result.stdout.splitlines()[-1]
    assert last.startswith(f"tess-loso, seed 0: mean UAR {sum(uars) / 2:.3f} over 2 splits (TESS, ")


def test_figures_for_machines(tmp_path, recipe_file):
    write_tess(tmp_path / "TESS")
    words = ("evaluate", recipe_file, "--protocol", "tess-loso", "--seeds", 2, "--corpora", ".")
    result = ser_train(*words, "--format", "jsonl", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    *seeds, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["seed"] for line in seeds] == [0, 1]
    for line in seeds:
        uars = [figures["uar"] for figures in line["splits"].values()]
        assert line["mean"]["uar"] == pytest.approx(sum(uars) / 2, abs=1e-4)
    means = [line["mean"]["uar"] for line in seeds]
    assert last["over_seeds"]["uar"]["mean"] == pytest.approx(sum(means) / 2, abs=1e-4)
    arguments = ("fit", recipe_file, "--corpora", tmp_path, "--data", "TESS", "--format", "jsonl")
    (line,) = ser_train(*arguments, cwd=tmp_path).stdout.splitlines()
    assert json.loads(line)["figures"]["utterances"] == 14


def test_unknown_recipe(capsys, tmp_path):
    said = one_line(capsys, "fit", "nothing", "--corpora", tmp_path)
    assert "no such recipe" in said
    assert "edge" in said


def test_unknown_protocol(capsys, tmp_path):
    said = one_line(capsys, "evaluate", "edge", "--protocol", "mine", "--corpora", tmp_path)
    assert "unknown 'mine'; known are random, speaker, loso, cross-corpus, leave-one" in said


def test_no_corpora_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("SER_EDGE_CORPORA", raising=False)
    assert "--corpora DIR or set SER_EDGE_CORPORA" in one_line(capsys, "fit", "edge")
    said = one_line(capsys, "fit", "edge", "--corpora", tmp_path / "nowhere")
    assert "no such corpora folder" in said


def test_corpora_folder_without_the_corpus(capsys, tmp_path):
    said = one_line(capsys, "fit", "edge", "--corpora", tmp_path)
    assert "no TESS recordings; get them from https://" in said


def test_speaker_of_the_recipe_who_is_not_there(capsys, tmp_path, tone_corpora):
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE.replace('"RAVDESS-02"', '"RAVDESS-99"'), encoding="utf-8")
    said = one_line(capsys, "fit", path, "--corpora", tone_corpora, "--out", tmp_path)
    assert "no utterance of speaker 'RAVDESS-99'" in said


def test_damaged_recording(capsys, tmp_path, recipe_file):
    write_tess(tmp_path / "TESS", words=("back", "bar", "base"))
    (tmp_path / "TESS" / "OAF_sad" / "OAF_back_sad.wav").write_bytes(b"RIFF")
    arguments = ["evaluate", recipe_file, "--protocol", "tess-loso", "--corpora", tmp_path]
    folders = ["--out", tmp_path / "runs", "--cache", tmp_path / "cache", "--seed", 1]
    assert main([str(argument) for argument in arguments + folders]) == 1
    begun, warning, _, _, said = capsys.readouterr().err.splitlines()
    assert begun == "tess-loso test-OAF, seed 1"
    assert warning.startswith("warning: The same speaker (TESS-YAF) is in training and in validat")
    assert said.startswith("ser-train: ")
    assert "OAF_back_sad.wav" in said


def test_corpora_are_counted(capsys, tmp_path):
    touch(tmp_path / "emodb", "wav/03a01Fa.wav", "wav/16b10Wb.wav", "wav/16b10Wa.wav", "x.txt")
    touch(tmp_path / "mine", "sad/one.wav")
    assert main(["corpora", "EmoDB", "folder:mine", "--corpora", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"EmoDB: 3 utterances, 2 speakers, {tmp_path / 'emodb'}",
        "  angry 2, happy 1",
        "  skipped: 1 not a sound file",
        f"folder:mine: 1 utterances, speakers unknown, {tmp_path / 'mine'}",
        "  sad 1",
    ]


def test_corpora_are_timed_on_request(capsys, tone_corpora):
    arguments = ["corpora", "TESS", "--corpora", str(tone_corpora), "--format", "jsonl"]
    assert main([*arguments, "--hours"]) == 0
    timed = json.loads(capsys.readouterr().out)
    assert timed["utterances"] == 70
    assert timed["speakers"] == 2
    assert timed["hours"] == pytest.approx(70 * 0.7 / 3600, abs=1e-4)
    assert timed["address"].startswith("https://doi.org/")
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["hours"] is None


def test_corpora_that_were_not_asked_for_may_be_missing(capsys, tone_corpora):
    assert main(["corpora", "--corpora", str(tone_corpora), "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["corpus"] for row in rows if row["utterances"]] == ["TESS", "RAVDESS"]
    assert all(row["address"] in row["missing"] for row in rows if not row["utterances"])
    assert len(rows) == 9


def test_corpora_asked_for_and_missing(capsys, tmp_path):
    touch(tmp_path / "SAVEE", "one.wav", "two.wav")
    assert main(["corpora", "SAVEE", "CREMA-D", "--corpora", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "SAVEE: no SAVEE recordings; get them from http" in out
    assert "skipped: 2 name not understood" in out
    assert err == "ser-train: no recordings of SAVEE, CREMA-D; see above where to get them\n"


def test_corpora_with_a_damaged_recording(capsys, tmp_path):
    touch(tmp_path / "EmoDB", "03a01Fa.wav")
    said = one_line(capsys, "corpora", "EmoDB", "--hours", "--corpora", tmp_path)
    assert "03a01Fa.wav: is no sound file" in said
    assert "unknown corpus 'nothing'" in one_line(
        capsys, "corpora", "nothing", "--corpora", tmp_path
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["corpora", "--format", "xml"],
        ["fit"],
        ["evaluate", "edge"],
        ["fit", "edge", "--seed", "-1"],
        ["fit", "edge", "--seed", "4294967296"],
        ["fit", "edge", "--seed", "one"],
        ["fit", "edge", "--speed", "3"],
    ],
)
def test_wrong_usage(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: ser-train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--seed", "one"), "argument --seed: must be a whole number, 0 to 4294967295"),
        (("--seed", "4294967296"), "argument --seed: must be 0 to 4294967295"),
        (("--seeds", "2.5"), "argument --seeds: must be a whole number, 1 or more"),
        (("--seeds", "0"), "argument --seeds: must be 1 or more"),
    ],
    ids=" ".join,
)
def test_wrong_number_is_named(capsys, option, said):
    with pytest.raises(SystemExit):
        main(["evaluate", "edge", "--protocol", "tess-loso", *option])
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: {said}")


def test_seeds_beyond_the_last_are_refused_before_the_first(capsys, tmp_path, recipe_file):
    words = ("evaluate", recipe_file, "--protocol", "tess-loso", "--corpora", tmp_path)
    said = one_line(capsys, *words, "--seed", 4294967295, "--seeds", 2)
    assert "--seeds: the last would be 4294967296, above 4294967295" in said
    assert "no TESS recordings" in one_line(capsys, *words, "--seed", 4294967294, "--seeds", 2)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("tess-loso", None, None), "tess-loso"),
        (("speaker", ["TESS"], None), "speaker-TESS"),
        (("speaker", ["TESS"], None, 10), "speaker-TESS-10folds"),
        (
            ("cross-corpus", ["TESS"], ["folder:my/own"], None, ["sad", "happy"]),
            "cross-corpus-TESS-on-folder-my-own-labels-sad-happy",
        ),
    ],
)
def test_folder_of_a_protocol_tells_what_was_asked_for(arguments, name):
    assert name_of(*arguments) == name


def test_without_the_training_packages(tmp_path, recipe_file, tone_corpora):
    """As on a device that has the base install only."""
    code = f"import sys; sys.modules['keras'] = None; {SER_TRAIN}"
    result = ser_train("fit", recipe_file, "--corpora", tone_corpora, cwd=tmp_path, code=code)
    assert result.returncode == 1
    assert result.stderr == "ser-train: keras is not installed: pip install 'ser-edge[train]'\n"
