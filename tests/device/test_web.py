"""The web server over real sockets: what it answers, and whom it refuses."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.hardware import open_descriptors
from edge_runtime.outputs.outlet import Outlet
from edge_runtime.outputs.output import NotDeliveredError
from edge_runtime.status import Status, describe_model
from edge_runtime.web import Limits, WebServer
from edge_runtime.web.access import COOKIE

from .told import ABOUT, event, hop

TOKEN = "a-token-that-nobody-guesses"
# Short, so that a test need not wait long to see a client thrown out.
LIMITS = Limits(header_seconds=1.0, body_seconds=1.0, write_seconds=1.0)
PATIENCE = 30.0


@contextlib.contextmanager
def serving(
    status: Status | None = None,
    limits: Limits = LIMITS,
    token: str = "",
    address: str = "127.0.0.1:0",
    make_classifier: Callable[[], Classifier] = Classifier,
) -> Iterator[WebServer]:
    """A server whose log must stay empty."""
    said: list[str] = []
    server = WebServer(
        address, status or Status(ABOUT), make_classifier, said.append, token, limits
    )
    server.start()
    try:
        yield server
    finally:
        server.close(5.0)
    assert said == []


@pytest.fixture(scope="module")
def status() -> Status:
    return Status(ABOUT)


@pytest.fixture(scope="module")
def server(status: Status) -> Iterator[WebServer]:
    with serving(status) as running:
        yield running


@pytest.fixture(scope="module")
def guarded() -> Iterator[WebServer]:
    """A server with a token."""
    with serving(token=TOKEN) as running:
        yield running


class Reply:
    """An answer, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    server: WebServer,
    path: str = "/",
    method: str = "GET",
    body: bytes | None = None,
    **headers: str,
) -> Reply:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def connect(server: WebServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=PATIENCE)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        return received
    return received


def talk(server: WebServer, request: bytes) -> bytes:
    with connect(server) as connection:
        connection.sendall(request)
        return read_all(connection)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Follower:
    """A client of a stream of server-sent events."""

    def __init__(self, server: WebServer, path: str = "/events", **headers: str) -> None:
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", path, headers=named)
        self.response = self._connection.getresponse()

    def lines(self) -> list[str]:
        """The lines of the next message, or of a comment."""
        lines: list[str] = []
        while line := self.response.readline().decode().rstrip("\n"):
            lines.append(line)
        return lines

    def message(self, kind: str = "") -> dict[str, str]:
        """The next message of a kind, or of any."""
        while True:
            lines = self.lines()
            found = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
            if "event" in found and kind in ("", found["event"]):
                return found

    def close(self) -> None:
        self.response.close()
        self._connection.close()


def wav(samples: np.ndarray, rate: int = 16000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate, 0, "NONE", ""))
        writer.writeframes(np.round(32767 * samples).astype("<i2").tobytes())
    return file.getvalue()


def tone(seconds: float) -> np.ndarray:
    at = np.arange(int(16000 * seconds)) / 16000
    return 0.3 * np.sin(2 * np.pi * 220 * at) * np.sin(2 * np.pi * 3 * at)


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "content_type", "holds"),
    [
        ("/", "text/html; charset=utf-8", b"<title>ser-edge</title>"),
        ("/static/page.js", "text/javascript; charset=utf-8", b"EventSource"),
        ("/static/chart.js", "text/javascript; charset=utf-8", b"canvas"),
        ("/static/page.css", "text/css; charset=utf-8", b"prefers-color-scheme"),
        ("/static/icon.svg", "image/svg+xml", b"<svg"),
        ("/history", "application/json", b'"events"'),
        ("/healthz", "application/json", b'"ok"'),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", b"ser_edge_hops_total"),
    ],
)
def test_answers_with_safe_headers(server, path, content_type, holds):
    reply = ask(server, path)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == content_type
    assert holds in reply.body
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert reply.headers["Cache-Control"] == "no-store"
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert reply.headers["Server"] is None
    head = ask(server, path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == content_type


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/static/",
        "/static",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "//etc/passwd",
        "//static/page.js",
        "/static//page.js",
        "/static/page.js/",
        "/static/page.js%00",
        "/static/page.js%00.html",
        "/static\\page.js",
        "/..\\..\\app.py",
        "/static/page%2ejs",
        "/static/pageXjs",
        "/%",
        "/%zz",
        "/%ff%fe",
        "http://127.0.0.1/etc/passwd",
        "/static/page.js;x",
        "/events/",
    ],
)
def test_path_tricks_find_nothing(server, path):
    reply = ask(server, path)
    assert reply.status == 404
    assert reply.json == {"error": "there is nothing at this address"}


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1\0", b"GET /\0 HTTP/1.1", b"GET", b"\xff\xfe", b"G T / HTTP/1.1"]
)
def test_malformed_request_line_is_refused(server, line):
    received = talk(server, line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert received == b"" or received.split()[1] in (b"400", b"404", b"405")


@pytest.mark.parametrize("path", ["/", "/events", "/live", "/history", "/healthz", "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_refused(server, path, method):
    reply = ask(server, path, method)
    assert reply.status == 405
    assert reply.headers["Allow"] == "GET, HEAD"
    assert reply.json == {"error": "method not allowed"}


def test_files_are_classified_by_post_only(server):
    reply = ask(server, "/classify")
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")


def test_served_on_ipv6():
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 loopback here: {error}")
    with serving(address="[::1]:0") as running:
        assert running.url == f"http://[::1]:{running.port}/"
        assert ask(running, "/healthz").status == 200


# --- who may ask ----------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.168.1.5:8765", "[::]:0"])
def test_other_than_loopback_needs_a_token(address):
    with pytest.raises(SerEdgeError, match="needs a token") as caught:
        WebServer(address, Status(ABOUT), Classifier, print)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("token", ["short", "sixteen and a space", "ä" * 20])
def test_weak_token_is_refused(token):
    with pytest.raises(SerEdgeError, match="at least 16"):
        WebServer("127.0.0.1:0", Status(ABOUT), Classifier, print, token)


@pytest.mark.parametrize(
    "address",
    ["", ":8765", "8765", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:8765", "a b:1",
     "example.org:80", "127.0.0.1:80/x", "u@127.0.0.1:80", "[::1]", "http://127.0.0.1:80"],
)  # fmt: skip
def test_address_that_is_none_is_refused(address):
    with pytest.raises(SerEdgeError, match="no address to serve on"):
        WebServer(address, Status(ABOUT), Classifier, print)


def test_port_that_is_taken_is_said(server):
    other = WebServer(f"127.0.0.1:{server.port}", Status(ABOUT), Classifier, print)
    with pytest.raises(SerEdgeError, match=f"cannot serve on 127.0.0.1 port {server.port}"):
        other.start()
    other.close(1.0)


def test_missing_package_is_said(tmp_path):
    for package in ("tornado", "prometheus_client"):
        (tmp_path / f"{package}.py").write_text(f"raise ImportError('gone', name='{package}')")
    script = (
        "from edge_runtime.status import Status\n"
        "from edge_runtime.web import WebServer\n"
        f"server = WebServer('127.0.0.1:0', Status({ABOUT!r}), None, print)\n"
        "try:\n    server.start()\nexcept Exception as error:\n    print(error)\n"
    )
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([str(tmp_path), root])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stdout.count("\n") == 1
    assert "pip install 'ser-edge[http]'" in done.stdout


@pytest.mark.parametrize(
    "path", ["/", "/events", "/live", "/history", "/metrics", "/nothing", "/static/page.js"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-wrong-wrong-wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Cookie": f"{COOKIE}={TOKEN}"},
        {"Cookie": f"{COOKIE}="},
        {"Cookie": "\xff=;;=,"},
    ],
)  # fmt: skip
def test_wrong_token_is_refused(guarded, path, headers):
    reply = ask(guarded, path, **headers)
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN.encode() not in reply.body


def test_wrong_token_may_not_classify(guarded):
    assert ask(guarded, "/classify", "POST", wav(tone(1.0))).status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_right_token_is_let_in_under_any_name(guarded, scheme):
    reply = ask(guarded, "/history", Authorization=f"{scheme} {TOKEN}", Host="pi.example.org")
    assert reply.status == 200


def test_page_takes_the_token_and_gives_a_cookie_in_place_of_it(guarded):
    assert ask(guarded, "/?token=wrong-wrong-wrong-wrong").status == 401
    assert ask(guarded, "/?token=%ff").status in (400, 401)
    reply = ask(guarded, f"/?token={TOKEN}")
    assert reply.status == 200
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    proof = cookie.split(";")[0]
    assert ask(guarded, "/history", Cookie=proof).status == 200
    assert ask(guarded, "/", Cookie=proof).status == 200


def test_token_in_other_addresses_is_no_token(guarded):
    # Addresses are kept in logs and histories.
    assert ask(guarded, f"/metrics?token={TOKEN}").status == 401


def test_health_needs_no_token(guarded):
    assert ask(guarded, "/healthz").status == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:1", "[::1]:8765"]
)
def test_own_names_are_answered(server, host):
    assert ask(server, "/history", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "localhost.evil.example", "127.0.0.1.evil.example",
     "192.168.1.5", "x@127.0.0.1@evil.example", "[::1", "::1", ""],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/events", "/history", "/healthz", "/nothing"])
def test_other_names_are_refused(server, host, path):
    # A page whose name was pointed to 127.0.0.1 asks under that name.
    assert ask(server, path, Host=host).status in (400, 403)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "http://[", ""]
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/classify"), ("GET", "/events")])
def test_pages_of_other_sites_are_refused(server, origin, method, path):
    assert ask(server, path, method, Origin=origin).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_requests_that_browsers_mark_as_foreign_are_refused(server, site):
    marks = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "no-cors"}
    assert ask(server, "/metrics", **marks).status == 403
    # A link to the page is no secret request.
    assert ask(server, "/", **{**marks, "Sec_Fetch_Mode": "navigate"}).status == 200


def test_own_page_may_post(server):
    origin = f"http://127.0.0.1:{server.port}"
    marks = {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors"}
    reply = ask(server, "/classify", "POST", wav(tone(1.0)), Origin=origin, **marks)
    assert reply.status == 200


# --- health and metrics ---------------------------------------------------------------------------


def test_health_tells_a_loop_that_stopped(monkeypatch):
    status = Status(ABOUT)
    with serving(status) as running:
        assert ask(running, "/healthz").json["ok"] is True
        status.note_source("listening", "")
        status.note_hop(hop(0))
        assert ask(running, "/healthz").status == 200
        # Nobody should have to wait ten seconds to see it.
        monkeypatch.setattr(status, "_last_hop", time.monotonic() - 11.0)
        reply = ask(running, "/healthz")
        assert reply.status == 503
        assert reply.json["reason"] == "no hop for 11 s although the source is open"
        status.note_source("lost", "unplugged; tries again")
        reply = ask(running, "/healthz")
        assert reply.status == 200
        assert reply.json["source"] == {"state": "lost", "detail": "unplugged; tries again"}


class AwayOutput:
    name = "away"

    def deliver(self, _event: Event) -> None:
        raise NotDeliveredError("nobody answers")

    def close(self) -> None:
        pass


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            key = one.name, tuple(one.labels.values())
            assert key not in found, "a series must be there once"
            found[key] = one.value
    return found


def test_metrics_are_what_the_status_is():
    outlets = [Outlet(AwayOutput(), lambda _line: None) for _ in range(2)]
    status = Status(ABOUT, outlets)
    status.note_source("listening", "")
    for number in range(3):
        status.note_hop(hop(number))
    status.note_hop(replace(hop(3, level=float("-inf")), scores=None, is_open=False))
    status.note_event(event())
    outlets[0].put(event())
    status.note_losses(4, 2.5)
    try:
        with serving(status) as running:
            found = samples(ask(running, "/metrics").body.decode())
            again = samples(ask(running, "/metrics").body.decode())
    finally:
        for outlet in outlets:
            outlet.close(0.1)
    assert found["ser_edge_hops_total", ()] == 4
    assert found["ser_edge_inferences_total", ()] == 3
    assert found["ser_edge_overflows_total", ()] == 4
    assert found["ser_edge_dropped_sound_seconds_total", ()] == 2.5
    assert found["ser_edge_emotions_total", ("happy",)] == 1
    assert found["ser_edge_emotions_total", ("sad",)] == 0
    assert found["ser_edge_latency_seconds_count", ()] == 3
    assert found["ser_edge_latency_seconds_sum", ()] == pytest.approx(0.009)
    assert found["ser_edge_latency_seconds_bucket", ("0.002",)] == 0
    assert found["ser_edge_latency_seconds_bucket", ("0.005",)] == 3
    assert found["ser_edge_level_dbfs", ()] == float("-inf")
    assert found["ser_edge_gate_open", ()] == 0
    assert found["ser_edge_source_state", ("listening",)] == 1
    assert found["ser_edge_source_state", ("lost",)] == 0
    assert found["ser_edge_output_waiting_events", ("away",)] == 1
    assert found["ser_edge_output_waiting_events", ("away 2",)] == 0
    assert found["process_resident_memory_bytes", ()] > 1e6
    assert found["process_cpu_seconds_total", ()] > 0
    assert found["process_open_fds", ()] > 3
    assert set(found) == set(again), "scraping makes no series"
    info = next(labels for name, labels in found if name == "ser_edge_build_info")
    assert set(info) == {"1.2.3", "m@12345678"}


def test_metrics_as_openmetrics(server):
    accept = "application/openmetrics-text; version=1.0.0"
    reply = ask(server, "/metrics", Accept=accept)
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
    assert reply.body.endswith(b"# EOF\n")


def test_history_is_json_whatever_the_level():
    status = Status(ABOUT)
    status.note_hop(hop(0, level=float("-inf")))
    status.note_event(event())
    with serving(status) as running:
        told = ask(running, "/history").json
    assert told["hops"][0]["level_dbfs"] is None
    assert told["events"][0]["label"] == "happy"
    assert told["status"]["counts"]["hops"] == 1


# --- streams --------------------------------------------------------------------------------------


def test_events_come_as_every_output_has_them():
    status = Status(ABOUT)
    with serving(status) as running:
        follower = Follower(running)
        assert follower.response.headers["Content-Type"] == "text/event-stream"
        assert follower.lines() == ["retry: 2000"]
        status.note_hop(hop(0))  # of no interest to programs
        told = [event(kind, number) for number, kind in enumerate(("start", "update", "end"))]
        for one in told:
            status.note_event(one)
        received = [follower.message() for _ in told]
        follower.close()
    assert [one["event"] for one in received] == ["start", "update", "end"]
    assert [one["data"] for one in received] == [one.to_json() for one in told]
    assert len({one["id"] for one in received}) == 3


def test_client_that_comes_back_has_missed_nothing():
    status = Status(ABOUT)
    with serving(status) as running:
        follower = Follower(running)
        status.note_event(event(number=1))
        last = follower.message()["id"]
        follower.close()
        for number in (2, 3):
            status.note_event(event(number=number))
        back = Follower(running, Last_Event_ID=last)
        assert [json.loads(back.message()["data"])["start"] for _ in range(2)] == [2.0, 3.0]
        back.close()
        # Of another run of the daemon, or nonsense: it begins with what comes.
        for strange in ("00000000-1", "x", last.split("-")[0], f"{last}²"):
            new = Follower(running, Last_Event_ID=strange)
            assert new.lines() == ["retry: 2000"]
            status.note_event(event(number=4))
            assert json.loads(new.message()["data"])["start"] == 4.0
            new.close()


def test_page_is_told_everything():
    status = Status(ABOUT)
    with serving(status) as running:
        follower = Follower(running, "/live")
        assert json.loads(follower.message("status")["data"])["about"]["model"] == "m@12345678"
        status.note_hop(hop(7))
        assert json.loads(follower.message("hop")["data"])["end"] == 3.5
        status.note_source("lost", "unplugged")
        assert json.loads(follower.message("source")["data"])["state"] == "lost"
        status.renew({**ABOUT, "model": "other@1"}, ())
        assert json.loads(follower.message("about")["data"])["model"] == "other@1"
        status.note_event(event("end"))
        assert json.loads(follower.message("end")["data"])["label"] == "happy"
        machine = json.loads(follower.message("status")["data"])["machine"]
        assert machine["resident_bytes"] > 1e6
        assert machine["cpu_share"] >= 0.0
        follower.close()


def test_quiet_stream_has_a_heartbeat():
    with serving(limits=replace(LIMITS, heartbeat_seconds=0.05)) as running:
        follower = Follower(running)
        assert follower.lines() == ["retry: 2000"]
        assert follower.lines() == [": still here"]
        follower.close()


def test_streams_are_bounded_and_their_places_come_back():
    status = Status(ABOUT)
    with serving(status, replace(LIMITS, streams=2)) as running:
        followers = [Follower(running), Follower(running, "/live")]
        refused = ask(running, "/events")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
        followers[0].close()
        until(lambda: ask(running, "/events", "HEAD").status == 200 and streams(running) == 1)
        followers.append(Follower(running))
        assert followers[-1].response.status == 200
        for follower in followers:
            follower.close()


def streams(server: WebServer) -> float:
    return samples(ask(server, "/metrics").body.decode())["ser_edge_http_streams", ()]


def test_client_that_never_reads_is_disconnected_and_disturbs_nobody():
    status = Status({**ABOUT, "source": "x" * 2000})
    with serving(status, replace(LIMITS, stream_messages=5)) as running:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((running.host, running.port))
        deaf.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        other = Follower(running)
        until(lambda: streams(running) == 2)
        number = 0

        def is_disconnected() -> bool:
            nonlocal number
            number += 1
            # As much as it takes to fill all buffers, as fast as the server takes it.
            status.renew({**ABOUT, "source": "x" * 100_000}, ())
            status.note_event(event(number=number))
            assert json.loads(other.message()["data"])["start"] == float(number)
            return streams(running) == 1

        until(is_disconnected)
        found = samples(ask(running, "/metrics").body.decode())
        assert found["ser_edge_http_dropped_messages_total", ()] > 0
        other.close()
        deaf.close()


def test_answer_that_nobody_reads_is_given_up():
    status = Status({**ABOUT, "source": "x" * 20_000_000})
    with serving(status, replace(LIMITS, connections=2)) as running:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((running.host, running.port))
        deaf.sendall(b"GET /history HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deaf.settimeout(PATIENCE)
        deaf.recv(1)
        until(lambda: open_connections(running) == 1)
        deaf.close()


def open_connections(server: WebServer) -> int:
    """How many sockets the server holds, the one that asks among them."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    here = f"0100007F:{server.port:04X}"
    established = [one for one in map(str.split, lines) if one[1] == here and one[3] == "01"]
    return len(established) + 1


def test_close_ends_open_streams_in_time():
    status = Status(ABOUT)
    with serving(status) as running:
        followers = [Follower(running, path) for path in ("/events", "/live")]
        idle = connect(running)
        begin = time.monotonic()
        running.close(5.0)
        assert time.monotonic() - begin < 5.0
        for follower in followers:
            follower.response.read()  # to its end
            follower.close()
        assert read_all(idle) == b""
        idle.close()
        with pytest.raises(ConnectionError):
            connect(running)
        status.note_hop(hop(0))  # goes on without it
        status.note_event(event())


def test_no_threads_or_descriptors_stay_behind():
    def cycle() -> None:
        with serving() as running:
            follower = Follower(running, "/live")
            assert ask(running, "/classify", "POST", b"x").status == 422
            follower.close()

    cycle()
    descriptors = open_descriptors()
    threads = threading.active_count()
    for _ in range(3):
        cycle()
    until(lambda: threading.active_count() <= threads)
    assert open_descriptors() <= descriptors


# --- slow and greedy clients ----------------------------------------------------------------------


def drip(server: WebServer, begin: bytes) -> None:
    """Send a byte now and then until the server has enough of it."""
    with connect(server) as connection:
        connection.sendall(begin)
        end = time.monotonic() + PATIENCE
        with contextlib.suppress(ConnectionError):
            while True:
                assert time.monotonic() < end, "the server holds on to a client that drips"
                connection.sendall(b"a")
                if select.select([connection], [], [], 0.1)[0] and not connection.recv(100):
                    return


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"GE",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
        b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
        b"GET /history HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
    ],
)
def test_slow_client_is_disconnected(server, begin):
    drip(server, begin)


def test_slow_upload_gives_its_place_back(server):
    drip(server, b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    until(lambda: ask(server, "/classify", "POST", wav(tone(0.5))).status == 200)


def test_upload_that_is_broken_off_gives_its_place_back(server):
    for _ in range(3):
        with connect(server) as connection:
            head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
            connection.sendall(head + b"RIFF")
        until(lambda: ask(server, "/classify", "POST", wav(tone(0.5))).status == 200)


def test_idle_client_is_disconnected(server):
    with connect(server) as connection:
        assert read_all(connection) == b""


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 4000 + b"\r\n",
        b"a" * 200_000,
    ],
)
def test_oversize_head_is_refused(server, request_head):
    with connect(server) as connection:
        try:
            connection.sendall(request_head)
        except ConnectionError:
            return
        assert b"200" not in read_all(connection)


def test_body_where_none_belongs_is_refused(server):
    head = b"GET /history HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    assert talk(server, head).startswith(b"HTTP/1.1 400")


def test_connections_are_bounded():
    with serving(limits=replace(LIMITS, connections=3, header_seconds=PATIENCE)) as running:
        held = []
        for _ in range(3):
            connection = http.client.HTTPConnection(running.host, running.port, timeout=PATIENCE)
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()
            held.append(connection)
        with connect(running) as refused:
            assert read_all(refused) == b""
        held.pop().close()

        def is_let_in() -> bool:
            try:
                return ask(running, "/healthz").status == 200
            except (ConnectionError, http.client.HTTPException):
                return False

        until(is_let_in)
        for connection in held:
            connection.close()


# --- uploads --------------------------------------------------------------------------------------


def test_classifies_as_the_command_line_does(server, tmp_path):
    sound = tone(2.5)
    reply = ask(server, "/classify", "POST", wav(sound))
    assert reply.status == 200
    answer = reply.json
    from edge_runtime.sources import read_clip

    path = tmp_path / "same.wav"
    path.write_bytes(wav(sound))
    expected = Classifier().classify(read_clip(path, 16000))
    assert answer["label"] == expected.label
    assert answer["score"] == pytest.approx(expected.score, abs=1e-4)
    assert answer["scores"] == pytest.approx(expected.scores, abs=1e-4)
    assert answer["duration"] == 2.5
    assert answer["latency_ms"] > 0.0
    assert answer["model"] == Classifier().model_id


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "AIFF"])
def test_classifies_compressed_files(server, kind):
    soundfile = pytest.importorskip("soundfile", reason="soundfile writes the files")
    file = io.BytesIO()
    soundfile.write(file, tone(2.0), 16000, format=kind)
    reply = ask(server, "/classify", "POST", file.getvalue(), Content_Type="audio/wav")
    assert reply.status == 200
    assert reply.json["duration"] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is empty"),
        (b"<html>no sound</html>", "is not a sound file"),
        (wav(np.zeros(16000)), "is silent"),
        (wav(np.sign(tone(1.0))), "is clipped"),
        (wav(tone(0.1)), "too short"),
        (wav(tone(1.0))[:10000], "truncated"),
        (b"fLaC" + b"\0" * 500, "the upload"),
        (b"OggS" + b"\xff" * 500, "the upload"),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(server, body, reason):
    reply = ask(server, "/classify", "POST", body)
    assert reply.status == 422
    assert reason in reply.json["error"]
    assert "\n" not in reply.json["error"]
    assert "/proc" not in reply.json["error"]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3"])
def test_sound_of_more_than_a_minute_is_refused(server, kind):
    soundfile = pytest.importorskip("soundfile", reason="soundfile writes the files")
    for seconds, status in ((59.0, 200), (61.0, 422)):
        file = io.BytesIO()
        soundfile.write(file, tone(seconds), 16000, format=kind)
        reply = ask(server, "/classify", "POST", file.getvalue())
        assert reply.status == status, reply.body
    assert reply.json == {"error": "the upload: is longer than 60 seconds; send a part of it"}


def test_large_file_is_refused_before_it_is_sent():
    with serving(limits=replace(LIMITS, upload_bytes=1000)) as running:
        head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: %b\r\n\r\n"
        for n_bytes in (b"1001", b"1" + b"0" * 18, b"9" * 5000):
            reply = talk(running, head % n_bytes)
            assert reply.startswith(b"HTTP/1.1 413")
            assert reply.count(b"HTTP/1.1") == 1
            assert b"larger than 1000 bytes" in reply


def test_large_file_of_unknown_length_is_refused():
    with serving(limits=replace(LIMITS, upload_bytes=1000)) as running:
        head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert talk(running, head + b"200\r\n" + b"a" * 512 + b"\r\n0\r\n\r\n").startswith(
            b"HTTP/1.1 422"
        )
        reply = talk(running, head + (b"200\r\n" + b"a" * 512 + b"\r\n") * 5)
        assert reply.startswith(b"HTTP/1.1 413")
        assert talk(running, head + b"fffffff\r\n").startswith(b"HTTP/1.1 400")
        until(lambda: ask(running, "/classify", "POST", b"x").status == 422)


def test_form_is_refused_with_what_to_send(server):
    reply = ask(server, "/classify", "POST", b"--x", Content_Type="multipart/form-data; boundary=x")
    assert reply.status == 415
    assert "--data-binary" in reply.json["error"]


def test_one_upload_at_a_time_and_the_rest_goes_on():
    is_asked, may_go = threading.Event(), threading.Event()

    def make_classifier() -> Classifier:
        is_asked.set()
        assert may_go.wait(PATIENCE)
        return Classifier()

    replies = []
    status = Status(ABOUT)
    with serving(status, make_classifier=make_classifier) as running:
        first = threading.Thread(
            target=lambda: replies.append(ask(running, "/classify", "POST", wav(tone(1.0))))
        )
        first.start()
        assert is_asked.wait(PATIENCE)
        refused = ask(running, "/classify", "POST", wav(tone(1.0)))
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        follower = Follower(running)
        status.note_event(event())
        assert follower.message()["event"] == "start"
        follower.close()
        may_go.set()
        first.join()
        assert replies[0].status == 200
        assert ask(running, "/classify", "POST", wav(tone(1.0))).status == 200


def test_upload_that_takes_too_long_is_given_up():
    may_go = threading.Event()

    def make_classifier() -> Classifier:
        assert may_go.wait(PATIENCE)
        return Classifier()

    limits = replace(LIMITS, classify_seconds=0.1)
    with serving(limits=limits, make_classifier=make_classifier) as running:
        reply = ask(running, "/classify", "POST", wav(tone(1.0)))
        assert reply.status == 503
        assert "too long" in reply.json["error"]
        assert ask(running, "/classify", "POST", wav(tone(1.0))).status == 503  # still at it
        may_go.set()
        until(lambda: ask(running, "/classify", "POST", wav(tone(0.5))).status == 200)


def test_close_does_not_wait_for_an_upload():
    is_asked, may_go = threading.Event(), threading.Event()

    def make_classifier() -> Classifier:
        is_asked.set()
        assert may_go.wait(PATIENCE)
        raise SerEdgeError("the end")

    with serving(make_classifier=make_classifier) as running, connect(running) as connection:
        body = wav(tone(0.5))
        head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % len(body) + body)
        assert is_asked.wait(PATIENCE)
        begin = time.monotonic()
        running.close(5.0)
        assert time.monotonic() - begin < 5.0
        may_go.set()


def test_renewed_it_classifies_with_another_model():
    made = []

    def make_classifier() -> Classifier:
        made.append(Classifier())
        return made[-1]

    with serving(make_classifier=make_classifier) as running:
        for _ in range(2):
            assert ask(running, "/classify", "POST", wav(tone(0.5))).status == 200
        assert len(made) == 1
        running.renew()
        assert ask(running, "/classify", "POST", wav(tone(0.5))).status == 200
        assert len(made) == 2


def test_model_that_is_gone_is_said():
    def make_classifier() -> Classifier:
        raise SerEdgeError("gone.tflite: no such model file")

    with serving(make_classifier=make_classifier) as running:
        reply = ask(running, "/classify", "POST", wav(tone(0.5)))
    assert (reply.status, reply.json) == (503, {"error": "gone.tflite: no such model file"})


def test_fault_is_one_line_in_the_log_and_none_in_the_answer():
    said: list[str] = []

    def make_classifier() -> Classifier:
        raise RuntimeError("a secret\nof two lines")

    server = WebServer("127.0.0.1:0", Status(ABOUT), make_classifier, said.append)
    server.start()
    try:
        reply = ask(server, "/classify", "POST", wav(tone(0.5)))
        assert (reply.status, reply.json) == (500, {"error": "internal server error"})
        assert ask(server, "/classify", "POST", wav(tone(0.5))).status == 500  # not for ever busy
    finally:
        server.close(5.0)
    assert said == ["http: POST /classify: RuntimeError: a secret\\nof two lines"] * 2


def test_bundled_model_is_described_in_the_history():
    status = Status({**ABOUT, **describe_model(Classifier())})
    with serving(status) as running:
        about = ask(running, "/history").json["status"]["about"]
    assert about["model_hash"].startswith(about["model"].split("@")[1])
    assert 0.0 < about["figures"]["uar"] < 1.0


# --- anything ------------------------------------------------------------------------------------

ANY_BYTES = st.binary(max_size=300)
TARGETS = st.one_of(
    st.sampled_from(
        [b"/", b"/metrics", b"/history", b"/classify", b"/healthz", b"/static/page.js"]
    ),
    st.binary(max_size=60).map(lambda raw: b"/" + raw),
    st.text(max_size=30).map(lambda text: b"/static/" + text.encode()),
)
METHODS = st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"CONNECT", b"X"])
HEADERS = st.lists(
    st.one_of(
        st.sampled_from(
            [b"Transfer-Encoding: chunked", b"Content-Length: 5", b"Content-Length: -1",
             b"Expect: 100-continue", b"Cookie: =;;\"", b"Range: bytes=0-1", b"Accept: */*",
             b"Content-Type: multipart/form-data", b"Content-Encoding: gzip",
             b"Upgrade: websocket", b"If-None-Match: *"]
        ),
        st.tuples(ANY_BYTES, ANY_BYTES).map(b": ".join),
    ),
    max_size=4,
)  # fmt: skip


@settings(max_examples=150)
@given(METHODS, TARGETS, HEADERS, ANY_BYTES)
def test_whatever_is_asked_is_answered_or_refused(server, method, target, headers, body):
    lines = [
        method + b" " + target + b" HTTP/1.1",
        b"Host: localhost",
        b"Connection: close",
        *headers,
    ]
    with connect(server) as connection:
        try:
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent
        received = read_all(connection)
    if received:
        assert received.startswith(b"HTTP/1.1 ")
        code = int(received.split(b" ", 2)[1])
        assert code < 500 or code == 503


@settings(max_examples=100)
@given(
    st.sampled_from([b"", b"RIFF\x24\0\0\0WAVE", b"fLaC", b"OggS", b"ID3", b"FORM\0\0\0\0AIFF"]),
    st.binary(max_size=2000),
)
def test_whatever_is_uploaded_is_answered_or_refused(server, head, rest):
    reply = ask(server, "/classify", "POST", head + rest)
    assert reply.status in (200, 422, 503)
    if reply.status != 200:
        assert "\n" not in reply.json["error"]


@settings(max_examples=100)
@given(st.data())
def test_damaged_sound_is_answered_or_refused(server, data):
    body = bytearray(wav(tone(0.5)))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, 60))
        body[at] = data.draw(st.integers(0, 255))
    reply = ask(server, "/classify", "POST", bytes(body))
    assert reply.status in (200, 422, 503)
