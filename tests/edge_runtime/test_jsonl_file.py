"""The file of events: whole lines, rotation, full disks, and files that go away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.outputs import outlet as outlet_module
from edge_runtime.outputs.jsonl_file import JsonlFile
from edge_runtime.outputs.outlet import Outlet
from edge_runtime.outputs.output import NotDeliveredError

from ..disks import small_disk
from ..some_events import some_event, wait_until

ROOT = Path(__file__).resolve().parents[2]
LINE = len(some_event(100).to_json()) + 1


def starts(*paths: Path) -> list[float]:
    """Which events files hold; every line must be whole."""
    text = "".join(path.read_text() for path in paths)
    assert text == "" or text.endswith("\n")
    return [json.loads(line)["start"] for line in text.splitlines()]


def fill(output: JsonlFile, numbers: range) -> None:
    for number in numbers:
        output.deliver(some_event(number))


def n_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_a_line_is_there_as_soon_as_it_is_delivered(tmp_path):
    path = tmp_path / "events.jsonl"
    output = JsonlFile(path)
    for number in range(3):
        output.deliver(some_event(number))
        assert starts(path) == list(range(number + 1))
    assert path.read_text().splitlines()[2] == some_event(2).to_json()
    output.close()


def test_goes_on_where_an_earlier_run_ended(tmp_path):
    for number in range(3):
        output = JsonlFile(str(tmp_path / "events.jsonl"))
        output.deliver(some_event(number))
        output.close()
    assert starts(tmp_path / "events.jsonl") == [0, 1, 2]


def test_others_may_not_read_it(tmp_path):
    JsonlFile(tmp_path / "events.jsonl").close()
    assert (tmp_path / "events.jsonl").stat().st_mode & 0o007 == 0


@given(st.integers(1, 5 * LINE), st.integers(0, 4), st.integers(0, 30))
def test_rotated_files_hold_the_newest_events_in_order(tmp_path_factory, max_bytes, keep, n_events):
    folder = tmp_path_factory.mktemp("rotated")
    path = folder / "events.jsonl"
    output = JsonlFile(path, max_bytes, keep)
    fill(output, range(100, 100 + n_events))
    output.close()
    older = [folder / f"events.jsonl.{number}" for number in range(keep, 0, -1)]
    there = [one for one in (*older, path) if one.exists()]
    assert sorted(folder.iterdir()) == sorted(there)
    held = starts(*there)
    assert held == list(range(100 + n_events - len(held), 100 + n_events))
    per_file = max(1, max_bytes // LINE)
    assert len(held) >= min(n_events, keep * per_file + 1)
    assert all(one.stat().st_size <= max(max_bytes, LINE) for one in there)


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced", "emptied"])
def test_a_file_that_is_taken_away_is_begun_anew(tmp_path, how):
    path, moved = tmp_path / "events.jsonl", tmp_path / "elsewhere"
    output = JsonlFile(path)
    output.deliver(some_event(0))
    before = n_descriptors()
    if how == "deleted":
        path.unlink()
    elif how == "moved":  # as logrotate does
        path.rename(moved)
    elif how == "replaced":  # as logrotate does with "create"
        path.rename(moved)
        path.touch()
    else:  # as logrotate does with "copytruncate"
        os.truncate(path, 0)
    fill(output, range(1, 3))
    assert starts(path) == [1, 2]
    assert n_descriptors() == before
    output.close()
    if moved.exists():
        assert starts(moved) == [0]


def test_a_folder_that_goes_away_and_comes_back_costs_no_event(tmp_path, monkeypatch):
    monkeypatch.setattr(outlet_module, "LONGEST_RETRY_SECONDS", 0.1)
    folder, said = tmp_path / "folder", []
    folder.mkdir()
    path = folder / "events.jsonl"
    outlet = Outlet(JsonlFile(path), said.append)
    outlet.put(some_event(0))
    wait_until(lambda: outlet.delivered == 1)
    folder.rename(tmp_path / "away")
    for number in range(1, 5):
        outlet.put(some_event(number))
    wait_until(lambda: outlet.trouble)
    assert said == [
        f"jsonl: {path}: cannot be written: No such file or directory; up to 1000 events are kept"
    ]
    (tmp_path / "away").rename(folder)
    outlet.close(20.0)
    assert starts(path) == [0, 1, 2, 3, 4]
    assert outlet.dropped == 0


def test_a_half_line_of_a_failed_power_supply_spoils_no_other(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text(some_event(0).to_json() + "\n" + some_event(1).to_json()[:50])
    output = JsonlFile(path)
    output.deliver(some_event(2))
    output.close()
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    assert json.loads(lines[2])["start"] == 2.0


def test_a_full_disk_leaves_whole_lines_and_takes_them_when_there_is_room(tmp_path):
    with small_disk(tmp_path / "disk", kib=64) as disk:
        path, ballast = disk / "events.jsonl", disk / "ballast"
        output = JsonlFile(path)
        # The last page of the disk is the file's: lines fit until it is full, and one half.
        ballast.write_bytes(bytes((64 - 4) * 1024))
        with pytest.raises(NotDeliveredError, match="No space left on device"):
            fill(output, range(1000))
        number = len(path.read_text().splitlines())
        assert 4096 - LINE < path.stat().st_size <= 4096
        assert starts(path) == list(range(number))
        with pytest.raises(NotDeliveredError):
            output.deliver(some_event(number))
        assert starts(path) == list(range(number))
        ballast.unlink()
        output.deliver(some_event(number))
        assert starts(path) == list(range(number + 1))
        output.close()


def test_a_full_disk_costs_no_event_within_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(outlet_module, "LONGEST_RETRY_SECONDS", 0.1)
    with small_disk(tmp_path / "disk", kib=64) as disk:
        path, ballast, said = disk / "events.jsonl", disk / "ballast", []
        outlet = Outlet(JsonlFile(path), said.append, capacity=60)
        ballast.write_bytes(bytes((64 - 4) * 1024))
        for number in range(60):
            outlet.put(some_event(number))
        wait_until(lambda: outlet.trouble)
        assert 0 < outlet.delivered < 60
        ballast.unlink()
        outlet.close(20.0)
        assert starts(path) == list(range(60))
        assert (outlet.delivered, outlet.dropped) == (60, 0)
        assert said[0] == (
            f"jsonl: {path}: cannot be written: No space left on device; up to 60 events are kept"
        )


def test_a_killed_process_loses_nothing_that_was_delivered(tmp_path):
    path = tmp_path / "events.jsonl"
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.some_events import some_event
from edge_runtime.outputs.jsonl_file import JsonlFile
output = JsonlFile({str(path)!r})
for number in range(100000):
    output.deliver(some_event(number))
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        for _ in range(50):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        reported = [int(line) for line in child.stdout.read().splitlines()]
    held = starts(path)
    assert held == list(range(len(held)))
    assert len(held) > (reported[-1] if reported else 49)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "no/such/folder/events.jsonl",
            "cannot be written: No such file or directory; make its folder first",
        ),
        (".", "cannot be written: Is a directory"),
        ("pipe", "is no regular file; name another"),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path, name, reason):
    os.mkfifo(tmp_path / "pipe")
    before = n_descriptors()
    with pytest.raises(SerEdgeError) as refusal:
        JsonlFile(tmp_path / name)
    assert str(refusal.value) == f"{tmp_path / name}: {reason}"
    assert n_descriptors() == before


def test_one_that_is_never_used_holds_no_descriptor(tmp_path):
    before = n_descriptors()
    outputs = [JsonlFile(tmp_path / "events.jsonl") for _ in range(3)]
    assert n_descriptors() == before
    for output in outputs:
        output.close()
