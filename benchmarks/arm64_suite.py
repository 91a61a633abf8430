"""The runtime's own tests on 64-bit ARM, under qemu."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from benchmarks.arm64_root import CHECKOUT, Arm64Root
from edge_runtime.errors import SerEdgeError

TESTS = CHECKOUT / "tests" / "edge_runtime"
SECONDS_PER_TEST = 300
PROTOCOL = (
    "The tests of edge_runtime in Debian's Python for aarch64 with numpy and a TFLite interpreter, "
    "each file in a process of its own under qemu; tests that draw examples draw few, and those "
    "that need a library that is not there are skipped, as they are anywhere"
)
# An emulated Python takes seconds to start, and minutes for what takes a core seconds.
LEFT_OUT = {
    "test_command.py::test_is_killed_with_its_children_when_its_time_is_over": (
        "waits for no emulated program"
    )
}


def tests_folder() -> Path:
    """The tests of the runtime.

    Raises
    ------
    SerEdgeError
        When there are none beside the package, as where it is installed.
    """
    if not TESTS.is_dir():
        raise SerEdgeError(
            f"there are no tests in {CHECKOUT}; run ser-bench arm64 --tests from a checkout"
        )
    return TESTS


def bench_suite(root: Arm64Root, tests: Path, cpu: str, interpreter: str) -> dict[str, Any]:
    """Run the tests of `edge_runtime` on one kind of core.

    Parameters
    ----------
    root : Arm64Root
        Where they run.
    tests : Path
        Folder of test files.
    cpu : str
        A CPU model of qemu.
    interpreter : str
        One of `benchmarks.arm64_root.INTERPRETERS`.

    Returns
    -------
    dict
        As JSON types: how many tests ``passed``, ``failed`` and were ``skipped``; by file in
        ``files``, with the names of the ``failures``; how many were skipped for what reason in
        ``reasons``; and tests ``left_out``, and why.
    """
    paths = sorted(tests.glob("test_*.py"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda path: _run(root, path, cpu, interpreter), paths)
        files = list(tqdm(results, total=len(paths), desc="tests", unit="file", disable=None))
    return {
        "protocol": PROTOCOL,
        "cpu": cpu,
        "interpreter": interpreter,
        **{what: sum(one[what] for one in files) for what in ("passed", "failed", "skipped")},
        "reasons": dict(sum((Counter(one.pop("reasons")) for one in files), Counter())),
        "files": {path.name: one for path, one in zip(paths, files)},
        "left_out": LEFT_OUT,
    }


def install_wheel(wheel: Path, into: Path) -> None:
    """Unpack a wheel as pip does, without what it depends on: that is in the user land.

    Raises
    ------
    SerEdgeError
        When pip cannot.
    """
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--no-deps", "--no-compile", "--target", str(into), str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise SerEdgeError(f"{wheel}: pip cannot install it ({said[-1]})")


def as_text(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [result["protocol"]]
    for name, one in result["files"].items():
        counts = f"{one['passed']} passed, {one['failed']} failed, {one['skipped']} skipped"
        lines.append(f"{name:<32} {counts}")
        lines += [f"    failed: {test}" for test in one["failures"]]
    lines += [f"left out: {name}: {why}" for name, why in result["left_out"].items()]
    most_first = sorted(result["reasons"].items(), key=lambda item: -item[1])
    lines += [f"skipped: {count}: {why}" for why, count in most_first]
    lines.append(
        f"{result['cpu']}, {result['interpreter']}: {result['passed']} passed, "
        f"{result['failed']} failed, {result['skipped']} skipped"
    )
    return "\n".join(lines)


def _run(root: Arm64Root, path: Path, cpu: str, interpreter: str) -> dict[str, Any]:
    """Run the tests of one file."""
    with TemporaryDirectory(prefix="ser-edge-arm64-") as folder:
        report = Path(folder) / "report.xml"
        pytest = ["-P", "-m", "pytest", str(path), "-q", "-p", "no:cacheprovider"]
        pytest += ["-p", "benchmarks.quick_examples", "--hypothesis-profile=quick"]
        pytest += [f"--deselect={TESTS.relative_to(CHECKOUT) / name}" for name in LEFT_OUT]
        pytest += [f"--timeout={SECONDS_PER_TEST}", f"--basetemp={folder}/tests"]
        done = root.run(
            [*pytest, f"--junit-xml={report}"],
            interpreter=interpreter,
            cpu=cpu,
            with_pytest=True,
            cwd=CHECKOUT,
        )
        if not report.exists():
            said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            return _counts(0, [f"the whole file ({said[-1]})"], [])
        return _read(report)


def _read(report: Path) -> dict[str, Any]:
    """Counts from a report in JUnit's format."""
    cases = list(ElementTree.parse(report).iter("testcase"))
    failures = [
        str(case.get("name"))
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    reasons = [str(one.get("message")) for case in cases for one in case.iter("skipped")]
    return _counts(len(cases) - len(failures) - len(reasons), failures, reasons)


def _counts(passed: int, failures: list[str], reasons: list[str]) -> dict[str, Any]:
    return {
        "passed": passed,
        "failed": len(failures),
        "skipped": len(reasons),
        "failures": failures,
        "reasons": reasons,
    }
