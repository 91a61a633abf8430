"""The whole daemon while what it depends on fails: nothing hangs, and nothing is lost unsaid."""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ..daemon import ROOT, Daemon, Lines
from .broker import Broker, Watcher, missing
from .virtual_microphone import VirtualMicrophone

PIPE = ("--source", "-", "--gate", "off", "--decision-minimum-count", "1", "--format", "jsonl")


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes events, or hangs as long as it is told to."""

    hangs = threading.Event()
    taken: list[dict] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        while self.hangs.is_set():
            time.sleep(0.05)
        self.taken.append(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook(port: int) -> Iterator[str]:
    Hook.hangs.clear()
    Hook.taken.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}/events"
    Hook.hangs.clear()
    server.shutdown()
    server.server_close()


def test_a_webhook_that_hangs_holds_nothing_up_and_gets_all_later(hook: str, speech) -> None:
    Hook.hangs.set()
    with Daemon(*PIPE, "--webhook-url", hook, "--webhook-timeout", "0.5") as daemon:
        daemon.push(speech(8.0))
        daemon.log.wait_for("webhook: ")
        # Standard output goes on meanwhile.
        daemon.wait_for_event(kind="update")
        Hook.hangs.clear()
        daemon.log.wait_for("delivers again")
        daemon.end_of_input()
        assert daemon.wait() == 0
        daemon.output.all()
        sent = [event for event in daemon.events if event["kind"] != "update"]
    assert sent
    # What came while it hung may have come twice, for it was never answered.
    assert [event for event in sent if event not in Hook.taken] == []


def test_a_terminated_daemon_does_not_wait_for_a_webhook_that_hangs(hook: str, speech) -> None:
    Hook.hangs.set()
    with Daemon(*PIPE, "--webhook-url", hook, "--webhook-timeout", "30") as daemon:
        daemon.push(speech(4.0))
        daemon.wait_for_event(kind="start")
        asked = time.monotonic()
        daemon.signal("SIGTERM")
        assert daemon.wait() == 0
        assert time.monotonic() - asked < 2.0
        assert any("not delivered at the end" in line for line in daemon.log.all())


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_broker_that_restarts_gets_every_event(tmp_path: Path, speech) -> None:
    with closing(Broker(tmp_path)) as broker, closing(Watcher(broker)) as heard:
        options = ("--mqtt-host", "127.0.0.1", "--mqtt-port", str(broker.port))
        with Daemon(*PIPE, *options) as daemon:
            daemon.push(speech(4.0))
            heard.wait_for(heard.events)
            broker.stop()
            daemon.push(speech(4.0))
            daemon.log.wait_for("events are kept")
            broker.start()
            daemon.log.wait_for("delivers again")
            daemon.end_of_input()
            assert daemon.wait() == 0
            daemon.output.all()
            wanted = daemon.events
        heard.wait_for(lambda: all(event in heard.events() for event in wanted))


def test_a_client_that_never_reads_does_not_hold_the_daemon_up(port: int, speech) -> None:
    with Daemon(*PIPE, "--http", f"127.0.0.1:{port}") as daemon:
        daemon.log.wait_for("serving http://127.0.0.1")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            daemon.push(speech(30.0))
            daemon.end_of_input()
            assert daemon.wait() == 0
            daemon.output.all()
            assert daemon.events[-1]["kind"] == "end"


def test_the_page_metrics_and_health_tell_of_the_same_events(port: int, speech) -> None:
    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    with Daemon(*PIPE, "--http", f"127.0.0.1:{port}") as daemon:
        daemon.push(speech(4.0))
        daemon.wait_for_event(kind="start")
        assert json.loads(get("/healthz"))
        history = json.loads(get("/history"))
        assert history["events"][0]["label"] == daemon.events[0]["label"]
        starts = [line for line in get("/metrics").splitlines() if "events" in line]
        assert starts
        # The process ends in time with a client that holds its connection.
        asked = time.monotonic()
        daemon.signal("SIGTERM")
        assert daemon.wait() == 0
        assert time.monotonic() - asked < 2.0


def test_a_clock_that_is_set_back_changes_nothing_but_the_times_told(
    tmp_path: Path, speech
) -> None:
    library = _libfaketime()
    if library is None:
        pytest.skip("libfaketime is not installed (apt-get install libfaketime)")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    environment = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    with Daemon(*PIPE, env=environment) as daemon:
        daemon.push(speech(4.0))
        before = daemon.wait_for_event(kind="start")
        clock.write_text("-3600")
        daemon.push(speech(6.0))
        daemon.end_of_input()
        assert daemon.wait() == 0
        daemon.output.all()
        last = daemon.events[-1]
        moments = [event["monotonic"] for event in daemon.events]
        ends = [event["end"] for event in daemon.events]
    assert last["kind"] == "end"
    assert last["time"] < before["time"]
    assert moments == sorted(moments)
    assert ends == sorted(ends)
    assert all(0.0 <= event["latency_ms"] < 60_000 for event in daemon.events)


def _libfaketime() -> str | None:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else None


def test_a_daemon_that_stood_still_says_that_sound_was_lost(
    virtual_microphone: VirtualMicrophone, speech_file
) -> None:
    with Daemon("--device", "pulse", env=virtual_microphone.env) as daemon:
        daemon.is_listening()
        daemon.signal("SIGSTOP")
        player = virtual_microphone.play(speech_file)
        player.wait()
        time.sleep(1.0)
        daemon.signal("SIGCONT")
        daemon.log.wait_for(lambda line: "sound was lost" in line or "lost: " in line)
        assert daemon.process.poll() is None


@pytest.mark.parametrize("options", [(), ("--wait",)])  # open already, and about to be
def test_a_sound_system_that_hangs_for_good_ends_the_daemon_for_another_to_begin(
    options: tuple[str, ...], virtual_microphone: VirtualMicrophone
) -> None:
    sooner = "import sys, edge_runtime.cli, edge_runtime.service as s; s.HUNG_SECONDS = 6.0; "
    arguments = ["listen", "--device", "pulse", *options]
    script = f"{sooner}sys.exit(edge_runtime.cli.main({arguments}))"
    daemon = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=virtual_microphone.env,
        stderr=subprocess.PIPE,
        text=True,
    )
    with daemon:
        log = Lines(daemon.stderr)
        try:
            log.wait_for("listening to")
            virtual_microphone.hang()
            assert daemon.wait(60) == 1
        finally:
            virtual_microphone.go_on()
            daemon.kill()
    assert "the sound system has hung for 6 s" in log.all()[-1]
