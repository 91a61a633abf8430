"""Searching: what may vary, what is written, what it goes on from, and what it never reads."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import SerEdgeError
from train.cache import FeatureCache
from train.evaluate import Place, fit_recipe, own_split
from train.fit import fit
from train.recipe import Recipe, Training, load_recipe
from train.search import Best, search

from .tones import RECIPE, write_ravdess, write_tess

ROOT = Path(__file__).parents[2]
SER_TRAIN = "import sys; from train.cli import main; sys.exit(main())"
SPACE = {
    "training.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.4, "step": 0.1},
    "training.batch_size": {"low": 4, "high": 16},
    "model.kernels": {"choices": [[3], [5], [3, 3]]},
}
FILES = ["best.toml", "search.png", "trials.csv", "trials.journal"]


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    training = Training(steps=30, batch_size=16, learning_rate=1e-3, validation_interval=15)
    return replace(tiny_recipe, training=training, search=SPACE)


@pytest.fixture(scope="module")
def found(
    recipe: Recipe, place: Place, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Best]:
    """The folder of a finished search, and what came of it."""
    folder = tmp_path_factory.mktemp("search") / "tiny"
    return folder, search(recipe, place, 3, 4, folder)


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
    assert [row["number"] for row in rows] == ["1", "2", "3", "4"]
    assert {row["state"] for row in rows} == {"complete"}
    assert best.trials == 4
    assert best.uar == max(float(row["uar"]) for row in rows)
    assert (folder / "search.png").read_bytes().startswith(b"\x89PNG")


def test_values_lie_in_the_space_and_the_first_are_the_recipes_own(found):
    rows = table(found[0])
    own = [rows[0][key] for key in SPACE]
    assert own == ["0.001", "0.0", "16", "[3]"]
    for row in rows:
        assert 1e-3 <= float(row["training.learning_rate"]) <= 1e-1
        assert 4 <= int(row["training.batch_size"]) <= 16
        assert float(row["model.dropout"]) in (0.0, 0.1, 0.2, pytest.approx(0.3), 0.4)
        assert row["model.kernels"] in ("[3]", "[5]", "[3, 3]")
    assert len({row["training.learning_rate"] for row in rows}) == 4


def test_best_recipe_is_the_recipe_with_the_best_values(found, recipe, place):
    """Trained on the same split with the same seed, it does as well again."""
    folder, best = found
    assert best.uar > max(float(table(folder)[0]["uar"]), 1 / 7)
    (row,) = [row for row in table(folder) if float(row["uar"]) == best.uar][:1]
    kernels = tuple(map(int, row["model.kernels"].strip("[]").split(",")))
    expected = replace(
        recipe,
        search={},
        training=replace(
            recipe.training,
            learning_rate=float(row["training.learning_rate"]),
            batch_size=int(row["training.batch_size"]),
        ),
        model={**recipe.model, "dropout": float(row["model.dropout"]), "kernels": kernels},
    )
    loaded = load_recipe(str(best.path))
    assert loaded == expected
    on_split, split, _ = own_split(loaded, place, 3)
    history = fit(on_split, split, place.cache, 3).history
    assert max(look["validation_uar"] for look in history) == pytest.approx(best.uar, abs=1e-6)


def test_seed_fixes_the_search_in_however_many_calls(found, recipe, place, tmp_path, capfd):
    once = table(found[0])
    search(recipe, place, 3, 1, tmp_path)
    again = search(recipe, place, 3, 2, tmp_path)
    assert again.trials == 2
    errors = capfd.readouterr().err.splitlines()
    assert [line[:14] for line in errors if line.startswith("trial ")] == [
        "trial 1 of 1: ",
        "trial 2 of 2: ",
    ]
    for row, expected in zip(table(tmp_path), once):
        assert {key: row[key] for key in SPACE} == {key: expected[key] for key in SPACE}
        assert float(row["uar"]) == pytest.approx(float(expected["uar"]), abs=1e-6)
    assert table(tmp_path)[0] != table(tmp_path)[1]


def test_search_that_is_done_trains_nothing_more(found, recipe, place, capfd):
    folder, best = found
    journal = (folder / "trials.journal").read_bytes()
    (folder / "trials.csv").unlink()
    assert search(recipe, place, 3, 4, folder) == best
    assert len(table(folder)) == 4
    assert "trial 4" not in capfd.readouterr().err
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
    with pytest.raises(SerEdgeError, match=r"\.wav"):
        fit_recipe(recipe, place, 0, tmp_path / "run")


def test_killed_search_goes_on_with_the_trial_under_way(tmp_path):
    """Its values were drawn before and are not drawn again."""
    write_tess(tmp_path / "TESS", words=("back", "bar"))
    write_ravdess(tmp_path / "RAVDESS", range(1, 5))
    text = RECIPE.replace("steps = 20", "steps = 200") + (
        '[search]\n"training.learning_rate" = {low = 1e-3, high = 2e-2}\n'
    )
    (tmp_path / "tiny.toml").write_text(text, encoding="utf-8")
    folder = tmp_path / "runs" / "tiny-search-seed0"
    with start(tmp_path, "--trials", "3") as process:
        assert process.stdout is not None
        seen = ""
        for line in process.stdout:
            seen += line
            if "trial 1 of 3" in seen and line.startswith("round 2 of 20"):
                break
        process.kill()
    assert "trial 2 of 3" not in seen
    (before,) = table(folder)
    journal = (folder / "trials.journal").read_text(encoding="utf-8")
    with start(tmp_path, "--trials", "2") as process:
        output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "1 trials are done" in output
    assert "trial 1 of 2" not in output
    assert "trial 2 of 2" in output
    rows = table(folder)
    assert rows[0] == before
    assert [row["number"] for row in rows] == ["1", "2"]
    assert rows[1]["training.learning_rate"] in journal
    assert rows[1]["training.learning_rate"] != before["training.learning_rate"]
    assert f"{folder / 'best.toml'}: validation UAR" in output
    assert sorted(path.name for path in folder.iterdir()) == FILES


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    """``ser-train search``, its output and errors in one."""
    arguments = ["search", str(folder / "tiny.toml"), "--corpora", str(folder), "--jobs", "1"]
    places = ["--out", str(folder / "runs"), "--cache", str(folder / "cache")]
    return subprocess.Popen(
        [sys.executable, "-c", SER_TRAIN, *arguments, *places, *options],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


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
        replace(recipe, training=Training(steps=4, batch_size=8, validation_interval=2)),
        features__n_mfcc={"choices": [20, 25]},
        training__learning_rate={"choices": [1e-2, 1e30]},
    )
    best = search(space, place, 1, 6, tmp_path)
    rows = table(tmp_path)
    assert best.trials == 6
    for row in rows:
        sound = row["features.n_mfcc"] == "20" and row["training.learning_rate"] == "0.01"
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
        search(recipe, place, 4, 5, folder)
    with pytest.raises(SerEdgeError, match="holds a search of another version of the recipe"):
        search(replace(recipe, hop_seconds=0.3), place, 3, 5, folder)


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


@pytest.mark.parametrize("part", ["train", "validation"])
def test_empty_part_is_refused_before_training(recipe, place, tmp_path, part):
    speakers = ("RAVDESS-01", "RAVDESS-02", "RAVDESS-04", "TESS-OAF") if part == "train" else ()
    other = replace(recipe, validation_speakers=speakers)
    with pytest.raises(SerEdgeError, match=f"its {part} part holds no utterance"):
        search(other, place, 0, 1, tmp_path / "search")
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_named(recipe, place, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SerEdgeError, match="cannot be written"):
        search(recipe, place, 0, 1, tmp_path / "file" / "search")
