"""Commands that are run for events: real processes that do what processes may do."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.outputs.command import OUTPUT_BYTES, Command
from edge_runtime.outputs.outlet import Outlet
from edge_runtime.outputs.output import NotDeliveredError

from ..some_events import some_event, wait_until

REPORT = """
import json, os, sys
report = {
    "event": sys.stdin.readline(), "rest": sys.stdin.read(), "arguments": sys.argv[2:],
    "environment": dict(os.environ), "group": os.getpgrp() == os.getpid(),
}
with open(sys.argv[1], "w") as file:
    json.dump(report, file)
"""


def python(script: str, *arguments: object) -> str:
    return shlex.join([sys.executable, "-c", script, *map(str, arguments)])


def is_running(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


def test_gives_the_event_on_standard_input_and_in_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_EDGE_MQTT_PASSWORD", "secret")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("OTHER", "kept")
    said = []
    output = Command(python(REPORT, tmp_path / "report", "*", "a b", "$HOME"), said.append)
    output.deliver(some_event(1, "start"))
    output.close()
    report = json.loads((tmp_path / "report").read_text())
    assert json.loads(report["event"]) == asdict(some_event(1, "start"))
    assert report["rest"] == ""
    assert report["arguments"] == ["*", "a b", "$HOME"]  # no shell expands them
    environment = report["environment"]
    ours = {name: value for name, value in environment.items() if name.startswith("SER_EDGE_")}
    assert ours == {
        "SER_EDGE_EVENT_KIND": "start",
        "SER_EDGE_EVENT_LABEL": "happy",
        "SER_EDGE_EVENT_SCORE": "0.7500",
    }
    assert environment["OTHER"] == "kept"
    assert "NOTIFY_SOCKET" not in environment
    assert report["group"]
    assert said == []


def test_what_it_prints_is_said_up_to_a_bound():
    said = []
    output = Command(python("print('one\\x1b[31m\\n' + 'x' * 10**6)"), said.append)
    output.deliver(some_event(1))
    line = said.pop()
    assert line.startswith(f"command: {sys.executable}: one?[31m xxx")
    assert len(line) < OUTPUT_BYTES + len(sys.executable) + 20
    assert said == []


def test_a_command_that_reads_nothing_is_no_failure():
    output = Command("true", print)
    for number in range(20):
        output.deliver(some_event(number))
    output.close()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import sys; print('no lamp'); sys.exit(3)", "ended with status 3: no lamp"),
        ("import sys; print('oh', file=sys.stderr); sys.exit(1)", "ended with status 1: oh"),
        ("import sys; sys.exit(2)", "ended with status 2"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
    ],
)
def test_a_failure_is_one_line(script, reason):
    output = Command(python(script), print)
    with pytest.raises(SerEdgeError) as failure:
        output.deliver(some_event(1))
    assert str(failure.value) == f"{sys.executable}: {reason}"
    assert not isinstance(failure.value, NotDeliveredError)


def test_is_killed_with_its_children_when_its_time_is_over(tmp_path):
    script = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "1000"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
print("waits", flush=True)
time.sleep(1000)
"""
    output = Command(python(script, tmp_path / "child"), print, timeout_seconds=1.0)
    with pytest.raises(SerEdgeError, match=r"was killed, for it took longer than 1 s"):
        output.deliver(some_event(1))
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not is_running(child))


def test_one_that_never_stops_printing_is_killed_too():
    output = Command("yes", print, timeout_seconds=0.3)
    with pytest.raises(SerEdgeError, match=r"^yes: was killed, for it took longer than 0.3 s$"):
        output.deliver(some_event(1))


def test_what_stays_in_the_background_is_not_waited_for(tmp_path):
    script = """
import pathlib, subprocess, sys
child = subprocess.Popen(["sleep", "1000"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
print("started")
"""
    said = []
    output = Command(python(script, tmp_path / "child"), said.append, timeout_seconds=60.0)
    output.deliver(some_event(1))
    assert said == [f"command: {sys.executable}: started"]
    child = int((tmp_path / "child").read_text())
    assert is_running(child)
    os.kill(child, signal.SIGKILL)


def test_leaves_no_process_and_no_descriptor_behind():
    outputs = [
        Command("cat", lambda line: None),
        Command("false", print),
        Command("sleep 1000", print, timeout_seconds=0.01),
    ]

    def run_all() -> None:
        for output in outputs:
            with suppress(SerEdgeError):
                output.deliver(some_event(1))

    def descriptors() -> list[str]:
        return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def children() -> set[str]:
        found = set()
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it may end meanwhile
                parent = status.read_text().rpartition(")")[2].split()[1]
                if int(parent) == os.getpid():
                    found.add(status.parent.name)
        return found

    run_all()
    before = descriptors(), children()
    for _ in range(50):
        run_all()
    assert (descriptors(), children()) == before


def test_a_program_that_goes_away_is_tried_again(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    output = Command(str(program), print)
    output.deliver(some_event(0))
    program.rename(tmp_path / "away")
    with pytest.raises(NotDeliveredError, match="cannot be started: No such file or directory"):
        output.deliver(some_event(1))
    (tmp_path / "away").rename(program)
    output.deliver(some_event(1))


def test_a_command_under_way_does_not_hold_up_the_end(tmp_path):
    script = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1] + ".new").write_text(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(1000)
"""
    outlet = Outlet(Command(python(script, tmp_path / "child"), print, 60.0), lambda line: None)
    outlet.put(some_event(1))
    wait_until((tmp_path / "child").exists)
    outlet.close(0.1)
    child = int((tmp_path / "child").read_text())
    assert is_running(child)
    assert outlet.dropped == 1
    os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("", "command: is empty; name a program"),
        ("   ", "command: is empty; name a program"),
        (
            "no-such-program --option",
            "command: there is no program 'no-such-program'; is it installed and executable?",
        ),
        ("/etc/passwd", "command: there is no program '/etc/passwd'; is it installed and "),
        ("echo 'a", 'command "echo \'a": no closing quotation; mend its quotes'),
    ],
)
def test_what_is_no_command_is_one_line(command, reason):
    with pytest.raises(SerEdgeError) as refusal:
        Command(command, print)
    assert str(refusal.value).startswith(reason)
    assert "\n" not in str(refusal.value)
