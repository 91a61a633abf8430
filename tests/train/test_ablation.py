"""Variants of a recipe: trained beside it, judged on validation, kept and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.ablation import load_ablation
from train.ablation_table import HEAD, rows
from train.cli import main
from train.splits import PROTOCOLS

from .tones import RECIPE

FILES = Path(__file__).parents[2] / "benchmarks" / "ablations"
SHORT = RECIPE.replace("steps = 20", "steps = 2").replace("batch_size = 16", "batch_size = 4")
VARIANTS = """
recipe = "{recipe}"
about = "On tones."
seeds = [0, 1]

[[on]]
protocol = "loso"
data = ["RAVDESS"]
splits = ["test-RAVDESS-03"]

[[steps]]
name = "wider / slower"
values = {{ "model.channels" = 16, "training.learning_rate" = 1e-3 }}
"""


def write(folder: Path, text: str = VARIANTS) -> Path:
    recipe = folder / "tiny.toml"
    recipe.write_text(SHORT, encoding="utf-8")
    path = folder / "variants.toml"
    path.write_text(text.format(recipe=recipe), encoding="utf-8")
    return path


def ablate(folder: Path, corpora: Path, *options: object) -> int:
    arguments = [folder / "variants.toml", "--corpora", corpora, "--out", folder / "runs"]
    arguments += ["--cache", folder / "cache", "--jobs", 1, *options]
    return main(["ablate", *map(str, arguments)])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tone_corpora: Path) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    write(folder)
    assert ablate(folder, tone_corpora, "--only", "as it is") == 0
    assert ablate(folder, tone_corpora, "--store", folder / "all.json") == 0
    return folder


def test_every_variant_is_trained_with_every_seed_and_judged_on_validation(done):
    results = json.loads((done / "all.json").read_text())["results"]
    assert [(r["step"], r["seed"]) for r in results] == [
        ("as it is", 0),
        ("as it is", 1),
        ("wider / slower", 0),
        ("wider / slower", 1),
    ]
    assert results[2]["changes"] == {"model.channels": 16, "training.learning_rate": 1e-3}
    assert results[2]["recipe"]["model"]["channels"] == 16
    assert results[2]["recipe"]["model"]["stem_channels"] == 8
    assert results[2]["parameters"] > results[0]["parameters"]
    for result in results:
        (judged,) = result["judged_speakers"]
        assert result["utterances"] == 16
        assert result["judge"] == "validation"
        assert judged.startswith("RAVDESS-")
        assert 0.0 <= result["uar"] <= 1.0
    assert not list(done.rglob("checkpoint*"))


def test_what_is_there_is_not_trained_again(done, tone_corpora, capfd):
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*seed*.json")}
    assert len(before) == 4
    assert ablate(done, tone_corpora) == 0
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*seed*.json")} == before
    said = capfd.readouterr()
    assert said.err.count("is there") == 4
    head, base, wider, *told = said.out.splitlines()
    assert head.split() == " ".join(HEAD).split()
    assert base.startswith("as it is")
    assert wider.startswith("wider / slower")
    assert told[-1] == "On tones."


def test_result_of_another_variant_of_the_same_name_is_refused(done, tone_corpora, tmp_path, capfd):
    write(tmp_path, VARIANTS.replace("16", "20"))
    (tmp_path / "runs").symlink_to(done / "runs")
    assert ablate(tmp_path, tone_corpora) == 1
    assert "is of another variant of this name" in capfd.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[[on]]", 'judge = "test"\n[[on]]', "was judged on validation, not on test; delete it"),
        ('data = ["RAVDESS"]', 'data = ["TESS", "RAVDESS"]', "was judged on other speakers ("),
    ],
    ids=["part", "speakers"],
)
def test_results_of_another_judgement_are_refused(
    done, tone_corpora, tmp_path, capfd, old, new, complaint
):
    write(tmp_path, VARIANTS.replace(old, new))
    (tmp_path / "runs").symlink_to(done / "runs")
    assert ablate(tmp_path, tone_corpora) == 1
    assert complaint in capfd.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("seeds =", "seed =", "unknown key 'seed'"),
        ("values =", "valves =", "steps: unknown key 'valves'"),
        ('"model.channels"', '"model.chanels"', "chanels"),
        ('splits = ["test-RAVDESS-03"]', 'splits = ["fold9"]', "on: unknown split 'fold9'"),
        ('"wider / slower"', '"as it is"', "steps: two have the name 'as it is'"),
        (
            "[[steps]]",
            '[[on]]\nprotocol = "loso"\ndata = ["RAVDESS"]\n[[steps]]',
            "on: two splits have the same name",
        ),
        ("[[on]]", "[[in]]", "unknown key 'in'"),
        ('about = "On tones."', 'judge = "train"', "judge must be validation or test"),
        ('"loso"', '"lose"', "--protocol: unknown 'lose'"),
        ("seeds = [0, 1]", "seeds = 0, 1", "not TOML"),
        ("seeds = [0, 1]", 'seeds = ["a"]', "ValueError"),
    ],
)
def test_a_wrong_file_is_one_line(tone_corpora, tmp_path, capfd, old, new, complaint):
    assert old in VARIANTS
    write(tmp_path, VARIANTS.replace(old, new))
    assert ablate(tmp_path, tone_corpora) == 1
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert complaint in said[0]


def test_unknown_variant_and_missing_file_are_one_line(tone_corpora, tmp_path, capfd):
    assert ablate(tmp_path, tone_corpora) == 1
    assert "cannot be read" in capfd.readouterr().err
    write(tmp_path)
    assert ablate(tmp_path, tone_corpora, "--only", "narrower") == 1
    assert capfd.readouterr().err == (
        "ser-train: --only: unknown 'narrower'; known are as it is, wider / slower\n"
    )


@pytest.mark.parametrize("path", sorted(FILES.glob("*.toml")), ids=lambda path: path.stem)
def test_files_that_come_with_the_project_say_what_they_vary(path):
    ablation = load_ablation(path)
    base, *steps = ablation.steps
    assert base.recipe.name == "edge"
    assert len(steps) >= 3
    assert all(step.recipe.to_dict() != base.recipe.to_dict() for step in steps)
    assert ablation.about
    for protocol, _ in ablation.on:
        judged_apart = protocol.description != PROTOCOLS["cross-corpus"].description
        assert ablation.judge == "validation" or judged_apart


def result(step: str, seed: int, uar: float) -> dict[str, object]:
    return {
        "step": step,
        "protocol": "p",
        "split": "s",
        "seed": seed,
        "uar": uar,
        "parameters": 1234,
        "about": "",
        "judge": "validation",
    }


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6), st.integers(-30, 30))
@settings(deadline=None, max_examples=30)
def test_a_constant_gain_has_no_error(uars, gain):
    base = [result("as it is", seed, uar) for seed, uar in enumerate(uars)]
    step = [result("more", seed, uar + gain / 100) for seed, uar in enumerate(uars)]
    first, second = rows([*base, *step])
    assert first[4] == ""
    assert second[4] == f"{gain:+d}.0 ± 0.0"
    assert second[5] == str(len(uars))


def test_only_what_both_have_is_compared():
    given = [result("as it is", 0, 0.5), result("more", 0, 0.6), result("more", 1, 0.9)]
    assert rows(given)[1] == ["more", "1,234", "0.750", "0.212", "+10.0", "2"]
