"""The answer to a sound file."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable
from typing import Any

from tornado import httputil, web

from edge_runtime.errors import SerEdgeError
from edge_runtime.web.answer import Answer
from edge_runtime.web.uploads import Upload, Uploads

# A body without stated length may exceed its bound by this before the library ends it, so that
# there is an answer that says why.
EXCESS_BYTES = 65536
MOST_DIGITS = 15  # of a length that is worth reading as a number


@web.stream_request_body
class Classify(Answer):
    """Classifies a sound file."""

    methods = "POST"
    _upload: Upload | None = None

    def prepare(self) -> None:
        """Decide before the file is received."""
        super().prepare()
        if self._finished or self.request.method != "POST":
            return
        headers = self.request.headers
        if _stated_bytes(headers) > self.site.limits.upload_bytes:
            self._refuse_size()
        elif headers.get("Content-Type", "").startswith("multipart/"):
            self.refuse(415, "send the file itself, not a form: curl --data-binary @FILE")
        else:
            self._begin()

    def _begin(self) -> None:
        try:
            self._upload = self.site.uploads.open()
        except SerEdgeError as error:
            self.refuse(501, str(error))
            return
        if self._upload is None:
            self.set_header("Retry-After", "1")
            self.refuse(503, "another upload is being classified; send it again")
            return
        connection: Any = self.request.connection
        connection.set_max_body_size(self.site.limits.upload_bytes + EXCESS_BYTES)
        connection.set_body_timeout(self.site.limits.body_seconds)

    def data_received(self, chunk: bytes) -> None:
        """Keep the next part of the file, in memory."""
        if self._upload is None:
            return
        if self._upload.size + len(chunk) > self.site.limits.upload_bytes:
            self._discard()
            self._refuse_size()
        else:
            self._upload.write(chunk)

    async def post(self) -> None:
        """Answer with the emotion of the file."""
        upload, self._upload = self._upload, None
        if upload is None:
            return
        answer = in_daemon_thread(_classify, self.site.uploads, upload)
        done, _ = await asyncio.wait({answer}, timeout=self.site.limits.classify_seconds)
        if not done:
            self.refuse(503, "the upload took too long to classify; send a shorter one")
            return
        status, value = answer.result()
        self.set_status(status)
        self.write_json(value)

    def on_finish(self) -> None:
        """Give the place to the next upload."""
        self._discard()

    def on_connection_close(self) -> None:
        """Give the place to the next upload."""
        super().on_connection_close()
        self._discard()

    def _discard(self) -> None:
        if self._upload is not None:
            self._upload.close()
            self._upload = None

    def _refuse_size(self) -> None:
        self.refuse(413, f"the upload is larger than {self.site.limits.upload_bytes} bytes")


def in_daemon_thread(function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
    """Run a function on a thread that does not keep the process from ending.

    Parameters
    ----------
    function : callable
        What to run.
    arguments
        For it.

    Returns
    -------
    asyncio.Future
        Its result or exception, for the running loop.
    """
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def run() -> None:
        settle: Callable[[Any], None]
        try:
            outcome, settle = function(*arguments), future.set_result
        except Exception as error:
            outcome, settle = error, future.set_exception
        # The server may have ended meanwhile; then nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="http upload", daemon=True).start()
    return future


def _classify(uploads: Uploads, upload: Upload) -> tuple[int, dict[str, Any]]:
    """Give the status and JSON of the answer, whatever the file."""
    try:
        try:
            classifier = uploads.classifier()
        except SerEdgeError as error:
            return 503, {"error": str(error)}
        return 200, uploads.answer(classifier, upload)
    except SerEdgeError as error:
        return 422, {"error": str(error)}
    except MemoryError:
        return 503, {"error": "there is not enough memory to classify the upload"}
    finally:
        upload.close()


def _stated_bytes(headers: httputil.HTTPHeaders) -> float:
    """Length of the body as its sender states it; 0 where it does not, or not in digits."""
    digits = headers.get("Content-Length", "")
    if len(digits) > MOST_DIGITS:
        return math.inf
    return int(digits) if digits.isdecimal() else 0
