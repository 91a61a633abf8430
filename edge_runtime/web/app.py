"""The web server's addresses, and the bounds on its connections."""

from __future__ import annotations

from typing import Any

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from edge_runtime.web.answer import Answer, Site
from edge_runtime.web.classifying import Classify
from edge_runtime.web.following import Events, Live
from edge_runtime.web.limits import Limits
from edge_runtime.web.pages import PAGE_FILES, Health, History, Metrics, Nothing, PageFile

BODY_BYTES = 4096  # of requests that are to have none


class BoundedServer(HTTPServer):
    """An HTTP server that holds a bounded number of connections.

    Attributes
    ----------
    bound : int
        How many; to be set before it serves, for `HTTPServer` is not made by ``__init__``.
    """

    bound = Limits.connections
    _held: frozenset[IOStream] = frozenset()

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Serve a new connection, or close it at once when there are too many."""
        held = [one for one in self._held if not one.closed()]
        if len(held) >= self.bound:
            stream.close()
            return
        self._held = frozenset([*held, stream])
        super().handle_stream(stream, address)


def make_server(site: Site) -> BoundedServer:
    """Make the server of all addresses."""
    answers: dict[str, type[Answer]] = {
        **dict.fromkeys(PAGE_FILES, PageFile),
        "/events": Events,
        "/live": Live,
        "/history": History,
        "/healthz": Health,
        "/metrics": Metrics,
        "/classify": Classify,
    }
    parts: dict[str, Any] = {"site": site}
    application = web.Application(
        [(path.replace(".", r"\."), answer, parts) for path, answer in answers.items()],
        default_handler_class=Nothing,
        default_handler_args=parts,
        log_function=lambda _answer: None,
    )
    server = BoundedServer(
        application,
        idle_connection_timeout=site.limits.header_seconds,
        body_timeout=site.limits.body_seconds,
        max_header_size=site.limits.header_bytes,
        max_body_size=BODY_BYTES,
    )
    server.bound = site.limits.connections
    return server
