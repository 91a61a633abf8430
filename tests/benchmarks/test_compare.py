"""``ser-bench compare`` sets two stored results side by side, and believes no file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from benchmarks.cli import main
from benchmarks.compare import as_text, compared
from benchmarks.latency.stored import SPREADS, read_latency
from edge_runtime.errors import SerEdgeError

from .latency_result import configuration, result, results, spread, with_time


def put(path: Path, stored: Any) -> Path:
    path.write_text(json.dumps(stored), encoding="utf-8")
    return path


@given(stored=results())
def test_a_result_is_as_fast_as_itself(stored: dict[str, Any]) -> None:
    told = compared(stored, stored)
    assert len(told["configurations"]) == len(stored["configurations"])
    for one in told["configurations"]:
        assert [one["times"][name]["p50"] for name in SPREADS] == [1.0] * len(SPREADS)
        assert [one["times"][name]["p90"] for name in SPREADS] == [1.0] * len(SPREADS)
        assert not any(one["times"][name]["beyond_spread"] for name in SPREADS)
        assert one["ready_seconds"] == {"p50": 1.0, "beyond_spread": False}
        assert {one["steady_mib"], one["peak_mib"]} <= {1.0, None}
        assert one["faster"] is None
    assert told["only_in_a"] == told["only_in_b"] == told["notes"] == []
    assert "no difference beyond the spread" in as_text(told)


@given(a=results(), b=results())
def test_turned_round_the_other_one_is_faster(a: dict[str, Any], b: dict[str, Any]) -> None:
    forth, back = compared(a, b), compared(b, a)
    assert forth["only_in_a"] == back["only_in_b"]
    assert forth["only_in_b"] == back["only_in_a"]
    assert len(forth["configurations"]) + len(forth["only_in_a"]) == len(a["configurations"])
    turned = {"A": "B", "B": "A", None: None}
    there = {(one["model"], one["backend"], one["threads"]): one for one in back["configurations"]}
    for one in forth["configurations"]:
        other = there[one["model"], one["backend"], one["threads"]]
        assert one["faster"] == turned[other["faster"]]
        for name in SPREADS:
            assert one["times"][name]["beyond_spread"] == other["times"][name]["beyond_spread"]


def test_twice_as_slow_is_beyond_the_spread_and_a_little_is_not() -> None:
    a = result(with_time("whole", 0.5), with_time("whole", 0.5, backend="tflite-runtime"))
    b = result(with_time("whole", 1.0), with_time("whole", 0.52, backend="tflite-runtime"))
    slower, level = compared(a, b)["configurations"]
    assert slower["times"]["whole"] == {"p50": 2.0, "p90": 2.0, "beyond_spread": True}
    assert (slower["faster"], level["faster"]) == ("A", None)
    assert level["times"]["whole"]["p50"] == 1.04
    text = as_text(compared(a, b))
    assert "default.tflite, litert x1: A is 2.00 times faster" in text
    assert "default.tflite, tflite-runtime x1: no difference beyond the spread" in text


def test_stored_files_are_compared_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = put(tmp_path / "a.json", result(configuration(), configuration(threads=4)))
    other_machine = {**result(configuration())["machine"], "model": "Raspberry Pi 3"}
    changed = configuration(sha256="cd", numpy="1.26.4")
    b = put(
        tmp_path / "b.json",
        result(changed, configuration(model="b.onnx"), machine=other_machine, warnings=["hot"]),
    )
    assert main(["compare", str(a), str(b), "--format", "jsonl"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["only_in_a"] == ["default.tflite, litert x4"]
    assert told["only_in_b"] == ["b.onnx, litert x1"]
    assert told["notes"] == [
        "different machines: Raspberry Pi 5 Model B Rev 1.0 and Raspberry Pi 3",
        "default.tflite, litert x1: numpy 2.2.0 and 1.26.4",
        "default.tflite, litert x1: not the same model file",
        "B was measured with a warning: hot",
    ]
    assert main(["compare", str(a), str(b)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "only in A: default.tflite, litert x4" in lines
    assert "only in B: b.onnx, litert x1" in lines


def test_nothing_in_common_is_said() -> None:
    told = compared(result(configuration()), result(configuration(threads=2)))
    assert told["configurations"] == []
    assert "no configuration is in both" in as_text(told)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is no JSON, or damaged"),
        ("\x00\x01", "is no JSON, or damaged"),
        ("[1, 2]", "is no result of ser-bench latency"),
        ('{"hop_seconds": 0.5}', "is no result of ser-bench latency"),
        ('{"kind": "latency", "format": 99}', "is of format 99, and this ser-bench reads 1"),
        ('{"kind": "latency", "format": 1}', "is damaged (KeyError('machine'))"),
    ],
)
def test_a_file_that_is_no_result_gets_one_line(
    content: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = put(tmp_path / "good.json", result(configuration()))
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    for order in ((good, bad), (bad, good)):
        assert main(["compare", *map(str, order)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"ser-bench: {bad}: {complaint}")


def test_a_missing_file_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(SerEdgeError, match=r"none\.json: cannot be read \(No such file"):
        read_latency(tmp_path / "none.json")


@pytest.mark.parametrize(
    "damage",
    [
        {"threads": "2"},
        {"model": None},
        {"milliseconds": {}},
        {"milliseconds": {"whole": {**spread(0.5), "p50": "fast"}}},
        {"ready_seconds": {"min": -1.0, "p50": 1.0, "max": 1.0}},
        {"steady_mib": "much"},
        {"hop_seconds": None},
    ],
)
def test_damage_within_a_result_is_found(damage: dict[str, Any], tmp_path: Path) -> None:
    path = put(tmp_path / "damaged.json", result(configuration()))
    stored = json.loads(path.read_text())
    stored["configurations"][0].update(damage)
    with pytest.raises(SerEdgeError, match=r"damaged\.json: is damaged .*: measure again$"):
        read_latency(put(path, stored))
