"""The examples of the README do what they promise, as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.metadata import LABELS, UNSURE

from ..daemon import ROOT, Lines
from .test_listen_to_microphone import played
from .virtual_microphone import VirtualMicrophone

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def example_with(text: str) -> str:
    (found,) = [example for example in EXAMPLES if text in example]
    return found


def test_listening_in_three_lines(virtual_microphone: VirtualMicrophone, speech_file: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", example_with("listen(")],
        cwd=ROOT,
        env=virtual_microphone.env,
        text=True,
        stdout=subprocess.PIPE,
    )
    try:
        with played(virtual_microphone, speech_file):
            kind, label, score = Lines(process.stdout).wait_for("start").split()
    finally:
        process.kill()
        process.wait()
    assert kind == "start"
    assert label in (*LABELS, UNSURE)
    assert 0.0 < float(score) <= 1.0


def test_classifying_an_array(speech, capsys: pytest.CaptureFixture[str]) -> None:
    exec(example_with("Classifier("), {"samples": speech(2.0).astype(np.float32)})
    printed = capsys.readouterr().out
    assert all(label in printed for label in LABELS)
