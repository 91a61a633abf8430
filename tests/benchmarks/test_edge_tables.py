"""The bundled model's recipe beside what it was at first, by every protocol."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.edge_tables import cross_corpus_table, edge_table
from benchmarks.system_tables import ALL_SPLITS
from train.splits import PROTOCOLS
from train.splits.cross_corpus import CORPORA


def run(recipe: str, protocol: str, split: str, seed: int, uar: float, **recall: float) -> Any:
    figures = {"uar": uar, "wa": uar + 0.1, "recall": recall or {"happy": uar}}
    return {
        "recipe": recipe,
        "protocol_name": protocol,
        "split": split,
        "seed": seed,
        "labels": ["happy", "sad"],
        "figures": figures,
    }


def rows(table: str) -> list[list[str]]:
    return [line[2:-2].split(" | ") for line in table.splitlines()[2:]]


def test_a_protocol_has_a_row_for_each_recipe():
    runs = [
        run("edge", "tess-loso", "test-OAF", 0, 0.8, happy=0.4, sad=0.9),
        run("edge", "tess-loso", "test-YAF", 0, 0.6, happy=0.6, sad=0.7),
        run("edge", "tess-loso", "test-OAF", 1, 0.6, happy=0.2, sad=0.9),
        run("edge", "tess-loso", "test-YAF", 1, 0.6, happy=0.2, sad=0.7),
        run("edge", "tess-loso", "test-OAF", 2, 0.1),
        run("edge-1d", "tess-loso", "test-OAF", 0, 0.5),
        run("edge-1d", "tess-loso", "test-YAF", 0, 0.3),
    ]
    table = {tuple(row[:2]): row[2:] for row in rows(edge_table({"systems": runs}))}
    assert len(table) == 8
    assert table["tess-loso", "edge"] == [
        "0.650 ± 0.071 (2)",
        "0.600",
        "0.750 ± 0.071 (2)",
        "happy 0.35",
    ]
    assert table["tess-loso", "edge-1d"] == ["0.400 (1)", "0.400", "0.500 (1)", "happy 0.40"]
    assert table["emodb-loso", "edge"] == ["-", "-", "-", "-"]


def test_a_class_that_a_fold_lacks_is_the_mean_of_the_others():
    splits = [f"test-{number}" for number in range(ALL_SPLITS["emodb-loso"])]
    runs = [run("edge", "emodb-loso", split, 0, 0.5, sad=0.5, fear=0.4) for split in splits]
    del runs[0]["figures"]["recall"]["fear"]
    table = {tuple(row[:2]): row[2:] for row in rows(edge_table({"systems": runs}))}
    assert table["emodb-loso", "edge"][-1] == "fear 0.40"


def test_cross_corpus_gain_is_that_of_the_means():
    gains = dict(zip(CORPORA, (0.1, 0.2, 0.0, -0.1, 0.1, 0.0)))
    runs = [
        run(recipe, "cross-corpus", f"test-{corpus}", seed, 0.4 + after * gain)
        for corpus, gain in gains.items()
        for seed in range(2)
        for recipe, after in (("edge-1d", 0), ("edge", 1))
    ]
    table = rows(cross_corpus_table({"systems": runs}))
    assert [row[0] for row in table] == [*CORPORA, "**mean of the six**"]
    assert table[1] == ["RAVDESS", "2", "0.400 ± 0.000 (2)", "0.600 ± 0.000 (2)", "+20.0"]
    assert table[-1] == [
        "**mean of the six**",
        "",
        "0.400 ± 0.000 (2)",
        "0.450 ± 0.000 (2)",
        "+5.0",
    ]


@pytest.mark.parametrize("recipe", ["edge", "edge-1d"])
def test_without_a_seed_of_all_corpora_there_is_no_mean(recipe):
    runs = [run(recipe, "cross-corpus", f"test-{name}", 0, 0.5) for name in CORPORA[1:]]
    assert rows(cross_corpus_table({"systems": runs}))[-1][2:] == ["-", "-", "-"]


def test_splits_that_are_waited_for_are_those_of_the_protocol():
    assert set(ALL_SPLITS) == set(PROTOCOLS)
    assert ALL_SPLITS["cross-corpus"] == len(CORPORA)
