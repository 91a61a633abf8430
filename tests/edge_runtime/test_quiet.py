"""Standard error: libraries are kept from it, on any number of threads, and the log never is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge_runtime.hardware import open_descriptors
from edge_runtime.quiet import quiet_libraries, say

ROOT = Path(__file__).resolve().parents[2]


def test_libraries_are_not_heard_and_lines_are(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_libraries(), quiet_libraries():
        os.write(2, b"a library's remark\n")
        say("a line meanwhile")
    os.write(2, b"a fault of a library\n")
    say("a line afterwards")
    heard = capfd.readouterr().err.splitlines()
    assert heard == ["a line meanwhile", "a fault of a library", "a line afterwards"]


def test_threads_that_overlap_leave_standard_error_as_it_was(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A microphone is opened anew while an upload is decoded, and is done first."""
    both, first_is_done = threading.Barrier(2), threading.Event()

    def opens_a_microphone() -> None:
        with quiet_libraries():
            both.wait(30)
        first_is_done.set()

    def decodes_an_upload() -> None:
        with quiet_libraries():
            both.wait(30)
            assert first_is_done.wait(30)
            os.write(2, b"still not heard\n")

    before = open_descriptors()
    threads = [threading.Thread(target=one) for one in (opens_a_microphone, decodes_an_upload)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    os.write(2, b"heard again\n")
    say("and said")
    assert capfd.readouterr().err.splitlines() == ["heard again", "and said"]
    assert open_descriptors() == before


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_a_log_that_cannot_be_written_ends_nothing_and_goes_nowhere_else(where: str) -> None:
    if "full" in where and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    listen = f"{sys.executable} -m edge_runtime.cli listen --source examples/demo.wav"
    done = subprocess.run(
        ["sh", "-c", f"{listen} --format jsonl {where}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines
    assert all(line.startswith('{"kind": ') for line in lines)
