"""The webhook against real servers on this machine: good, refusing, hanging, dripping, secret."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.outputs import outlet as outlet_module
from edge_runtime.outputs.outlet import Outlet
from edge_runtime.outputs.output import NotDeliveredError
from edge_runtime.outputs.webhook import Webhook

from ..certificates import Certificates, make_certificates
from ..some_events import some_event, wait_until


class Receiver(ThreadingHTTPServer):
    """A web server that answers as it is told to and keeps what it was given."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        if certificates:
            self.socket = certificates.server_context().wrap_socket(self.socket, server_side=True)
        self.port = self.server_address[1]
        self.answers: list[int] = []  # then 200
        self.location = ""
        self.requests: list[tuple[str, dict[str, str], bytes]] = []


class Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        with suppress(OSError):  # nobody reads it
            self.wfile.write(bytes(1_000_000))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiver(certificates: Certificates | None = None) -> Iterator[Receiver]:
    with Receiver(certificates) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def raw_server(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A server that does with each connection what it likes; its port."""
    over = threading.Event()
    threads = []

    def attend(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection, over)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=attend, args=(listening.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def failure(output: Webhook, kind: type[SerEdgeError] = NotDeliveredError) -> str:
    with pytest.raises(kind) as raised:
        output.deliver(some_event(1))
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_posts_the_event_as_json():
    with receiver() as server:
        output = Webhook(
            f"http://127.0.0.1:{server.port}/hook/a?b=c", token="xyz", headers={"X-Room": "kitchen"}
        )
        output.deliver(some_event(1))
        output.deliver(some_event(2))
        output.close()
    (path, headers, body), (_, _, second) = server.requests
    assert path == "/hook/a?b=c"
    assert json.loads(body) == asdict(some_event(1))
    assert json.loads(second) == asdict(some_event(2))
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer xyz"
    assert headers["X-Room"] == "kitchen"
    assert headers["Host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_what_is_taken_is_delivered(status):
    with receiver() as server:
        server.answers = [status]
        Webhook(f"http://127.0.0.1:{server.port}").deliver(some_event(1))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_be_taken_later_is_kept(status):
    with receiver() as server:
        server.answers = [status]
        line = failure(Webhook(f"http://127.0.0.1:{server.port}"))
    assert line.startswith(f"127.0.0.1:{server.port}: answered {status} ")


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "Bad Request"), (401, "Unauthorized"), (404, "Not Found"), (410, "Gone")],
)
def test_what_is_not_wanted_is_lost(status, words):
    with receiver() as server:
        server.answers = [status]
        line = failure(Webhook(f"http://127.0.0.1:{server.port}/secret"), SerEdgeError)
    assert line == f"127.0.0.1:{server.port}: answered {status} {words}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with receiver() as elsewhere, receiver() as server:
        server.answers = [status]
        server.location = f"http://127.0.0.1:{elsewhere.port}/"
        output = Webhook(f"http://127.0.0.1:{server.port}", token="secret")
        assert "a redirect, which is not followed" in failure(output, SerEdgeError)
        assert elsewhere.requests == []


def test_a_server_that_comes_back_gets_everything_in_order(monkeypatch):
    monkeypatch.setattr(outlet_module, "FIRST_RETRY_SECONDS", 0.01)
    with receiver() as server:
        server.answers = [503, 429, 200, 500]
        outlet = Outlet(Webhook(f"http://127.0.0.1:{server.port}"), lambda line: None)
        for number in range(20):
            outlet.put(some_event(number))
        outlet.close(20.0)
    taken = [json.loads(body)["start"] for _, _, body in server.requests]
    assert taken == [0, 0, 0, 1, 1, *range(2, 20)]
    assert (outlet.delivered, outlet.dropped) == (20, 0)


def test_nobody_there_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert failure(Webhook(f"http://127.0.0.1:{port}")) == f"127.0.0.1:{port}: Connection refused"


def test_an_unknown_host_is_one_line():
    assert failure(Webhook("http://no-such-host.invalid")).startswith("no-such-host.invalid:80: ")


def hang(connection: socket.socket, over: threading.Event) -> None:
    over.wait()


def drip_status(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 ")
    while not over.wait(0.1):
        connection.sendall(b"O")


def drip_headers(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(0.1):
        connection.sendall(b"X: y\r\n")


def never_begin(connection: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.01):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("serve", [hang, drip_status, drip_headers, never_begin])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_time_limit_is_for_all_of_it(scheme, serve):
    # Over https the server's answers are no TLS: what drips is the handshake, unless it is refused.
    with raw_server(serve) as port:
        line = failure(Webhook(f"{scheme}://127.0.0.1:{port}", timeout_seconds=0.5))
    if scheme == "http" or serve is hang:
        assert line == f"127.0.0.1:{port}: no answer within 0.5 s"


def test_a_handshake_that_drips_meets_the_time_limit():
    def drip_record(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"\x16\x03\x03\x3f\xff")  # a handshake record of 16383 bytes begins
        while not over.wait(0.1):
            connection.sendall(b"\x02")

    with raw_server(drip_record) as port:
        line = failure(Webhook(f"https://127.0.0.1:{port}", timeout_seconds=0.5))
    assert line == f"127.0.0.1:{port}: no answer within 0.5 s"


def test_an_answer_that_never_ends_is_delivered_with_its_status():
    def endless(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not over.is_set():
            connection.sendall(bytes(65536))

    with raw_server(endless) as port:
        Webhook(f"http://127.0.0.1:{port}").deliver(some_event(1))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    ],
    ids=["nothing", "mail", "status", "long", "headers", "header"],
)
def test_what_is_no_web_server_is_one_line(answer):
    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    with raw_server(serve) as port:
        line = failure(Webhook(f"http://127.0.0.1:{port}"))
    assert line.startswith(f"127.0.0.1:{port}: ")


def test_encrypts_and_trusts_the_authority_that_is_named(certificates):
    with receiver(certificates) as server:
        url = f"https://localhost:{server.port}/"
        Webhook(url, ca_file=certificates.authority).deliver(some_event(1))
        assert len(server.requests) == 1
        line = failure(Webhook(url))
        assert line.startswith(f"localhost:{server.port}: its certificate is not trusted (")
        assert len(server.requests) == 1


def test_a_certificate_of_another_host_is_one_line(tmp_path):
    other = make_certificates(tmp_path, "DNS:elsewhere.example")
    with receiver(other) as server:
        line = failure(Webhook(f"https://localhost:{server.port}", ca_file=other.authority))
    assert "its certificate is not trusted (Hostname mismatch" in line


def test_no_encryption_where_it_was_expected_is_one_line():
    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(65536)

    with raw_server(serve) as port:
        line = failure(Webhook(f"https://127.0.0.1:{port}"))
    assert line == (f"127.0.0.1:{port}: answers without encryption; is this its port for TLS?")


def test_leaves_no_descriptor_and_no_thread_behind(certificates):
    def use_all() -> None:
        good.deliver(some_event(1))
        for output in (untrusted, silent, nobody):
            failure(output)

    def n_left() -> int:
        return len(os.listdir("/proc/self/fd")) + threading.active_count()  # noqa: PTH208

    with (
        receiver(certificates) as server,
        receiver() as plain,
        raw_server(lambda connection, over: None) as port,
    ):
        good = Webhook(f"http://127.0.0.1:{plain.port}")
        untrusted = Webhook(f"https://127.0.0.1:{server.port}")
        silent = Webhook(f"http://127.0.0.1:{port}")
        nobody = Webhook("http://127.0.0.1:1")
        use_all()
        before = n_left()  # those of the servers come and go, too
        for _ in range(20):
            use_all()
        wait_until(lambda: n_left() <= before)


def test_one_under_way_does_not_hold_up_the_end():
    with raw_server(hang) as port:
        outlet = Outlet(Webhook(f"http://127.0.0.1:{port}", 3.0), lambda line: None)
        outlet.put(some_event(1))
        closer = threading.Thread(target=outlet.close, args=(0.1,))
        closer.start()
        wait_until(lambda: not closer.is_alive(), 2.5)
        assert outlet.dropped == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/hook",
        "ftp://example.org/hook",
        "file:///etc/passwd",
        "http://",
        "http:///hook",
        "http://example.org:port/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://user:secret@example.org/",
        "http://example.org/a b",
        "http://example.org/a\r\nX: y",
        "http://example..org/",
        "http://[::1/",
        "http://exämple.org/",
    ],
)
def test_an_address_that_is_none_is_one_line(url):
    with pytest.raises(SerEdgeError) as refusal:
        Webhook(url)
    line = str(refusal.value)
    assert line.startswith("webhook: the url must be like https://host:port/path")
    assert "\n" not in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("token", "headers"),
    [("a\nb", {}), ("ä", {}), ("", {"X": "a\r\nY: b"}), ("", {"X Y": "a"}), ("", {"": "a"})],
)
def test_a_header_that_cannot_be_sent_is_one_line(token, headers):
    with pytest.raises(SerEdgeError, match="has characters that cannot be sent") as refusal:
        Webhook("http://example.org", token=token, headers=headers)
    assert "\n" not in str(refusal.value)


def test_a_certificate_file_that_is_none_is_one_line(tmp_path):
    with pytest.raises(SerEdgeError, match="no-such: cannot be read: No such file or directory"):
        Webhook("https://example.org", ca_file=tmp_path / "no-such")
    (tmp_path / "text").write_text("no certificate")
    with pytest.raises(SerEdgeError, match="text: holds no certificate in PEM form"):
        Webhook("https://example.org", ca_file=tmp_path / "text")
