"""Searching: what may vary, what is written, what it goes on from, and what it never reads."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_runtime.errors import SerEdgeError
from train.cache import FeatureCache
from train.cli import main
from train.dataset import load_clips
from train.evaluate import Place, own_split
from train.recipe import Recipe, Training, load_recipe
from train.search import Best, search

from .tones import RECIPE, write_ravdess, write_tess

ROOT = Path(__file__).parents[2]
SER_TRAIN = "import sys; from train.cli import main; sys.exit(main())"
SPACE = {
    "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.4, "step": 0.1},
    "training.batch_size": {"low": 4, "high": 16},
    "model.kernels": {"choices": [[], [3], [5]]},
}
SEED = 5
FILES = ["best.toml", "search.png", "trials.csv", "trials.journal"]


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    """Without the blocks of the tiny one: most of the time goes into building the network."""
    training = Training(steps=20, batch_size=16, learning_rate=1e-4, validation_interval=10)
    model = {**tiny_recipe.model, "kernels": ()}
    return replace(tiny_recipe, model=model, training=training, search=SPACE)


@pytest.fixture(scope="module")
def found(
    recipe: Recipe, place: Place, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Best]:
    """The folder of a finished search, and what came of it."""
    folder = tmp_path_factory.mktemp("search") / "tiny"
    return folder, search(recipe, place, SEED, 3, folder)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def only(recipe: Recipe, **space: Any) -> Recipe:
    """The recipe with another space; ``__`` stands for the dot."""
    return replace(recipe, search={key.replace("__", "."): spec for key, spec in space.items()})


def test_search_leaves_the_best_recipe_a_table_and_a_picture(found):
    folder, best = found
    assert sorted(path.name for path in folder.iterdir()) == FILES
    rows = table(folder)
    assert list(rows[0]) == ["number", *SPACE, "uar", "state"]
    assert [row["number"] for row in rows] == ["1", "2", "3"]
    assert {row["state"] for row in rows} == {"complete"}
    assert best.trials == 3
    assert best.uar == max(float(row["uar"]) for row in rows)
    assert (folder / "search.png").read_bytes().startswith(b"\x89PNG")


def test_values_lie_in_the_space_and_the_first_are_the_recipes_own(found):
    rows = table(found[0])
    own = [rows[0][key] for key in SPACE]
    assert own == ["0.0001", "0.0", "16", "[]"]
    for row in rows:
        assert 1e-4 <= float(row["training.learning_rate"]) <= 1e-1
        assert 4 <= int(row["training.batch_size"]) <= 16
        assert float(row["model.dropout"]) in (0.0, 0.1, 0.2, pytest.approx(0.3), 0.4)
        assert row["model.kernels"] in ("[]", "[3]", "[5]")
    assert len({row["training.learning_rate"] for row in rows}) == 3


def test_best_recipe_is_the_recipe_with_the_best_values(found, recipe):
    folder, best = found
    assert best.uar > max(float(table(folder)[0]["uar"]), 1 / 7)
    (row,) = [row for row in table(folder) if float(row["uar"]) == best.uar][:1]
    kernels = tuple(json.loads(row["model.kernels"]))
    expected = replace(
        recipe,
        name="tiny-searched",
        search={},
        training=replace(
            recipe.training,
            learning_rate=float(row["training.learning_rate"]),
            batch_size=int(row["training.batch_size"]),
        ),
        model={**recipe.model, "dropout": float(row["model.dropout"]), "kernels": kernels},
    )
    assert load_recipe(str(best.path)) == expected


def test_seed_fixes_the_values_in_however_many_calls(recipe, place, tmp_path, monkeypatch, capfd):
    """Of twelve trials the last two follow from those before; nothing is trained here."""

    def fit(recipe: Recipe, *_: object) -> SimpleNamespace:
        return SimpleNamespace(history=[{"validation_uar": 1 / recipe.training.batch_size}])

    monkeypatch.setattr("train.search.run.fit", fit)
    monkeypatch.setattr("train.search.outputs.picture_of", lambda *_: b"")
    monkeypatch.setattr("keras.utils.clear_session", lambda: None)  # slow
    search(recipe, place, SEED, 12, tmp_path / "once")
    search(recipe, place, SEED, 3, tmp_path / "often")
    capfd.readouterr()
    assert search(recipe, place, SEED, 4, tmp_path / "often").trials == 4
    errors = capfd.readouterr().err.splitlines()
    assert [line[:14] for line in errors if line.startswith("trial ")] == ["trial 4 of 4: "]
    search(recipe, place, SEED, 12, tmp_path / "often")
    rows = table(tmp_path / "once")
    assert table(tmp_path / "often") == rows
    assert len({row["training.learning_rate"] for row in rows}) == 12
    search(recipe, place, SEED + 1, 2, tmp_path / "other")
    first, second = table(tmp_path / "other")
    assert first == rows[0]
    assert second != rows[1]


@pytest.mark.parametrize(("restore_best", "uar"), [(True, 0.9), (False, 0.4)])
def test_a_trial_is_judged_by_the_weights_that_it_keeps(
    recipe, place, tmp_path, monkeypatch, restore_best, uar
):
    """What training gave is made up here: it did better in the middle than at its end."""
    history = [{"validation_uar": value} for value in (0.2, 0.9, 0.4)]
    monkeypatch.setattr("train.search.run.fit", lambda *_: SimpleNamespace(history=history))
    monkeypatch.setattr("keras.utils.clear_session", lambda: None)  # slow
    kept = replace(recipe, training=replace(recipe.training, restore_best=restore_best))
    assert search(kept, place, SEED, 1, tmp_path).uar == uar


def test_search_that_is_done_trains_nothing_more(found, recipe, place, capfd):
    folder, best = found
    journal = (folder / "trials.journal").read_bytes()
    (folder / "trials.csv").unlink()
    assert search(recipe, place, SEED, 3, folder) == best
    assert len(table(folder)) == 3
    assert "trial 3" not in capfd.readouterr().err
    assert (folder / "trials.journal").read_bytes().startswith(journal)


def test_test_part_is_never_read(recipe, tmp_path):
    write_tess(tmp_path / "TESS", words=("back", "bar"))
    write_ravdess(tmp_path / "RAVDESS", range(1, 5))
    tested = [*tmp_path.glob("TESS/YAF_*/*.wav"), *tmp_path.glob("RAVDESS/Actor_03/*.wav")]
    assert len(tested) == 14 + 8
    for path in tested:
        path.write_bytes(b"no sound")
    place = Place(tmp_path, FeatureCache(tmp_path / "cache"))
    space = only(recipe, training__batch_size={"choices": [4, 8]})
    assert search(space, place, 0, 1, tmp_path / "search").trials == 1
    on_split, split, _ = own_split(recipe, place, 0)
    assert {u.path for u in split.test} == set(tested)
    with pytest.raises(SerEdgeError, match=r"\.wav"):
        load_clips(split.test, split.labels, on_split, place.cache)


@dataclass(frozen=True)
class Killed:
    """A search by the command, killed during its second trial and ended by another call."""

    folder: Path
    seen: str
    before: list[dict[str, str]]
    journal: str
    output: str


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with corpora and a recipe to search with."""
    home = tmp_path_factory.mktemp("home")
    write_tess(home / "TESS", words=("back", "bar"))
    write_ravdess(home / "RAVDESS", range(1, 5))
    text = RECIPE.replace("kernels = [3]", "kernels = []").replace("steps = 20", "steps = 32")
    text = text.replace("validation_interval = 10", "validation_interval = 4")
    text += '[search]\n"training.learning_rate" = {low = 1e-3, high = 2e-2}\n'
    (home / "tiny.toml").write_text(text, encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def killed(home: Path) -> Killed:
    folder = home / "runs" / "tiny-search-seed0"
    with start(*arguments_at(home, "search", home / "tiny.toml", "--trials", 3)) as process:
        assert process.stdout is not None
        seen = ""
        for line in process.stdout:
            seen += line
            if "trial 1 of 3" in seen and line.startswith("round 2 of 8"):
                break
        process.kill()
    before = table(folder)
    journal = (folder / "trials.journal").read_text(encoding="utf-8")
    output = ser_train(*arguments_at(home, "search", home / "tiny.toml", "--trials", 2))
    return Killed(folder, seen, before, journal, output)


def arguments_at(home: Path, command: str, recipe: Path, *options: object) -> list[str]:
    places = ["--corpora", home, "--out", home / "runs", "--cache", home / "cache", "--jobs", 1]
    return [str(argument) for argument in (command, recipe, *places, *options)]


def start(*arguments: str) -> subprocess.Popen[str]:
    """``ser-train`` as a process of its own, its output and errors in one."""
    return subprocess.Popen(
        [sys.executable, "-c", SER_TRAIN, *arguments],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ser_train(*arguments: str) -> str:
    """Run the command in this process, which has imported all that it needs; what it says."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        status = main(list(arguments))
    assert status == 0, output.getvalue()
    return output.getvalue()


def test_killed_search_goes_on_with_the_trial_under_way(killed):
    """Its values were drawn before and are not drawn again."""
    assert "trial 1 of 3" in killed.seen
    assert "trial 2 of 3" not in killed.seen
    assert "1 trials are done" in killed.output
    assert "trial 1 of 2" not in killed.output
    assert "trial 2 of 2" in killed.output
    rows = table(killed.folder)
    assert rows[:1] == killed.before
    assert [row["number"] for row in rows] == ["1", "2"]
    assert rows[1]["training.learning_rate"] in killed.journal
    assert rows[1]["training.learning_rate"] != rows[0]["training.learning_rate"]
    assert sorted(path.name for path in killed.folder.iterdir()) == FILES


def test_command_that_is_said_trains_the_best_recipe(home, killed):
    """On the same split with the same seed it does as well again, in a folder of its own."""
    said, command = killed.output.splitlines()[-2:]
    assert said.startswith(f"{killed.folder / 'best.toml'}: validation UAR ")
    assert command == f"  ser-train fit {killed.folder / 'best.toml'}"
    output = ser_train(*arguments_at(home, "fit", killed.folder / "best.toml"))
    run = home / "runs" / "tiny-searched-seed0"
    assert f"see {run / 'report.html'}" in output
    stored = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert stored["recipe"]["name"] == "tiny-searched"
    best = max(float(row["uar"]) for row in table(killed.folder))
    reached = max(look["validation_uar"] for look in stored["history"])
    assert reached == pytest.approx(best, abs=1e-6)


def test_line_torn_by_a_crash_costs_nothing_else(recipe, place, tmp_path):
    space = only(recipe, features__n_mfcc={"low": 25, "high": 30})
    for trials in (1, 2, 3):
        with pytest.raises(SerEdgeError, match=f"all {trials} trials failed"):
            search(space, place, 0, trials, tmp_path)
        with (tmp_path / "trials.journal").open("ab") as file:
            file.write(b'{"op_code": 4, "wor')
    assert len(table(tmp_path)) == 3


def test_damaged_journal_is_named(recipe, place, tmp_path):
    (tmp_path / "trials.journal").write_bytes(b"no journal\nat all\n")
    with pytest.raises(SerEdgeError, match=r"trials\.journal: is damaged .*; delete it"):
        search(recipe, place, 0, 1, tmp_path)


def test_trials_without_sense_fail_and_the_others_count(recipe, place, tmp_path, capfd):
    """More MFCC than bands; a rate at which training diverges."""
    space = only(
        replace(recipe, training=Training(steps=2, batch_size=8, validation_interval=1)),
        features__n_mfcc={"choices": [20, 25]},
        training__learning_rate={"choices": [2e-3, 1e30]},
    )
    best = search(space, place, 2, 3, tmp_path)
    rows = table(tmp_path)
    assert best.trials == 3
    for row in rows:
        sound = row["features.n_mfcc"] == "20" and row["training.learning_rate"] == "0.002"
        assert row["state"] == ("complete" if sound else "failed")
        assert bool(row["uar"]) == sound
    errors = capfd.readouterr().err
    assert {row["features.n_mfcc"] for row in rows} == {"20", "25"}
    assert "failed (feature configuration: n_mfcc must be" in errors
    assert re.search(r"rate 1e\+30: failed \(.+\); best 0\.", errors)
    assert load_recipe(str(best.path)).features.n_mfcc == 20


def test_all_trials_failing_is_a_failure(recipe, place, tmp_path):
    space = only(recipe, features__n_mfcc={"low": 25, "high": 30})
    for _ in range(2):
        with pytest.raises(SerEdgeError, match=r"all 2 trials failed, the last with: .*n_mfcc"):
            search(space, place, 0, 2, tmp_path)
    assert [row["state"] for row in table(tmp_path)] == ["failed", "failed"]
    assert not (tmp_path / "best.toml").exists()


def test_search_of_another_recipe_or_seed_is_not_gone_on_with(found, recipe, place):
    folder, _ = found
    with pytest.raises(SerEdgeError, match="holds a search of another version of the recipe"):
        search(recipe, place, SEED + 1, 5, folder)
    with pytest.raises(SerEdgeError, match="holds a search of another version of the recipe"):
        search(replace(recipe, hop_seconds=0.3), place, SEED, 5, folder)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, r'nothing to search; give it a table \[search\] .*"training\.learning_rate" ='),
        ({"training.rate": {"low": 1, "high": 2}}, r'"training\.rate" cannot vary; .*"training\.s'),
        ({"training": {"steps": {"low": 1, "high": 2}}}, r'"training" cannot vary; .*training\.st'),
        ({"nonsense": {"low": 1, "high": 2}}, r'"nonsense" cannot vary; .*"window_frames"'),
        ({"test_share": {"low": 0.1, "high": 0.2}}, r'"test_share" cannot vary'),
        ({"model.units": {"low": 1, "high": 2}}, r'"model\.units" cannot .*"model\.kernels"'),
        ({"model.dropout": 0.3}, r"model\.dropout must be {low = 0\.1"),
        ({"model.dropout": {"low": 0.3}}, r"model\.dropout must be {low = 0\.1"),
        ({"model.dropout": {"low": 0, "high": 1, "lin": True}}, r"must be {low = 0\.1"),
        ({"model.dropout": {"choices": [0.1, 0.2], "log": True}}, r"must be {low = 0\.1"),
        ({"model.dropout": {"low": 0.3, "high": 0.3}}, "low below high"),
        ({"model.dropout": {"low": "0", "high": 0.3}}, "must be numbers"),
        ({"model.dropout": {"low": 0.0, "high": float("inf")}}, "must be numbers"),
        ({"model.dropout": {"low": 0.0, "high": 0.3, "log": True}}, "needs a low above 0"),
        ({"model.dropout": {"low": 0.1, "high": 0.3, "log": 1}}, "log must be true or false"),
        (
            {"model.dropout": {"low": 0.1, "high": 0.3, "log": True, "step": 0.1}},
            "takes no step",
        ),
        ({"model.dropout": {"low": 0.1, "high": 0.3, "step": 0.5}}, "step must be above 0"),
        ({"model.dropout": {"low": 0.1, "high": 0.3, "step": 0}}, "step must be above 0"),
        ({"model.dropout": {"choices": [0.1]}}, "a list of two or more values"),
        ({"model.dropout": {"choices": "0.1"}}, "a list of two or more values"),
        ({"training.steps": {"low": 1.0, "high": 2.0}}, "takes whole numbers"),
        ({"training.steps": {"low": 1, "high": 5, "step": 0.5}}, "takes whole numbers"),
        ({"model.kernels": {"low": 3, "high": 5}}, r"no single number; give it choices"),
        ({"normalise": {"low": 0, "high": 1}}, r"no single number; give it choices"),
    ],
)
def test_wrong_table_is_refused_before_anything_is_read(recipe, tmp_path, space, message):
    place = Place(tmp_path / "nowhere", FeatureCache(tmp_path / "cache"))
    with pytest.raises(SerEdgeError, match=message) as caught:
        search(replace(recipe, search=space), place, 0, 1, tmp_path / "search")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("speakers", "message"),
    [
        ((), "its validation part holds no utterance"),
        (("RAVDESS-01", "RAVDESS-02", "RAVDESS-04", "TESS-OAF"), "too few utterances to train on"),
    ],
    ids=["validation", "train"],
)
def test_empty_part_is_refused_before_training(recipe, place, tmp_path, speakers, message):
    other = replace(recipe, validation_speakers=speakers)
    with pytest.raises(SerEdgeError, match=message):
        search(other, place, 0, 1, tmp_path / "search")
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_named(recipe, place, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SerEdgeError, match="cannot be written"):
        search(recipe, place, 0, 1, tmp_path / "file" / "search")
