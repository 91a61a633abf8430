"""``ser-bench collect`` keeps enough of a run to compute any figure again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.collect import collect
from edge_runtime.errors import SerEdgeError
from train.figures import figures_by_corpus

from ..train.tones import RECIPE, write_tess
from .test_tables import RESULTS, ser_bench, stored_part

STORED = sorted((RESULTS / "systems").glob("*/*.json"))
NAME = Path("systems") / "tess-random" / "tiny-seed0-random.json"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``ser-train evaluate`` leaves of a tiny recipe on tones."""
    from train.cli import main

    folder = tmp_path_factory.mktemp("evaluated")
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    write_tess(folder / "corpora" / "TESS")
    places = [f"--{name}={folder / name}" for name in ("corpora", "cache")]
    done = main(
        ["evaluate", str(recipe), "--protocol=tess-random", f"--out={folder / 'runs'}", *places]
    )
    assert done == 0
    return folder / "runs"


@pytest.fixture
def runs(evaluated: Path, tmp_path: Path) -> Path:
    """The runs' records, to be changed."""
    records = shutil.ignore_patterns("*.keras", "*.png", "*.html", "*.npz")
    return Path(shutil.copytree(evaluated, tmp_path / "runs", ignore=records))


def record(runs: Path) -> Path:
    return runs / "tess-random" / "tiny-seed0" / "random" / "run.json"


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def recomputed(stored: dict[str, Any]) -> dict[str, Any]:
    return figures_by_corpus(
        [name.split("/")[0] for name in stored["utterances"]],
        np.array(stored["targets"]),
        np.array(stored["scores"], dtype=np.float32),
        tuple(stored["labels"]),
    )


def test_what_is_stored_is_the_run(runs: Path, tmp_path: Path) -> None:
    result = ser_bench("collect", runs, "--results", tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{tmp_path / NAME}: added, ")
    assert "1 added, 0 replaced, 0 already stored, 0 kept, 0 not done" in result.stdout
    run = json.loads(record(runs).read_text())
    text = (tmp_path / NAME).read_text()
    stored = json.loads(text)
    for key in ("split", "seed", "labels", "versions", "commit", "parameters", "warnings"):
        assert stored[key] == run[key]
    assert stored["protocol"] == run["protocol"]
    assert stored["protocol_name"] == "tess-random"
    assert (stored["recipe"], stored["architecture"]) == ("tiny", "edge")
    assert stored["examples"] == "windows"
    assert stored["rounds"] == len(run["history"]) == 2
    assert stored["speakers"]["test"] == ["TESS-OAF", "TESS-YAF"]
    predictions = run["predictions"]
    assert stored["utterances"] == [f"{p['corpus']}/{p['name']}" for p in predictions]
    assert stored["targets"] == [p["target"] for p in predictions]
    scores = [p["scores"] for p in predictions]
    np.testing.assert_allclose(stored["scores"], scores, rtol=0, atol=0.5001e-4)
    assert len(text) < record(runs).stat().st_size


def test_every_figure_follows_from_what_is_stored(runs: Path, tmp_path: Path) -> None:
    collect(runs, tmp_path)
    stored = json.loads((tmp_path / NAME).read_text())
    assert recomputed(stored) == stored["figures"]
    figures = json.loads(record(runs).read_text())["figures"]
    assert stored["figures"]["utterances"] == figures["utterances"]
    assert stored["figures"]["ece"] == pytest.approx(figures["ece"], abs=1e-3)


def test_a_run_that_is_stored_is_left_alone(runs: Path, tmp_path: Path) -> None:
    collect(runs, tmp_path)
    before = (tmp_path / NAME).stat()
    again = collect(runs, tmp_path)
    assert (again.added, again.replaced, again.kept) == ([], [], [])
    assert again.unchanged == [tmp_path / NAME]
    after = (tmp_path / NAME).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_newer_run_replaces_what_is_stored(runs: Path, tmp_path: Path) -> None:
    collect(runs, tmp_path)
    change(record(runs), finished="2999-01-01T00:00:00+00:00", parameters=1)
    result = ser_bench("collect", runs, "--results", tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path / NAME}: replaced by a newer run\n" in result.stdout
    assert json.loads((tmp_path / NAME).read_text())["parameters"] == 1


@pytest.mark.parametrize("finished", [None, "2001-01-01T00:00:00+00:00"])
def test_another_run_that_is_no_newer_does_not(
    runs: Path, tmp_path: Path, finished: str | None
) -> None:
    collect(runs, tmp_path)
    before = (tmp_path / NAME).read_text()
    change(record(runs), parameters=1)
    if finished:
        change(record(runs), finished=finished)
    result = ser_bench("collect", runs, "--results", tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path / NAME}: kept; the run differs and is no newer\n" in result.stdout
    assert (tmp_path / NAME).read_text() == before


def test_runs_that_are_not_done_are_named_and_counted(runs: Path, tmp_path: Path) -> None:
    begun = runs / "tess-loso" / "tiny-seed0" / "test-OAF"
    begun.mkdir(parents=True)
    (begun / "checkpoint.npz").write_bytes(b"")
    result = ser_bench("collect", runs, "--results", tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"{begun}: left out; not done yet\n" in result.stdout
    assert "1 added, 0 replaced, 0 already stored, 0 kept, 1 not done" in result.stdout
    assert not (tmp_path / "systems" / "tess-loso").exists()


def test_a_run_of_no_protocol_is_no_business_of_it(runs: Path, tmp_path: Path) -> None:
    other = runs / "tiny-search-seed0" / "trials" / "3"
    other.mkdir(parents=True)
    shutil.copy(record(runs), other)
    collected = collect(runs, tmp_path)
    assert (len(collected.added), collected.incomplete) == (1, [])


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"predictions": []}'])
def test_a_damaged_run_gets_one_line(runs: Path, tmp_path: Path, damage: str) -> None:
    record(runs).write_text(damage)
    with pytest.raises(SerEdgeError, match=r"is damaged .* run ser-train evaluate again") as caught:
        collect(runs, tmp_path)
    assert str(caught.value).startswith(f"{record(runs)}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change_of", [{"predictions": []}, {"finished": "yesterday"}])
def test_a_run_with_a_value_of_no_sense_gets_one_line(
    runs: Path, tmp_path: Path, change_of: dict[str, Any]
) -> None:
    change(record(runs), **change_of)
    result = ser_bench("collect", runs, "--results", tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"ser-bench: {record(runs)}: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("damage", ["{", "[]", "{}"])
def test_a_damaged_result_gets_one_line(runs: Path, tmp_path: Path, damage: str) -> None:
    (tmp_path / NAME).parent.mkdir(parents=True)
    (tmp_path / NAME).write_text(damage)
    with pytest.raises(SerEdgeError, match=r"is damaged .* delete it and collect again"):
        collect(runs, tmp_path)
    assert (tmp_path / NAME).read_text() == damage


@pytest.mark.parametrize("name", ["", "no-such-folder"])
def test_a_folder_without_runs_gets_one_line(tmp_path: Path, name: str) -> None:
    result = ser_bench("collect", tmp_path / name, "--results", tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"ser-bench: {tmp_path / name}: holds no run of a protocol")
    assert result.stderr.count("\n") == 1


def test_the_figures_of_every_stored_run_follow_from_its_predictions() -> None:
    assert STORED
    for path in STORED:
        stored = json.loads(path.read_text())
        figures = stored["figures"]
        assert stored_part(recomputed(stored), figures) == figures, path


def test_every_stored_run_is_where_it_says() -> None:
    for path in STORED:
        stored = json.loads(path.read_text())
        name = f"{stored['recipe']}-seed{stored['seed']}-{stored['split']}.json"
        assert (path.parent.name, path.name) == (stored["protocol_name"], name)
        assert stored["protocol"].startswith(f"{stored['protocol_name']}: ")
