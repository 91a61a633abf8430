"""Counting instructions under qemu: it adds up, it is the same again, and it says what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.arm64 import as_text, bench_arm64
from benchmarks.arm64_program import GATES, count_parts, voice
from benchmarks.arm64_root import CHECKOUT, EMULATOR, Arm64Root
from benchmarks.arm64_suite import as_text as suite_as_text
from benchmarks.arm64_suite import bench_suite
from benchmarks.arm64_tables import cheapest_list, counts_table, peers_list, suite_list
from benchmarks.instruction_count.plugin import build_plugin, plugin_options, read_counts
from edge_runtime import SerEdgeError
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.gates import make_gate

HOPS = 8  # one whole round of the gate with the bundled model
MILLION = 1_000_000


@pytest.fixture(scope="module")
def root() -> Arm64Root:
    try:
        return Arm64Root()
    except SerEdgeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def plugin(root: Arm64Root, tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build_plugin(tmp_path_factory.mktemp("a, folder"), EMULATOR)
    except SerEdgeError as error:
        pytest.skip(str(error))


def count(root: Arm64Root, **options: Any) -> dict[str, Any]:
    where = {"cpus": ["cortex-a53"], "interpreters": ["litert"], "n_hops": HOPS}
    return bench_arm64(root, [DEFAULT_MODEL], **{"peers": {}, **where, **options})


@pytest.fixture(scope="module")
def counted(root: Arm64Root, plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The bundled model on a Cortex-A53, and as its own peer; with a model that cannot be run."""
    garbage = tmp_path_factory.mktemp("models") / "garbage.tflite"
    garbage.write_bytes(b"no model")
    return count(root, peers={"peer": DEFAULT_MODEL, "garbage": garbage})


def decision_of(result: dict[str, Any]) -> dict[str, Any]:
    (decision,) = result["counts"]
    return decision


def test_the_parts_add_up_to_the_decision(counted: dict[str, Any]) -> None:
    one = decision_of(counted)
    alike = one["features"]["frames"] + one["features"]["window"] + one["inference"]
    for gate in GATES:
        parts = [alike, one["gate"][gate], one["rest"][gate]]
        assert sum(parts) == one["decision"][gate]
        assert min(parts) > 0
        # Parts that are counted by themselves are what the whole is made of.
        assert one["rest"][gate] < 0.25 * one["decision"][gate]
    assert one["gate"]["energy"] > one["gate"]["off"]
    # The rest does not depend on the gate.
    assert one["rest"]["energy"] == pytest.approx(one["rest"]["off"], rel=0.1)


def test_counts_are_the_same_again(root: Arm64Root, counted: dict[str, Any]) -> None:
    once, again = decision_of(counted), decision_of(count(root))
    for gate in GATES:
        assert again["decision"][gate] == pytest.approx(once["decision"][gate], rel=0.01)
    assert again["inference"] == pytest.approx(once["inference"], rel=0.01)
    frames = once["features"]["frames"]
    assert again["features"]["frames"] == pytest.approx(frames, rel=0.01)


def test_a_decision_takes_at_most_eight_million_instructions(counted: dict[str, Any]) -> None:
    assert max(decision_of(counted)["decision"].values()) <= 8 * MILLION
    met = [how for name, how in counted["targets"].items() if name.startswith("at most 8 million")]
    assert len(met) == 2
    assert all(how.startswith("met, ") for how in met)


def test_inference_of_a_peer_is_counted_as_ours_is(counted: dict[str, Any]) -> None:
    (peer,) = counted["peers"]
    assert peer["model"] == "peer"
    assert peer["inference"] == pytest.approx(decision_of(counted)["inference"], rel=0.01)


def test_what_cannot_be_counted_is_named_with_the_reason(counted: dict[str, Any]) -> None:
    ((name, why),) = counted["missing"].items()
    assert name == "cortex-a53 litert garbage"
    assert "cannot load it" in why
    assert f"{name}: not counted: {why}" in as_text(counted)


def test_the_report_names_the_cheapest(counted: dict[str, Any]) -> None:
    assert "cortex-a53, LiteRT: the cheapest decision is int8 " in as_text(counted)
    results = {"arm64": [counted]}
    assert counts_table(results).count("\n") == 2
    assert cheapest_list(results).startswith("- cortex-a53, LiteRT: the cheapest decision is int8")
    assert peers_list(results).endswith(" times a decision of ours")


# What a loop takes grows with its rounds, to the instruction.
LOOP = """
import os
def work(n):
    for _ in range(n):
        pass
for n in (10000, 10000, 20000, 40000):
    os.getsid(0)
    work(n)
    os.getsid(0)
"""


def test_the_plugin_counts_in_proportion_to_the_work(
    root: Arm64Root, plugin: Path, tmp_path: Path
) -> None:
    counts = tmp_path / "some, counts"
    done = root.run(
        ["-c", LOOP],
        interpreter="litert",
        cpu="cortex-a53",
        emulator_options=plugin_options(plugin, counts),
    )
    assert done.returncode == 0, done.stderr
    _, once, twice, four_times = read_counts(counts)
    assert four_times - twice == pytest.approx(2 * (twice - once), rel=0.01)
    assert once > 10000


def test_the_plugin_is_built_once(plugin: Path) -> None:
    built = plugin.stat().st_mtime_ns
    assert build_plugin(plugin.parent, EMULATOR) == plugin
    assert plugin.stat().st_mtime_ns == built
    assert list(plugin.parent.iterdir()) == [plugin]


def fake_emulator(folder: Path, version: str) -> Path:
    path = folder / "qemu"
    path.write_text(f"#!/bin/sh\necho qemu-aarch64 version {version}\n", encoding="ascii")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["5.2.0", "9.0.2", "10.0.13 (Debian)", "unreadable"])
def test_a_qemu_that_cannot_load_the_plugin_is_refused(tmp_path: Path, version: str) -> None:
    emulator = fake_emulator(tmp_path, version)
    with pytest.raises(SerEdgeError, match=r"counting needs one from 6\.0 to below 9\.0") as raised:
        build_plugin(tmp_path / "built", str(emulator))
    assert "\n" not in str(raised.value)


def test_without_a_compiler_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = fake_emulator(tmp_path, "7.2.0")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(SerEdgeError, match=r"no C compiler here; .*apt-get install gcc libc6-dev"):
        build_plugin(tmp_path / "built", str(emulator))
    assert not list((tmp_path / "built").iterdir())


RUN_BENCH = "import sys; from benchmarks.cli import main; sys.exit(main())"


def test_without_the_emulator_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_BENCH, "arm64"],
        cwd=CHECKOUT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ser-bench: no qemu-aarch64 here")


def test_a_missing_model_is_named(root: Arm64Root) -> None:
    with pytest.raises(SerEdgeError, match=r"missing\.tflite: there is no such file"):
        bench_arm64(root, [Path("missing.tflite")], {})


def test_marks_enclose_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr(os, "getsid", lambda _: done.append("mark"))
    names = count_parts({"one": (done.append, [1, 2, 3]), "other": (done.append, [4, 5])}, 2)
    assert names == ["one", "one", "other", "other"]
    one = [1, "mark", 2, "mark", "mark", 3, "mark"]
    assert done == [*one, "mark", 4, "mark", "mark", 5, "mark"]


def test_the_voice_holds_the_gate_open() -> None:
    gate = make_gate("energy", 16000)
    sound = voice(20 * 16000, 16000)
    gate.push(sound)
    assert gate.open_seconds > 19.0
    assert abs(sound).max() <= 1.0


def test_the_tests_of_the_runtime_run_there(root: Arm64Root, tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_some.py").write_text(
        "import platform, subprocess, sys, pytest\n"
        "from hypothesis import given, settings, strategies as st\n"
        "def test_machine(): assert platform.machine() == 'aarch64'\n"
        "def test_child():\n"
        "    code = 'import platform; print(platform.machine())'\n"
        "    assert subprocess.check_output([sys.executable, '-c', code]) == b'aarch64\\n'\n"
        "def test_fails(): assert False\n"
        "@given(st.integers())\n"
        "def test_few(n): assert settings().max_examples == 5\n"
        "@pytest.mark.skip(reason='no')\n"
        "def test_skipped(): pass\n",
        encoding="utf-8",
    )
    result = bench_suite(root, tests, "cortex-a72", "litert")
    counts = [result[what] for what in ("passed", "failed", "skipped")]
    assert counts == [3, 1, 1], json.dumps(result)
    assert result["files"]["test_some.py"]["failures"] == ["test_fails"]
    assert result["reasons"] == {"no": 1}
    assert "failed: test_fails" in suite_as_text(result)
    assert suite_list({"arm64-tests": [result]}) == (
        "- cortex-a72, litert: 3 passed, 1 failed, 1 skipped, 1 left out"
    )
