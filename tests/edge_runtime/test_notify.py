"""What the service manager is told, heard on a real socket."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime import notify
from edge_runtime.hardware import open_descriptors

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets"
)


@pytest.fixture(params=["file", "abstract"])
def manager(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """A manager's end of the notification socket."""
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has sockets without a file")
    with (
        tempfile.TemporaryDirectory(prefix="ser-edge-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening,
    ):
        path = str(Path(folder) / "notify")
        listening.bind(path if request.param == "file" else f"\0{path}")
        listening.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", path if request.param == "file" else f"@{path}")
        yield listening


def test_each_message_arrives_as_systemd_reads_it(manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    notify.ready()
    notify.watchdog()
    notify.reloading()
    notify.ready()
    notify.status("3 events")
    notify.stopping()
    heard = [manager.recv(4096).decode().split("\n") for _ in range(6)]
    assert heard[0] == ["READY=1"]
    assert heard[1] == ["WATCHDOG=1"]
    assert heard[2][0] == "RELOADING=1"
    name, _, microseconds = heard[2][1].partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(microseconds) <= time.monotonic_ns() // 1000
    assert heard[3:] == [["READY=1"], ["STATUS=3 events"], ["STOPPING=1"]]


@given(text=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_becomes_another_message(manager: socket.socket, text: str) -> None:
    notify.status(text)
    notify.watchdog()
    heard = manager.recv(65536).decode()
    if heard != "WATCHDOG=1":
        assert heard.startswith("STATUS=")
        assert "\n" not in heard
        assert manager.recv(4096) == b"WATCHDOG=1"


def test_manager_that_is_gone_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    open_before = open_descriptors()
    for _ in range(3):
        notify.watchdog()
    assert open_descriptors() == open_before


def test_nobody_asked_nobody_is_told(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = os.environ["NOTIFY_SOCKET"]
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify.ready()
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify.stopping()
    assert manager.recv(4096) == b"STOPPING=1"
