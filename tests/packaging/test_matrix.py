"""The matrix of installations: what it finds, what it demands, and what it says of what fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.arm64_root import CPUS, Arm64Root
from benchmarks.arm64_suite import install_wheel
from benchmarks.installs.cells import AARCH64, CELLS, LITERT, TFLITE, X86_64, Cell
from benchmarks.installs.checks import Run, UnmetError, check_program, check_refusal
from benchmarks.installs.matrix import as_text, run_matrix, try_cell
from benchmarks.installs.pythons import find_python
from benchmarks.installs.tables import installs_table
from edge_runtime import SerEdgeError

from .conftest import ROOT

DEMO = ROOT / "examples" / "demo.wav"
THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"


def ser_edge(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_runtime.cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def in_place_of(command: str, answer: str) -> Run:
    """A ser-edge of which one command answers something else, and says that it succeeded."""

    def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if arguments[0] != command:
            return ser_edge(arguments)
        return subprocess.run(["echo", answer], capture_output=True, text=True, check=True)

    return run


def test_a_program_that_works_is_accepted() -> None:
    found = check_program(ser_edge, DEMO, None, LITERT)
    assert found["version"]
    assert 0 < found["score"] <= 1
    assert found["events"] >= 2


@pytest.mark.parametrize(
    ("command", "answer", "complaint"),
    [
        ("--version", "another 1.0", "--version answers 'another 1.0'"),
        ("classify", '{"scores": {"angry": 0.4, "sad": 0.1}}', "the scores are no probabilities"),
        ("listen", '{"kind": "update"}', "the events are \\['update'\\]"),
        ("doctor", '{"name": "back end other"}', "does not name the back end litert"),
    ],
)
def test_a_program_that_answers_otherwise_is_not(command: str, answer: str, complaint: str) -> None:
    with pytest.raises(UnmetError, match=complaint):
        check_program(in_place_of(command, answer), DEMO, None, LITERT)


def test_a_failure_is_told_with_the_program_s_own_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing.tflite"
    with pytest.raises(UnmetError, match=r"classify: ser-edge: .*missing\.tflite"):
        check_program(ser_edge, DEMO, missing, LITERT)


def test_one_that_runs_without_an_interpreter_is_no_refusal() -> None:
    with pytest.raises(UnmetError, match="does not say in one line what to install"):
        check_refusal(ser_edge, DEMO)


def test_python_is_found_by_its_name_behind_one_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "shims", tmp_path / "bin"
    for folder in (first, second):
        folder.mkdir()
    shim = first / f"python{THIS}"
    shim.write_text("#!/bin/sh\necho not chosen >&2\nexit 127\n", encoding="ascii")
    shim.chmod(0o755)
    (second / f"python{THIS}").symlink_to(Path(sys.executable).resolve())
    monkeypatch.setenv("PATH", f"{first}:{second}:/usr/bin:/bin")
    assert find_python(THIS) == second / f"python{THIS}"


def test_a_python_that_is_not_there_is_skipped_by_name(wheel: Path) -> None:
    one = try_cell(Cell(X86_64, "3.99", LITERT), wheel)
    assert (one["outcome"], one["why"]) == ("skipped", "no python3.99 here")


def test_without_qemu_arm_is_skipped(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    one = try_cell(next(cell for cell in CELLS if cell.architecture == AARCH64), wheel)
    assert one["outcome"] == "skipped"
    assert one["why"] == "no qemu-aarch64 here; sudo apt-get install qemu-user"


TOLD = """
import subprocess, sys, edge_runtime
print(edge_runtime.__file__, flush=True)
code = "import edge_runtime; print(edge_runtime.__file__)"
subprocess.run([sys.executable, "-c", code], check=True)
"""


def test_on_arm_an_installed_wheel_is_used_and_not_the_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    try:
        root = Arm64Root(packages=tmp_path)
    except SerEdgeError as error:
        pytest.skip(str(error))
    install_wheel(wheel, tmp_path)
    done = root.run(["-c", TOLD], interpreter="litert", cpu=CPUS[0], cwd=ROOT)
    installed = str(tmp_path / "edge_runtime" / "__init__.py")
    assert done.stdout.splitlines() == [installed, installed], done.stderr


def test_a_wheel_that_is_none_fails_with_pip_s_line(tmp_path: Path) -> None:
    broken = tmp_path / "ser_edge-0.1.0-py3-none-any.whl"
    broken.write_bytes(b"no zip")
    result = run_matrix(broken, [Cell(X86_64, THIS, LITERT)], lambda _: None)
    (one,) = result["cells"]
    assert one["outcome"] == "failed"
    assert "ERROR: " in one["why"]
    assert as_text(result).splitlines()[-1] == "0 ok, 0 skipped, 1 failed"


def test_a_wheel_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SerEdgeError, match=r"none\.whl: there is no such file; make dist"):
        run_matrix(tmp_path / "none.whl", [], lambda _: None)


def test_cells_are_what_the_documents_promise() -> None:
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert {cell.python for cell in CELLS} == {"3.9", "3.10", "3.11", "3.12", "3.13"}
    assert {cell.architecture for cell in CELLS} == {"x86-64", "aarch64", "armv7l"}


def test_table_tells_each_outcome() -> None:
    cell = Cell(X86_64, "3.9", TFLITE, ("tflite",), (LITERT,))
    told = {
        "architecture": cell.architecture,
        "python": cell.python,
        "interpreter": cell.interpreter,
        "requirement": cell.requirement,
        "without": list(cell.without),
        "model": None,
    }
    held = {"installed": {"numpy": "1.26.4", TFLITE: "2.14.0"}, "note": ""}
    heard = {"label": "angry", "score": 0.412, "events": 18}
    ok = {**told, **held, **heard, "outcome": "ok"}
    skipped = {**told, "outcome": "skipped", "why": "no python3.9 here"}
    nothing = {**told, **held, "interpreter": None, "outcome": "ok"}
    refused = {**nothing, "says": "ser-edge: x.tflite: none is installed; install one"}
    table = installs_table({"installs": [{"cells": [ok, skipped, refused]}]})
    asked = "| x86-64 | 3.9 | `ser-edge[tflite]`, without ai-edge-litert |"
    assert table.splitlines()[2:] == [
        f"{asked} tflite-runtime 2.14.0 | 1.26.4 | ok: angry 0.41, 18 events |",
        f"{asked} tflite-runtime |  | skipped: no python3.9 here |",
        f'{asked} none is published | 1.26.4 | ok: it says "install one" |',
    ]
    assert replace(cell, extras=()).requirement == "ser-edge"


def test_an_unknown_cell_gets_one_line(wheel: Path) -> None:
    code = "import sys; from benchmarks.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "installs", str(wheel), "--only", "sparc"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("ser-bench: --only 'sparc': no such cell; there are: x86-64, Python 3.9")
