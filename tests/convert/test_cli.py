"""``ser-convert`` as it is typed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convert.cli import main
from edge_runtime import Classifier

from ..train.tones import tone
from .conftest import ENDINGS, Trained

ROOT = Path(__file__).parents[2]
# Importing the programs sets it for TensorFlow; a shell does not.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
SER_CONVERT = "import sys; from convert.cli import main; sys.exit(main())"


def ser_convert(
    *arguments: object, cwd: Path, code: str = SER_CONVERT, python: str = sys.executable
):
    return subprocess.run(
        [python, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
    )


def test_relative_paths_in_a_folder_with_modules_of_the_users(tmp_path, trained: Trained):
    """Neither a new folder nor files that are named like our modules are in the way."""
    shutil.copytree(trained.folder, tmp_path / "run", ignore=shutil.ignore_patterns("*.tflite"))
    for name in ("targets.py", "onnx.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module')\n")
    code = f"import sys; sys.path.remove(''); {SER_CONVERT}"
    result = ser_convert(
        "run/model.keras", "--float32", "-o", "new/folder/m.tflite", cwd=tmp_path, code=code
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("new/folder/m.tflite: 100.0% same label as the float model")
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "m.tflite",
        "m.tflite.report.json",
        "m.tflite.report.md",
        "m.tflite.report.png",
    ]
    assert Classifier(tmp_path / "new" / "folder" / "m.tflite").classify(tone(3, 0)).score > 0


def test_failure_is_one_line(tmp_path):
    result = ser_convert("nothing.keras", "--int8", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("ser-convert: nothing.keras: no such model; it must be a ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["model.keras"],
        ["--int8"],
        ["model.keras", "--int8", "--onnx"],
        ["model.keras", "--int4"],
        ["model.keras", "--int8", "--format", "xml"],
        ["model.keras", "--int8", "-o"],
    ],
)
def test_wrong_usage(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: ser-convert" in capsys.readouterr().err


def test_help_names_every_target(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    options = (*(f"--{name}" for name in ENDINGS), "--all", "--representative", "--held-out")
    assert all(option in out for option in options)
    assert all(device in out for device in ("any", "pi-bookworm", "pi-trixie", "pi-32bit"))


def test_without_the_conversion_packages(tmp_path, trained: Trained):
    """As on a device that has the base install only."""
    python = os.environ.get("SER_EDGE_BASE_PYTHON")
    if not python:
        pytest.skip("set SER_EDGE_BASE_PYTHON to a Python with the base install to run this")
    result = ser_convert(
        trained.model, "--float32", "-o", tmp_path / "m.tflite", cwd=tmp_path, python=python
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "is not installed: pip install 'ser-edge[convert]'" in result.stderr
    assert list(tmp_path.iterdir()) == []
