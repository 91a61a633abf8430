"""What the tests reach is summed from what coverage.py itself wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import tested
from edge_runtime import SerEdgeError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a program that starts another one, which alone loads `edge_runtime`."""
    folder = tmp_path_factory.mktemp("coverage")
    program = folder / "program.py"
    program.write_text(
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import edge_runtime.errors'], check=True)\n"
    )
    # Where the whole suite is being measured, this is not part of it.
    settings = f"--rcfile={ROOT / 'pyproject.toml'}"
    data = f"--data-file={folder / '.coverage'}"
    report = folder / "coverage.json"
    for arguments in (
        ["run", settings, data, program],
        ["combine", "--quiet", settings, data],
        ["json", "--quiet", settings, data, "-o", report],
    ):
        subprocess.run(
            [sys.executable, "-m", "coverage", *map(str, arguments)], cwd=ROOT, check=True
        )
    return report


def test_a_program_that_a_test_starts_counts(measured: Path) -> None:
    rooms: dict[str, Any] = tested.summed_by_room(measured)["rooms"]
    assert set(rooms) == {"edge_runtime", "train", "convert", "benchmarks"}
    assert 0 < rooms["edge_runtime"]["reached_statements"] < rooms["edge_runtime"]["statements"]
    assert rooms["edge_runtime"]["branches"] > 0
    assert rooms["train"]["reached_statements"] == 0


def test_the_table_adds_the_rooms_up(measured: Path) -> None:
    result = tested.summed_by_room(measured)
    everything = tested.tested_table({"tested": [result]}).split("\n\n")[0].splitlines()[-1]
    total = sum(room["statements"] for room in result["rooms"].values())
    assert everything.startswith(f"| all | {total} | ")


def test_what_is_no_report_is_named_in_one_line(tmp_path: Path) -> None:
    damaged = tmp_path / "coverage.json"
    for text in ("", "{}", json.dumps({"files": {"train/a.py": {"summary": {}}}})):
        damaged.write_text(text)
        with pytest.raises(SerEdgeError, match=r"coverage\.json: no report of coverage\.py"):
            tested.summed_by_room(damaged)
