"""The answers that last: streams of server-sent events."""

from __future__ import annotations

import asyncio
import socket

from tornado.iostream import IOStream, StreamClosedError

from edge_runtime.web.answer import Answer, abort, io_stream
from edge_runtime.web.hub import Stream
from edge_runtime.web.limits import Limits
from edge_runtime.web.messages import GREETING, HEARTBEAT

SEND_BUFFER_BYTES = 65536  # of a stream: what is older is of no use to anyone


class Events(Answer):
    """Follows the events as they come."""

    is_live = False
    _stream: Stream | None = None

    def head(self) -> None:
        """Answer with the headers alone."""
        self.set_header("Content-Type", "text/event-stream")
        self.finish()

    async def get(self) -> None:
        """Send events until the client leaves or reads no more, or the server ends."""
        last_id = self.request.headers.get("Last-Event-ID", "")
        stream = self._stream = self.site.hub.open(self.is_live, last_id)
        if stream is None:
            self.set_header("Retry-After", "10")
            self.refuse(503, f"{self.site.limits.streams} clients follow the events already")
            return
        self.set_header("Content-Type", "text/event-stream")
        _bound_sending(io_stream(self.request), self.site.limits)
        try:
            await self._follow(stream)
        except StreamClosedError:
            return  # the client left
        finally:
            self.site.hub.release(stream)

    def on_connection_close(self) -> None:
        """End the stream of a client that left."""
        if self._stream is not None:
            self._stream.end()

    async def _follow(self, stream: Stream) -> None:
        message, connection = GREETING, io_stream(self.request)
        while not stream.is_over:
            self.write(message)
            sent = asyncio.ensure_future(self.flush())
            done, _ = await asyncio.wait({sent}, timeout=self.site.limits.write_seconds)
            if not done:
                abort(connection)
                return
            sent.result()
            message = await stream.take(self.site.limits.heartbeat_seconds) or HEARTBEAT


class Live(Events):
    """Follows everything, for the page."""

    is_live = True


def _bound_sending(stream: IOStream, limits: Limits) -> None:
    """Keep little that is unsent, and notice a client that is gone without a word."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        patience = int(1000 * (limits.write_seconds + limits.heartbeat_seconds))
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
