"""Events posted to a web address."""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from urllib.parse import SplitResult, urlsplit

from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.outputs.output import NotDeliveredError
from edge_runtime.outputs.tls import client_context, tls_reason

TIMEOUT_SECONDS = 5.0
PORTS = {"http": 80, "https": 443}
# Request timeout, too early, too many requests: the same request may be taken later.
LATER = (408, 425, 429)


class Webhook:
    """Posts each event as JSON, over a connection of its own.

    A redirect is not followed: the event goes to the address that was named or nowhere. The body of
    the answer is not read.

    Parameters
    ----------
    url : str
        Address, http or https. It may be a secret, so messages name its host only.
    timeout_seconds : float
        How long one event may take in all, however slowly the server answers. Looking up its name
        is not counted; the system's resolver has bounds of its own.
    token : str
        Sent as ``Authorization: Bearer TOKEN``, unless empty.
    headers : mapping of str to str, optional
        Further header lines.
    ca_file : str or Path, optional
        Certificate of the authority that signed the server's; those of the system by default.

    Raises
    ------
    SerEdgeError
        When the address, a header or the certificate is not usable.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        timeout_seconds: float = TIMEOUT_SECONDS,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        ca_file: str | os.PathLike[str] | None = None,
    ) -> None:
        parts = _parsed(url)
        self._host = str(parts.hostname)
        self._port = parts.port or PORTS[parts.scheme]
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._context = client_context(ca_file) if parts.scheme == "https" else None
        self._timeout = timeout_seconds
        given = dict(headers or {})
        if token:
            given["Authorization"] = f"Bearer {token}"
        self._headers = _checked(given)

    def deliver(self, event: Event) -> None:
        """Post one event.

        Raises
        ------
        NotDeliveredError
            When the server cannot be reached, does not answer in time, or answers that it cannot
            take the event now (408, 425, 429, 5xx).
        SerEdgeError
            When the server does not want the event.
        """
        try:
            status, reason = self._post(event.to_json().encode())
        except ssl.SSLError as error:
            raise NotDeliveredError(f"{self._server}: {tls_reason(error)}") from error
        except socket.timeout as error:
            raise NotDeliveredError(
                f"{self._server}: no answer within {self._timeout:g} s"
            ) from error
        except OSError as error:
            raise NotDeliveredError(f"{self._server}: {error.strerror or error}") from error
        except http.client.HTTPException as error:
            raise NotDeliveredError(f"{self._server}: what answers is no web server") from error
        if 200 <= status < 300:
            return
        answer = f"{self._server}: answered {status} {reason}".rstrip()
        if status in LATER or status >= 500:
            raise NotDeliveredError(answer)
        if status in (301, 302, 303, 307, 308):
            answer += ", a redirect, which is not followed; name the address that it leads to"
        raise SerEdgeError(answer)

    def close(self) -> None:
        """Do nothing: no connection is kept."""

    @property
    def _server(self) -> str:
        return f"{self._host}:{self._port}"

    def _post(self, body: bytes) -> tuple[int, str]:
        """Status and reason of the answer."""
        with closing(self._connection()) as connection, _TimeLimit(self._timeout) as limit:
            try:
                connection.sock = self._connect(limit)
                connection.request("POST", self._target, body, self._headers)
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException):
                if not limit.is_over:
                    raise
            # What is cut looks like an answer that has ended.
            if limit.is_over:
                raise socket.timeout
        # In the words of the list of statuses: what a server says may be anything.
        return status, http.client.responses.get(status, "")

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is None:
            connection = http.client.HTTPConnection(self._host, self._port)
        else:
            connection = http.client.HTTPSConnection(self._host, self._port, context=self._context)
        connection.auto_open = 0  # it is given its socket
        return connection

    def _connect(self, limit: _TimeLimit) -> socket.socket:
        plain = limit.connect(self._host, self._port)
        if self._context is None:
            return plain
        secure = self._context.wrap_socket(
            plain, server_hostname=self._host, do_handshake_on_connect=False
        )
        limit.guard(secure)
        try:
            secure.do_handshake()
        except BaseException:
            secure.close()
            raise
        return secure


class _TimeLimit:
    """Cuts a connection when its time is over.

    The time-out of a socket is for each read: a server that sends a byte every few seconds would
    never meet it.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    @property
    def left(self) -> float:
        """Seconds that are left, at least a moment."""
        return max(0.001, self._deadline - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._deadline

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to the first address of a host that answers."""
        failure = OSError("the host has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            connected = socket.socket(family, kind, protocol)
            try:
                connected.settimeout(self.left)
                connected.connect(address)
            except OSError as error:
                connected.close()
                failure = error
            else:
                self.guard(connected)
                return connected
        raise failure

    def guard(self, connected: socket.socket) -> None:
        """Cut this one when the time is over, instead of the one before."""
        with self._lock:
            self._socket = connected
        if self.is_over:  # the timer may have come for the one before
            self._cut()

    def _cut(self) -> None:
        # Under the lock, so that it is not closed meanwhile, and its number another's.
        with self._lock, suppress(OSError):  # it may not be connected any more
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> _TimeLimit:
        self._timer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None


def _parsed(url: str) -> SplitResult:
    refusal = SerEdgeError(
        "webhook: the url must be like https://host:port/path, in plain ASCII without spaces, "
        "user or password"
    )
    if not re.fullmatch(r"[!-~]+", url):
        raise refusal
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")  # as the look-up of its name will do
        usable = parts.scheme in PORTS and parts.hostname and parts.port != 0
    except ValueError:
        raise refusal from None
    if not usable or "@" in parts.netloc:
        raise refusal
    return parts


def _checked(headers: dict[str, str]) -> dict[str, str]:
    """The header lines, with those that every request has."""
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not re.fullmatch(r"[ -~]*", value):
            # Not the value, which may be a secret.
            raise SerEdgeError(
                f"webhook: the header or token {name!r} has characters that cannot be sent"
            )
    return {
        "User-Agent": "ser-edge",
        **headers,
        "Content-Type": "application/json",
        "Connection": "close",
    }
