"""The tables of the published systems: means over splits, then over seeds, of whole protocols."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.published import PUBLISHED, published_text
from benchmarks.results import load_all, store
from benchmarks.system_tables import N_SPLITS, classes_table, runs_table, systems_table
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.corpora import read_corpora
from train.recipe import RECIPES
from train.splits import PROTOCOLS

from .test_tables import ser_bench

SPLITS = {
    "tess-random": ["random"],
    "tess-loso": ["test-OAF", "test-YAF"],
    "ravdess-5fold": [f"fold{number}" for number in range(1, 6)],
    "emodb-loso": [f"test-{number:02d}" for number in range(10)],
}
COLUMNS = {"tess-random": 3, "tess-loso": 4, "ravdess-5fold": 5, "emodb-loso": 6}


def run(
    protocol: str, split: str, seed: int = 0, uar: float = 0.5, recipe: str = "tess-lstm123"
) -> dict[str, Any]:
    recall = {label: uar + 0.01 * index for index, label in enumerate(LABELS)}
    return {
        "recipe": recipe,
        "parameters": 71747,
        "rounds": 31,
        "protocol_name": protocol,
        "split": split,
        "seed": seed,
        "labels": list(LABELS),
        "figures": {"uar": uar, "wa": uar / 2, "macro_f1": 0.25, "ece": 0.125, "recall": recall},
    }


def cells(table: str, recipe: str = "tess-lstm123") -> list[str]:
    """The one row of a recipe, without the outer bars."""
    (row,) = [line for line in table.splitlines() if line.startswith(f"| {recipe} |")]
    return row[2:-2].split(" | ")


@pytest.mark.parametrize("protocol", SPLITS)
def test_a_figure_is_the_mean_over_splits_then_over_seeds(protocol: str) -> None:
    uar = {seed: 0.4 + 0.1 * seed for seed in range(3)}
    # The splits differ, and their mean is the seed's figure.
    wobble = np.linspace(-0.05, 0.05, len(SPLITS[protocol])) if len(SPLITS[protocol]) > 1 else [0]
    runs = [
        run(protocol, split, seed, uar[seed] + off)
        for seed in uar
        for split, off in zip(SPLITS[protocol], wobble)
    ]
    row = cells(systems_table({"systems": runs}))
    expected = "0.250 ± 0.050 (3)" if protocol == "tess-random" else "0.500 ± 0.100 (3)"
    assert row[COLUMNS[protocol]] == expected
    assert [row[c] for name, c in COLUMNS.items() if name != protocol] == ["-"] * 3


def test_one_seed_has_no_deviation() -> None:
    runs = [run("tess-loso", split) for split in SPLITS["tess-loso"]]
    assert cells(systems_table({"systems": runs}))[COLUMNS["tess-loso"]] == "0.500 (1)"


@pytest.mark.parametrize("protocol", ["tess-loso", "ravdess-5fold", "emodb-loso"])
def test_a_seed_that_lacks_a_split_does_not_count(protocol: str) -> None:
    whole = [run(protocol, split, 0, 0.5) for split in SPLITS[protocol]]
    part = [run(protocol, split, 1, 0.9) for split in SPLITS[protocol][1:]]
    assert cells(systems_table({"systems": part}))[COLUMNS[protocol]] == "-"
    assert cells(systems_table({"systems": whole + part}))[COLUMNS[protocol]] == "0.500 (1)"


@pytest.mark.parametrize("name", N_SPLITS)
def test_a_protocol_has_as_many_splits_as_are_asked_for(corpora: Path, name: str) -> None:
    protocol = PROTOCOLS[name]
    splits = protocol.split(read_corpora(corpora, list(protocol.corpora)), 0)
    assert len({split.name for split in splits}) == len(splits) == N_SPLITS[name]


def test_every_recipe_has_a_row_and_says_what_was_published() -> None:
    table = systems_table({"systems": [run("tess-random", "random", recipe="mine")]})
    for recipe in (path.stem for path in RECIPES.glob("*.toml")):
        assert cells(table, recipe)[2] == published_text(recipe) != "-"
    assert cells(table, "mine") == ["mine", "71,747", "-", "0.250 (1)", "-", "-", "-"]
    assert cells(table, "edge")[1:] == ["-", published_text("edge"), "-", "-", "-", "-"]


def test_a_variant_shows_what_its_parent_has_published() -> None:
    assert published_text("tess-lstm123-sequence") == published_text("tess-lstm123")
    assert published_text("tess-lstm-prosody") == published_text("tess-lstm")
    assert "98.26 %" in published_text("tess-lstm123")
    assert PUBLISHED["reslstm-sa"].figure in published_text("reslstm-sa")


def test_parameters_that_depend_on_the_classes_are_a_range() -> None:
    larger = {**run("ravdess-5fold", "fold1"), "parameters": 71780}
    table = systems_table({"systems": [run("tess-random", "random"), larger]})
    assert cells(table)[1] == "71,747 - 71,780"


def test_the_record_has_every_run_in_order() -> None:
    runs = [
        run("emodb-loso", "test-03"),
        run("tess-loso", "test-YAF", 1),
        run("tess-random", "random", recipe="another"),
        run("tess-loso", "test-OAF", 1),
        run("tess-loso", "test-YAF", 0, 0.75),
    ]
    lines = runs_table({"systems": runs}).splitlines()
    assert lines[0] == ("| recipe | protocol | split | seed | UAR | WA | macro F1 | ECE | rounds |")
    places = [tuple(line[2:-2].split(" | ")[:4]) for line in lines[2:]]
    assert places == [
        ("tess-lstm123", "tess-loso", "test-YAF", "0"),
        ("tess-lstm123", "tess-loso", "test-OAF", "1"),
        ("tess-lstm123", "tess-loso", "test-YAF", "1"),
        ("tess-lstm123", "emodb-loso", "test-03", "0"),
        ("another", "tess-random", "random", "0"),
    ]
    assert lines[2].endswith("| 0.750 | 0.375 | 0.250 | 0.125 | 31 |")


def test_recalls_are_those_of_unknown_voices_alone() -> None:
    runs = [
        run("tess-random", "random", 0, 0.9),
        *(run("tess-loso", split, 0, 0.4) for split in SPLITS["tess-loso"]),
        *(run("tess-loso", split, 1, 0.6) for split in SPLITS["tess-loso"]),
    ]
    table = classes_table({"systems": runs})
    assert table.splitlines()[0] == f"| recipe | {' | '.join(LABELS)} |"
    row = cells(table)
    assert (row[1], row[-1]) == ("0.50 ± 0.14 (2)", "0.56 ± 0.14 (2)")
    assert cells(table, "edge")[1:] == ["-"] * len(LABELS)


def test_without_a_run_the_table_says_what_is_missing() -> None:
    with pytest.raises(SerEdgeError, match="no stored result of the kind 'systems'"):
        systems_table({})


def test_tables_are_written_from_folders_of_folders(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for seed in (0, 1):
        store(
            run("tess-random", "random", seed),
            results / "systems" / "tess-random" / f"tess-lstm123-seed{seed}-random.json",
        )
    assert {kind: len(found) for kind, found in load_all(results).items()} == {"systems": 2}
    document = tmp_path / "page.md"
    names = ("systems", "systems-runs", "systems-classes")
    document.write_text("\n".join(f"<!-- table: {name} -->\n<!-- end -->" for name in names))
    result = ser_bench("tables", "--results", results, document)
    assert result.returncode == 0, result.stderr
    assert "0.250 ± 0.000 (2)" in document.read_text()
