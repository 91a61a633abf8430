"""Standard output as an output, in processes whose standard output is what it may be."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from edge_runtime.outputs.standard_output import StandardOutput

from ..some_events import some_event

ROOT = Path(__file__).resolve().parents[2]
START = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.some_events import some_event
from edge_runtime.outputs.outlet import Outlet
from edge_runtime.outputs.standard_output import StandardOutput
"""
# Says on standard error what became of 1000 events, the way a program ends with signals.
PROGRAM = (
    START
    + """
import signal, threading
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
outlet = Outlet(StandardOutput("jsonl"), lambda line: None)
for number in range(1000):
    outlet.put(some_event(number))
print("ready", file=sys.stderr, flush=True)
while not stop.wait(0.05) and outlet.error is None:
    pass
outlet.close(0.3)
print(outlet.delivered, outlet.dropped, outlet.error, file=sys.stderr, flush=True)
"""
)


def start(script: str, stdout: object) -> subprocess.Popen[str]:
    # Python's own buffer is what a program has by default.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-c", script], env=env, stdout=stdout, stderr=subprocess.PIPE, text=True
    )


def test_writes_a_line_at_once(capfd):
    output = StandardOutput("text")
    output.deliver(some_event(1))
    assert capfd.readouterr().out == some_event(1).to_text() + "\n"
    StandardOutput("jsonl").deliver(some_event(2))
    assert json.loads(capfd.readouterr().out) == asdict(some_event(2))


def test_writes_to_what_python_code_put_in_its_place():
    with contextlib.redirect_stdout(io.StringIO()) as written:
        output = StandardOutput("jsonl")
        output.deliver(some_event(1))
        output.close()
    assert written.getvalue() == some_event(1).to_json() + "\n"


def test_a_service_may_have_none(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    output = StandardOutput("jsonl")
    output.deliver(some_event(1))
    output.close()
    assert sys.stdout is None


def test_a_label_that_the_terminal_cannot_show_is_escaped():
    script = START + "StandardOutput('text').deliver(some_event(1, label='überrascht'))"
    script = "import sys; sys.stdout.reconfigure(encoding='ascii')" + script
    out, err = start(script, subprocess.PIPE).communicate(timeout=60)
    assert (r"\xfcberrascht" in out, err) == (True, "")


def test_a_reader_that_goes_away_ends_it():
    child = start(PROGRAM, subprocess.PIPE)
    with child:
        assert child.stdout.readline() == some_event(0).to_json() + "\n"
        child.stdout.close()
        said = child.stderr.read().splitlines()
        assert child.wait(60) == 0
    assert said[-1].endswith("[Errno 32] Broken pipe")
    delivered, dropped = map(int, said[-1].split()[:2])
    assert delivered + dropped == 1000


def test_a_reader_that_never_reads_does_not_hold_up_the_end():
    child = start(PROGRAM, subprocess.PIPE)
    with child:
        assert child.stderr.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        # No more than the pipe held; and the process ends although the pipe is full.
        assert child.wait(60) == 0
        delivered, dropped, error = child.stderr.read().split()
        assert (int(delivered) + int(dropped), error) == (1000, "None")
        assert int(dropped) > 0
        whole = child.stdout.read().splitlines()[: int(delivered)]
        assert whole == [some_event(number).to_json() for number in range(int(delivered))]


def test_a_pipe_that_does_not_block_loses_nothing():
    """Such as one that a program in node shares with its child."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    child = start(PROGRAM, writing)
    os.close(writing)
    with child, os.fdopen(reading) as pipe:
        assert child.stderr.readline() == "ready\n"  # the pipe is full long since
        lines = [pipe.readline() for _ in range(1000)]
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
        assert child.stderr.read() == "1000 0 None\n"
    assert lines == [f"{some_event(number).to_json()}\n" for number in range(1000)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_ends_it():
    with Path("/dev/full").open("w") as full:
        child = start(PROGRAM, full)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 0
    assert said.splitlines()[-1] == "0 1000 [Errno 28] No space left on device"
