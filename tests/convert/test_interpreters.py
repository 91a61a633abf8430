"""A file of ser-convert in every interpreter, on this machine and on aarch64."""

from __future__ import annotations

import pytest

from ..device.interpreters import LITERT_ON_ARM, ON_ARM, OTHERS, TFLITE_RUNTIME, Subject
from .conftest import Converted


@pytest.fixture(scope="module")
def converted_int8(int8: Converted, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject(int8.path, tmp_path_factory.mktemp("converted"))


@pytest.mark.parametrize("where", LITERT_ON_ARM)
def test_litert_is_at_most_one_step_off_on_arm(where: str, converted_int8: Subject) -> None:
    assert converted_int8.steps_apart(where, "scores").max() <= 1


@pytest.mark.parametrize("where", ON_ARM)
def test_reference_kernels_agree_to_the_bit_on_arm(where: str, converted_int8: Subject) -> None:
    interpreter, _ = where.split()
    assert converted_int8.steps_apart(where, "reference", than=interpreter).max() == 0


@pytest.mark.parametrize("where", OTHERS)
def test_each_operator_is_at_most_one_step_off(where: str, converted_int8: Subject) -> None:
    operators = converted_int8.operators
    apart = {name: converted_int8.steps_apart(where, name).max() for name in operators}
    assert {name: steps for name, steps in apart.items() if steps > 1} == {}


@pytest.mark.parametrize("where", TFLITE_RUNTIME)
def test_scores_of_other_kernels_are_near(where: str, converted_int8: Subject) -> None:
    # One step in each of many operators; see tests/device/test_arm64.py.
    assert converted_int8.steps_apart(where, "scores").max() <= 16
