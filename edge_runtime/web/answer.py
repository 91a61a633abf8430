"""What all answers of the web server share."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from prometheus_client import CollectorRegistry
from tornado import httputil, web
from tornado.iostream import IOStream

from edge_runtime.sources.audio_file import printable
from edge_runtime.status import Status
from edge_runtime.web.access import COOKIE, Access
from edge_runtime.web.hub import Hub
from edge_runtime.web.limits import Limits
from edge_runtime.web.messages import to_json
from edge_runtime.web.uploads import Uploads

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Site:
    """What the answers are made from.

    Attributes
    ----------
    status : Status
        What the daemon does.
    access : Access
        Who may ask.
    hub : Hub
        The streams.
    uploads : Uploads
        Files to classify.
    registry : CollectorRegistry
        The metrics.
    limits : Limits
        What a client may take.
    say : callable
        Takes one line for the log.
    """

    status: Status
    access: Access
    hub: Hub
    uploads: Uploads
    registry: CollectorRegistry
    limits: Limits
    say: Callable[[str], None]


class Answer(web.RequestHandler):
    """What all answers share: who is let in, headers, errors in one line, slow readers."""

    needs_token = True
    methods = "GET, HEAD"

    def initialize(self, site: Site) -> None:
        """Take what the answers are made from."""
        self.site = site

    def set_default_headers(self) -> None:
        """Name no server, and tell browsers to take nothing from elsewhere."""
        self.clear_header("Server")
        for name, value in SECURITY_HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse whoever may not ask."""
        refusal = self.site.access.refusal(self.request.headers)
        if refusal is not None:
            self.refuse(refusal.status, refusal.reason)
        elif self.needs_token and not self.knows_token():
            self.set_header("WWW-Authenticate", "Bearer")
            self.refuse(401, "needs the token: as 'Authorization: Bearer TOKEN', or /?token=TOKEN")

    def compute_etag(self) -> None:
        """Compute none: nothing is stored."""

    def knows_token(self) -> bool:
        """Whether the request shows the token."""
        cookie = self.request.cookies.get(COOKIE)
        return self.site.access.admits(self.request.headers, cookie.value if cookie else "")

    def refuse(self, status: int, reason: str) -> None:
        """End with an error, in one line."""
        self.set_status(status)
        self.write_json({"error": reason})

    def write_json(self, value: Any) -> None:
        """End with JSON types."""
        self.set_header("Content-Type", "application/json")
        self.finish(to_json(value) + "\n")

    def write_error(self, status_code: int, **_details: Any) -> None:
        """Answer an error that the library or a fault raised, without its details."""
        if status_code == 405:
            self.set_header("Allow", self.methods)
        self.refuse(status_code, HTTPStatus(status_code).phrase.lower())

    def log_exception(self, kind: Any, error: Any, _trace: Any) -> None:
        """Put a fault into one line; what clients do wrong is no news."""
        if not isinstance(error, web.HTTPError):
            request = printable(f"{self.request.method} {self.request.path}")
            self.site.say(f"http: {request}: {kind.__name__}: {printable(str(error))}")

    def finish(self, chunk: Any = None) -> asyncio.Future[None]:
        """End the answer, and the connection of a client that does not read it."""
        sent = super().finish(chunk)
        if not sent.done():
            waiting = _close_unread(self.request, sent, self.site.limits.write_seconds)
            asyncio.ensure_future(waiting)  # noqa: RUF006 - `sent`'s callback holds it
        return sent


def io_stream(request: httputil.HTTPServerRequest) -> IOStream:
    """Give the connection that a request came over."""
    connection: Any = request.connection
    stream: IOStream = connection.stream
    return stream


def abort(stream: IOStream) -> None:
    """Close a connection without waiting for the client to read what is left."""
    if not stream.closed():
        at_once = struct.pack("ii", 1, 0)
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        stream.close()


async def _close_unread(
    request: httputil.HTTPServerRequest, sent: asyncio.Future[None], seconds: float
) -> None:
    stream = io_stream(request)
    done, _ = await asyncio.wait({sent}, timeout=seconds)
    if not done:
        abort(stream)
