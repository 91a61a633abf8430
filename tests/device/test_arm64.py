"""The bundled model, the front end and the command line on aarch64, and in tflite-runtime.

What agrees how far: each operator within one step everywhere; LiteRT's whole model within one step
between x86-64 and aarch64; the reference kernels to the bit between these, and within four steps
between LiteRT and tflite-runtime. The whole model in tflite-runtime's fast kernels is further from
LiteRT, and from itself on the other architecture: roundings of single values, one step each, grow
from layer to layer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from benchmarks.arm64_root import CHECKOUT
from edge_runtime.classifier import DEFAULT_MODEL

from .interpreters import DEMO, HERE, LITERT_ON_ARM, ON_ARM, OTHERS, TFLITE_RUNTIME, Subject, arm64

CLASSIFY = ["-m", "edge_runtime.cli", "classify", str(DEMO), "--format", "jsonl"]


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject(DEFAULT_MODEL, tmp_path_factory.mktemp("bundled"))


@pytest.mark.parametrize("where", LITERT_ON_ARM)
def test_litert_is_at_most_one_step_off_on_arm(where: str, bundled: Subject) -> None:
    assert bundled.steps_apart(where, "scores").max() <= 1


@pytest.mark.parametrize("where", ON_ARM)
def test_reference_kernels_agree_to_the_bit_on_arm(where: str, bundled: Subject) -> None:
    interpreter, _ = where.split()
    assert bundled.steps_apart(where, "reference", than=interpreter).max() == 0


@pytest.mark.parametrize("where", TFLITE_RUNTIME)
def test_reference_kernels_of_both_are_near(where: str, bundled: Subject) -> None:
    # Not to the bit: LiteRT rounds the sums of dense layers otherwise than tflite-runtime.
    apart = bundled.steps_apart(where, "reference")
    assert apart.max() <= 4
    assert apart.mean() <= 0.1


@pytest.mark.parametrize("where", OTHERS)
def test_each_operator_is_at_most_one_step_off(where: str, bundled: Subject) -> None:
    assert len(bundled.operators) > 20
    apart = {name: bundled.steps_apart(where, name).max() for name in bundled.operators}
    assert {name: steps for name, steps in apart.items() if steps > 1} == {}


@pytest.mark.parametrize("where", TFLITE_RUNTIME)
def test_scores_of_other_kernels_are_near(where: str, bundled: Subject) -> None:
    apart = bundled.steps_apart(where, "scores")
    # Of 256 steps from 0 to 1.
    assert apart.max() <= 16
    assert apart.mean() <= 1.5


def test_the_windows_tell_classes_apart(bundled: Subject) -> None:
    scores = bundled.answers(HERE)["scores"]
    assert len(set(scores.argmax(axis=1))) > 2  # constant answers would agree, too


@pytest.mark.parametrize("where", OTHERS)
def test_frames_are_those_of_this_machine(where: str, bundled: Subject) -> None:
    wanted = bundled.answers(HERE)["frames"]
    # Of values above 64 a step of float32 is more than 1e-5.
    step = float(np.finfo(np.float32).eps)
    np.testing.assert_allclose(bundled.answers(where)["frames"], wanted, rtol=step, atol=1e-5)


def event(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    answer: dict[str, Any] = json.loads(line)
    return answer


# A clip's scores are means over its windows, so they differ less than those of a window.
@pytest.mark.parametrize(
    ("interpreter", "tolerance"), [("litert", 1 / 256), ("tflite-runtime", 4 / 256)]
)
def test_classify_answers_the_same_on_arm(interpreter: str, tolerance: float) -> None:
    got = event(arm64().run(CLASSIFY, interpreter=interpreter, cpu="cortex-a53"))
    here = [sys.executable, *CLASSIFY]
    wanted = event(subprocess.run(here, cwd=CHECKOUT, capture_output=True, text=True, check=False))
    assert got["label"] == wanted["label"]
    assert got["model"] == wanted["model"]
    assert got["scores"] == pytest.approx(wanted["scores"], abs=tolerance)


def test_a_program_that_fails_on_arm_says_why() -> None:
    done = arm64().run(
        ["-m", "edge_runtime.cli", "info", "missing.tflite"], interpreter="litert", cpu="cortex-a53"
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "missing.tflite" in done.stderr
