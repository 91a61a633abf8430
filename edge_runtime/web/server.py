"""The web server: a thread of its own with an event loop, beside the daemon's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.status import Status
from edge_runtime.web.access import Access, parse_address, require_safe
from edge_runtime.web.limits import Limits
from edge_runtime.web.uploads import Uploads

LIMITS = Limits()
CLOSE_SECONDS = 0.5  # for the streams to end, and again for the connections
BACKLOG = 32


class WebServer:
    """Serves the live page, the event stream, health, metrics and the classification of files.

    Parameters
    ----------
    address : str
        "IP:PORT", as "127.0.0.1:8765" or "[::1]:8765"; port 0 is any free one.
    status : Status
        What is told.
    make_classifier : callable
        Makes a classifier, when the first file is to be classified.
    say : callable
        Takes one line for the log.
    token : str
        What a client must know; "" for nothing, which is refused but on a loopback address.
    limits : Limits
        How much of time and memory clients may take.

    Attributes
    ----------
    host : str
        The IP address that is served.
    port : int
        The port; known after `start` when any was asked for.

    Raises
    ------
    SerEdgeError
        When the address is none, or other machines could reach it without a token.
    """

    def __init__(
        self,
        address: str,
        status: Status,
        make_classifier: Callable[[], Classifier],
        say: Callable[[str], None],
        token: str = "",
        limits: Limits = LIMITS,
    ) -> None:
        self.host, self.port = parse_address(address)
        require_safe(self.host, token)
        self._status = status
        self._access = Access(token)
        self._limits = limits
        self._say = say
        self._uploads = Uploads(make_classifier, limits.upload_seconds)
        self._log = _OneLine(say)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def start(self) -> None:
        """Serve, from now on.

        Raises
        ------
        SerEdgeError
            When a package is missing, or the address cannot be served.
        """
        _require_packages()
        self._socket = _bind(self.host, self.port)
        self.port = self._socket.getsockname()[1]
        logging.getLogger("tornado").addHandler(self._log)
        self._thread.start()
        self._started.wait()

    def renew(self) -> None:
        """Make another classifier for the next upload: the model or its settings have changed."""
        self._uploads.renew()

    def close(self, seconds: float) -> None:
        """Disconnect all clients and end, within so many seconds; may be called more than once.

        Parameters
        ----------
        seconds : float
            How long this may take.
        """
        if self._loop is not None and self._stop is not None:
            # Closed already, where it is refused.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(seconds)
        logging.getLogger("tornado").removeHandler(self._log)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._started.set()

    async def _serve(self) -> None:
        from edge_runtime.web.answer import Site
        from edge_runtime.web.app import make_server
        from edge_runtime.web.hub import Hub
        from edge_runtime.web.metrics import make_registry

        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._say_fault)
        self._stop = asyncio.Event()
        hub = Hub(self._status, self._limits)
        site = Site(
            status=self._status,
            access=self._access,
            hub=hub,
            uploads=self._uploads,
            registry=make_registry(self._status, hub),
            limits=self._limits,
            say=self._say,
        )
        server = make_server(site)
        server.add_socket(self._socket)
        self._started.set()
        await self._stop.wait()
        server.stop()
        await hub.close(CLOSE_SECONDS)
        closing = asyncio.ensure_future(server.close_all_connections())
        await asyncio.wait({closing}, timeout=CLOSE_SECONDS)

    def _say_fault(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, asyncio.CancelledError):
            return  # what was under way when the server ended
        detail = f": {type(error).__name__}: {error}" if error is not None else ""
        self._say(f"http: {context['message']}{detail}".splitlines()[0])


class _OneLine(logging.Handler):
    """Gives what the library warns of to the daemon's log, without tracebacks."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say one record."""
        error = record.exc_info[1] if record.exc_info else None
        detail = f": {type(error).__name__}: {error}" if error is not None else ""
        self._say(f"http: {record.getMessage()}{detail}".splitlines()[0])


def _require_packages() -> None:
    try:
        import prometheus_client  # noqa: F401
        import tornado.web  # noqa: F401
    except ImportError as error:
        raise SerEdgeError(
            f"http: the web server needs the {error.name} package: pip install 'ser-edge[http]'"
        ) from error


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family, backlog=BACKLOG)
        bound.setblocking(False)
        return bound
    except OSError as error:
        raise SerEdgeError(
            f"http: cannot serve on {host} port {port} ({error.strerror or error}); "
            "is another program on it, or another ser-edge?"
        ) from error
