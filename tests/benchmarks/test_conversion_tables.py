"""What conversion costs, as tables: no cell is empty without a sentence that says why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.conversion_tables import conversions_table
from benchmarks.edge_int8_table import edge_int8_table
from benchmarks.notes import Notes
from benchmarks.results import store
from convert.targets import TARGETS
from train.recipe import RECIPES

from .test_tables import ser_bench

PLAIN = {"settings": "minmax ranges", "agreement": 0.99, "uar_drop": 0.1, "bytes": 1}


def record(target: str, drop: float = 0.4, agreement: float = 0.99, **changes: Any) -> dict:
    names = ("onnxruntime",) if TARGETS[target].suffix == ".onnx" else ("litert", "tflite-runtime")
    backends = {
        name: {"ran": True, "backend": name, "latency_ms_p50": 1.25 + index}
        for index, name in enumerate(names)
    }
    return {
        "target": target,
        "why": "",
        "settings": "minmax ranges",
        "attempts": [PLAIN],
        "size": 102400,
        "agreement": agreement,
        "test": {
            "uar_drop": drop,
            "agreement": agreement - 0.005,
            "bins_after": reliability((0.5, 0.4, 10), (0.9, 0.9, 30)),
        },
        "backends": backends,
        **changes,
    }


def reliability(*bins: tuple[float, float, int]) -> list[dict[str, Any]]:
    empty = {"confidence": None, "accuracy": None, "count": 0}
    return [empty, *(dict(zip(("confidence", "accuracy", "count"), one)) for one in bins)]


def run(recipe: str, split: str = "fold1", seed: int = 0, **targets: dict) -> dict[str, Any]:
    return {
        "recipe": recipe,
        "protocol_name": "ravdess-5fold",
        "split": split,
        "seed": seed,
        "targets": {name.replace("_", "-"): one for name, one in targets.items()},
    }


def table(*runs: dict[str, Any]) -> str:
    return conversions_table({"conversions": list(runs)})


def cells(text: str, recipe: str, target: str) -> list[str]:
    """The figures of a row."""
    rows = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("|")]
    (row,) = [row for row in rows if row[0] == recipe and row[1].split(" ")[0] == target]
    return row[2:]


def note(text: str, cell: str) -> str:
    """The sentence that a cell refers to."""
    number = re.search(r"\[(\d+)\]", cell)[1]
    (line,) = [line for line in text.splitlines() if line.startswith(f"{number}. ")]
    return line.removeprefix(f"{number}. ")


def test_every_recipe_has_a_row_for_every_target_and_no_cell_is_empty():
    text = table(run("edge", int8=record("int8")), run("mine", onnx=record("onnx")))
    for recipe in [*(path.stem for path in RECIPES.glob("*.toml")), "mine"]:
        for target in TARGETS:
            row = cells(text, recipe, target)
            assert len(row) == 6
            for cell in row:
                assert cell not in ("", "-")
                assert not cell.startswith("-") or note(text, cell).endswith(".")


def test_without_results_nothing_is_converted_yet():
    text = conversions_table({})
    row = cells(text, "light-sernet", "int8")
    assert set(row) == {"- [1]"}
    assert note(text, row[0]) == "Not converted yet."


def test_a_row_is_of_all_runs():
    text = table(
        run("edge", "fold1", int8=record("int8", 0.2, 0.99)),
        run("edge", "fold2", int8=record("int8", 0.5, 0.97, size=104448)),
    )
    row = cells(text, "edge", "int8")
    assert row[:5] == ["102", "98.0%", "+0.35 (2)", "1.25", "2.25"]
    assert note(text, row[5]) == "A .tflite file does not run in ONNX Runtime."


def test_onnx_runs_in_no_tflite_interpreter():
    text = table(run("edge", onnx=record("onnx")))
    row = cells(text, "edge", "onnx")
    assert row[5] == "1.25"
    assert row[3] == row[4]
    assert note(text, row[3]) == "An .onnx file does not run in a TFLite interpreter."


def test_a_back_end_that_was_not_at_hand_is_noted():
    made = record("int8")
    made["backends"]["tflite-runtime"] = {"ran": False, "why": "not at hand; set X"}
    text = table(run("edge", int8=made))
    row = cells(text, "edge", "int8")
    assert row[3] == "1.25"
    assert note(text, row[4]) == "Not run in tflite-runtime: not at hand; set X."


@pytest.mark.parametrize("made", ["", "dynamic"])
def test_what_was_not_made_has_no_figures_but_a_reason(made):
    other = record("dynamic") if made else {}
    failed = {**other, "target": made, "why": "model.keras: there is a loop in it"}
    text = table(run("tess-lstm", int8=failed))
    row = cells(text, "tess-lstm", "int8")
    assert len(set(row)) == 1
    assert note(text, row[0]) == "`tess-lstm` as int8: there is a loop in it."


def test_figures_of_some_runs_say_what_the_others_lack():
    failed = {"target": "", "why": "model.keras: loses too much"}
    text = table(
        run("edge", "fold1", int8=record("int8")),
        run("edge", "fold2", int8=failed),
        run("edge", "fold3", int8=failed),
    )
    drop = cells(text, "edge", "int8")[2]
    assert drop.startswith("+0.40 (1) [")
    assert note(text, drop) == "`edge` as int8: not made of 2 of 3 runs: loses too much."


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("mse ranges", "mse ranges"),
        ("minmax ranges, dense in float32", "minmax ranges, 1 layer in float32"),
        ("minmax ranges, dense_1, norm/mul in float32", "minmax ranges, 2 layers in float32"),
    ],
)
def test_another_way_than_the_plain_one_is_noted_beside_the_target(settings, told):
    tried = [PLAIN, {**PLAIN, "settings": settings}]
    made = record("int8", settings=tried[-1]["settings"], attempts=tried)
    text = table(run("edge", int8=made), run("edge", "fold2", int8=record("int8")))
    (row,) = [line for line in text.splitlines() if line.startswith("| edge | int8 [")]
    assert note(text, row) == (f"`edge` as int8: taken {told} in 1 of 2 runs.")


def edge(seed: int, drops: list[float], **changes: Any) -> list[dict[str, Any]]:
    """A seed of the recipe whose folds lose that much."""
    return [
        run("edge", f"fold{number}", seed, int8=record("int8", drop, **changes))
        for number, drop in enumerate(drops, start=1)
    ]


def edge_rows(*runs: dict[str, Any]) -> tuple[str, dict[str, list[str]]]:
    text = edge_int8_table({"conversions": list(runs)}, "ravdess-5fold")
    rows = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("|")]
    return text, {row[0]: row[1:] for row in rows}


def test_the_drop_is_the_mean_over_folds_then_over_seeds():
    _, rows = edge_rows(
        *edge(0, [0.1, 0.2, 0.3, 0.4, 0.5]), *edge(1, [0.4] * 5), *edge(2, [0.5] * 5)
    )
    assert rows["figure over the folds"] == [
        "seed 0",
        "seed 1",
        "seed 2",
        "over the seeds",
        "target",
    ]
    assert rows["UAR drop, points, mean"] == [
        "0.30",
        "0.40",
        "0.50",
        "0.40 ± 0.10 (3)",
        "at most 0.5: met",
    ]
    assert rows["KB, largest"][-2:] == ["100.0", "at most 120: met"]
    assert rows["same label, % of windows, mean"][-2:] == [
        "99.00 ± 0.00 (3)",
        "at least 98: met",
    ]
    assert rows["same label, % of utterances, least"][-2:] == ["98.50", "at least 98: met"]


def test_calibration_is_judged_over_the_utterances_of_all_folds():
    """Too sure in one fold and too unsure in the other, one is right on the whole."""
    runs = edge(0, [0.2] * 5)
    for fold, accuracy in zip(runs, (0.3, 0.7, 0.5, 0.5, 0.5)):
        fold["targets"]["int8"]["test"]["bins_after"] = reliability((0.5, accuracy, 20))
    _, rows = edge_rows(*runs)
    assert rows["ECE, over all folds"] == [
        "0.000",
        "0.000 (1)",
        "at most 0.05: met so far, 1 of 3 seeds",
    ]
    _, rows = edge_rows(*edge(0, [0.2] * 5))
    assert rows["ECE, over all folds"][0] == "0.025"


def test_a_target_that_is_missed_is_missed():
    _, rows = edge_rows(
        *edge(0, [0.6] * 5, size=123904),
        *edge(1, [0.7] * 5, agreement=0.99),
        *edge(2, [0.8] * 5, agreement=0.96),
    )
    assert rows["UAR drop, points, mean"][-1] == "at most 0.5: missed"
    assert rows["KB, largest"][-2:] == ["121.0", "at most 120: missed"]
    assert rows["same label, % of windows, mean"][-1] == "at least 98: met"
    assert rows["same label, % of windows, least"][-2:] == ["96.00", "at least 98: missed"]


def test_a_seed_that_lacks_a_fold_does_not_count():
    failed = run("edge", "fold5", 1, int8={"target": "", "why": "model.keras: it crashed"})
    text, rows = edge_rows(*edge(0, [0.2] * 5), *edge(1, [0.9] * 4), failed, *edge(2, [0.9] * 3))
    first, second, third, over, target = rows["UAR drop, points, mean"]
    assert (first, second, third) == ("0.20", "0.90", "0.90")
    assert (over, target) == ("0.20 (1)", "at most 0.5: met so far, 1 of 3 seeds")
    headings = rows["figure over the folds"]
    assert note(text, headings[1]) == (
        "Of seed 1 4 of 5 folds were converted, so it does not count: it crashed."
    )
    assert note(text, headings[2]) == (
        "Of seed 2 3 of 5 folds were converted, so it does not count."
    )


def test_without_a_whole_seed_there_is_no_verdict():
    failed = run("edge", int8={"target": "", "why": "model.keras: it crashed"})
    for runs in ((), (failed,)):
        text, rows = edge_rows(*runs)
        *own, over, target = rows["KB, largest"]
        assert len(own) == len(runs)
        assert note(text, over) == "No seed is stored with all folds yet."
        assert target == "at most 120"
        for cell in own:
            assert note(text, cell) == "None of the seed's folds was converted."


def test_other_recipes_protocols_and_targets_do_not_count():
    others = [{**one, "protocol_name": "tess-random"} for one in edge(0, [0.9] * 5)] + [
        run("tess-lstm", int8=record("int8")),
        run("edge", seed=7, onnx=record("onnx")),
    ]
    _, rows = edge_rows(*others, *edge(1, [0.2] * 5))
    assert rows["figure over the folds"][:1] == ["seed 1"]
    assert rows["UAR drop, points, mean"][:2] == ["0.20", "0.20 (1)"]


def test_a_sentence_is_noted_once():
    notes = Notes()
    assert notes.below("table") == "table"
    assert [notes.nothing(text) for text in ("One.", "Two.", "One.")] == ["- [1]", "- [2]", "- [1]"]
    assert notes.below("table") == "table\n\n1. One.\n2. Two."


def test_documents_have_both_tables(tmp_path: Path):
    store(edge(0, [0.2])[0], tmp_path / "conversions" / "ravdess-5fold" / "edge-seed0-fold1.json")
    page = tmp_path / "page.md"
    names = ("conversions", "conversions-edge")
    page.write_text("\n".join(f"<!-- table: {name} -->\n<!-- end -->" for name in names))
    done = ser_bench("tables", "--results", tmp_path, page)
    assert done.returncode == 0, done.stderr
    assert "| edge | int8 | 100 | 99.0% | +0.20 (1) |" in page.read_text()
    assert "seed 0 [1]" in page.read_text()
    assert ser_bench("tables", "--check", "--results", tmp_path, page).returncode == 0
