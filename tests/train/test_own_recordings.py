"""From a folder of one's own recordings to a report and a model, as a newcomer types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .tones import RECIPE, tone, write_wav

ROOT = Path(__file__).parents[2]
SER_TRAIN = "import sys; from train.cli import main; sys.exit(main())"
LABELS = ("neutral", "happy", "sad", "angry")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings in four sub-folders, and a quick recipe; no corpora anywhere."""
    home = tmp_path_factory.mktemp("home")
    for emotion, label in enumerate(LABELS):
        for number in range(12):
            write_wav(home / "mine" / label / f"{number}.wav", tone(emotion, number))
    for speaker in ("anna", "ben", "carl", "dora"):
        for emotion, label in enumerate(LABELS):
            for number in range(3):
                sound = tone(emotion, 10 * number + len(speaker))
                write_wav(home / "voices" / label / speaker / f"{number}.wav", sound)
    quick = RECIPE.replace("steps = 20", "steps = 120")
    quick = quick.replace("learning_rate = 1e-2", "learning_rate = 2e-2")
    (home / "quick.toml").write_text(quick, encoding="utf-8")
    return home


def ser_train(home: Path, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "SER_EDGE_CORPORA"}
    result = subprocess.run(
        [sys.executable, "-c", SER_TRAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**environment, "PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == status, result.stderr
    return result


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    """The run of the second command."""
    result = ser_train(home, "fit", "quick.toml", "--data", "folder:mine")
    assert "speakers unknown" in result.stderr
    assert "see runs/tiny-mine-seed0/report.html" in result.stdout
    return home / "runs" / "tiny-mine-seed0"


def test_first_command_explores(home):
    result = ser_train(home, "explore", "folder:mine")
    assert result.stdout.startswith("48 utterances; see runs/explore/")
    page = (home / "runs" / "explore" / "explore.html").read_text(encoding="utf-8")
    assert all(label in page for label in LABELS)
    told = ser_train(home, "explore", "folder:mine", "--format", "jsonl")
    (line,) = told.stdout.splitlines()
    assert json.loads(line)["report"] == "runs/explore/explore.html"


def test_second_command_trains_and_reports(run):
    stored = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert stored["labels"] == list(LABELS)
    assert stored["figures"]["uar"] > 0.6  # chance is 0.25
    assert "speakers unknown" in " ".join(stored["warnings"])
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "speakers unknown" in page
    assert stored["commit"] in page
    assert (run / "model.keras").is_file()


def test_third_command_predicts(home, run):
    path = write_wav(home / "new.wav", tone(3, 999))
    write_wav(home / "other.wav", tone(0, 999))
    result = ser_train(home, "predict", "new.wav", "other.wav", "--format", "jsonl")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["file"] for answer in answers] == ["new.wav", "other.wav"]
    for answer in answers:
        assert tuple(answer["scores"]) == LABELS
        assert sum(answer["scores"].values()) == pytest.approx(1.0, abs=1e-4)
    best = [max(answer["scores"], key=answer["scores"].get) for answer in answers]
    assert best == ["angry", "neutral"]
    text = ser_train(home, "predict", path, "--run", run).stdout
    assert text.startswith(f"{path}: angry 0.")


def test_prediction_is_that_of_the_figures(home, run):
    stored = json.loads((run / "run.json").read_text(encoding="utf-8"))
    prediction = stored["predictions"][0]
    path = home / "mine" / f"{prediction['name']}.wav"
    result = ser_train(home, "predict", path, "--run", run, "--format", "jsonl")
    scores = list(json.loads(result.stdout)["scores"].values())
    assert scores == pytest.approx(prediction["scores"], abs=1e-4)


def test_predict_without_a_run_or_a_sound(home, run, tmp_path):
    said = ser_train(tmp_path, "predict", "x.wav", status=1).stderr
    assert said == "ser-train: runs: holds no run; train one with ser-train fit, or give --run\n"
    said = ser_train(home, "predict", "nothing.wav", "--run", run, status=1).stderr
    assert said.count("\n") == 1
    assert "nothing.wav" in said
    said = ser_train(home, "predict", "x.wav", "--run", "mine", status=1).stderr
    assert "holds no complete run" in said


def test_known_speakers_are_kept_apart(home):
    result = ser_train(home, "fit", "quick.toml", "--data", "folder:voices", "--seed", "1")
    stored = json.loads((home / "runs" / "tiny-voices-seed1" / "run.json").read_text())
    parts = [set(stored["speakers"][part]) for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 4
    assert "warning" not in result.stderr


def test_own_recordings_by_a_general_protocol(home):
    arguments = ("evaluate", "quick.toml", "--protocol", "random", "--data", "folder:mine")
    result = ser_train(home, *arguments, "--seeds", 2)
    last = result.stdout.splitlines()[-1]
    assert last.startswith("random, 2 seeds: UAR ")
    assert " ± " in last
    folders = sorted(p.name for p in (home / "runs" / "random-folder-mine").iterdir())
    assert folders == ["tiny-seed0", "tiny-seed1"]
    again = ser_train(home, *arguments, "--seeds", 2)
    assert again.stdout.splitlines()[-1] == last


def test_starting_from_another_run(home, run):
    arguments = ("fit", "quick.toml", "--data", "folder:voices", "--start", run)
    result = ser_train(home, *arguments, "--freeze", "body")
    assert "see runs/tiny-voices-tuned-seed0/report.html" in result.stdout
    stored = json.loads((home / "runs" / "tiny-voices-tuned-seed0" / "run.json").read_text())
    assert stored["recipe"]["transfer"] == {"start": str(run), "freeze": "body"}


def test_report_is_drawn_again(home, run):
    (run / "report.html").unlink()
    assert ser_train(home, "report", run).stdout == f"{run / 'report.html'}\n"
    assert (run / "report.html").is_file()
    over_all = ser_train(home, "report", "runs/random-folder-mine").stdout.strip()
    assert (home / over_all).is_file()
    here = home / "runs" / "random-folder-mine"
    assert ser_train(here, "report", ".").stdout == "report.html\n"
    assert "random-folder-mine" in (here / "report.html").read_text(encoding="utf-8")


def test_folder_that_one_stands_in_has_a_name(home):
    result = ser_train(home / "mine", "fit", "../quick.toml", "--data", "folder:.")
    assert "see runs/tiny-mine-seed0/report.html" in result.stdout


def test_other_number_of_folds_is_another_run(home):
    """The first lends its splits' names to the second."""
    words = ("evaluate", "quick.toml", "--protocol", "speaker", "--data", "folder:voices")
    for folds in (2, 3):
        ser_train(home, *words, "--folds", folds)
    for folds in (2, 3):
        run = home / "runs" / f"speaker-folder-voices-{folds}folds" / "tiny-seed0"
        assert len(list(run.glob("fold*/run.json"))) == folds


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fit", "edge", "--freeze", "body"), "--freeze: needs --start RUN"),
        (("fit", "edge", "--labels", "sad", "happy"), "--labels: needs --data NAME"),
        (("fit", "edge", "--data", "folder:nowhere"), "nowhere: no recordings"),
        (
            ("evaluate", "edge", "--protocol", "speaker", "--data", "folder:mine"),
            "speaker",
        ),
        (("explore", "folder:nowhere"), "nowhere: no recordings"),
        (("report", "nowhere"), "nowhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_what_cannot_be_done_is_one_line(home, arguments, said):
    error = ser_train(home, *arguments, status=1).stderr
    assert error.startswith("ser-train: ")
    assert said in error
    assert error.count("\n") == 1
