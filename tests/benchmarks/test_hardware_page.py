"""The hardware page has one row for each stored result, and the command prints it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given

from benchmarks.hardware_page import HEAD, file_name, hardware_row, hardware_table, row_text

from .latency_result import configuration, result, results, with_time

ROOT = Path(__file__).resolve().parents[2]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@given(stored=results())
def test_every_row_has_a_cell_for_each_head(stored: dict[str, Any]) -> None:
    head, rule, row = hardware_table({"hardware": [stored]}).splitlines()
    assert len(cells(head)) == len(cells(rule)) == len(cells(row)) == len(HEAD)


def test_a_row_is_of_the_fastest_and_ranks_the_forms_of_the_model() -> None:
    stored = result(
        with_time("inference", 0.2, model="edge.float32.tflite", number_format="float32"),
        with_time("whole", 0.4),
        with_time("inference", 0.05, model="edge.dynamic.tflite", number_format="dynamic"),
        with_time("inference", 0.01, threads=4),
    )
    row = dict(zip(HEAD, hardware_row(stored)))
    assert row["machine"] == "Raspberry Pi 5 Model B Rev 1.0, 4 cores, 7.9 GB"
    assert row["system"] == "Debian GNU/Linux 12 (bookworm), aarch64, Python 3.11.7"
    assert row["fastest"] == "default.tflite, litert 2.3.0, one thread"
    assert row["a decision, ms p50 (p99)"] == "0.400 (0.520)"
    assert row["inference on one thread, ms"] == (
        "dynamic 0.050 (litert), int8 0.100 (litert), float32 0.200 (litert)"
    )


def test_a_row_of_a_slowed_machine_says_so() -> None:
    slowed = result(configuration(), warnings=["the machine was slowed"])
    assert "(see its warnings)" in hardware_row(slowed)[0]
    assert "mend what the warnings name first" in row_text(slowed, Path("here.json"))


def test_the_row_comes_with_what_to_do_with_it() -> None:
    text = row_text(result(configuration()), Path("here.json"))
    assert "| Raspberry Pi 5 Model B Rev 1.0, 4 cores" in text
    assert "kept in here.json" in text
    assert "benchmarks/results/hardware/raspberry-pi-5-model-b-rev-1-0-aarch64.json" in text


def test_a_machine_without_a_name_has_a_file_name() -> None:
    stored = result(configuration())
    stored["machine"] = {**stored["machine"], "model": "unknown"}
    assert file_name(stored) == "aarch64.json"


def test_the_page_says_how_to_add_a_row() -> None:
    page = (ROOT / "docs" / "hardware.md").read_text(encoding="utf-8")
    assert "<!-- table: hardware -->\n" in page
    assert "ser-bench latency --row" in page
