"""The thread that reads the sound, so that nothing is lost while a window is classified."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources import Source

CLOSE_SECONDS = 0.5


@dataclass(frozen=True)
class Chunk:
    """A piece of sound as it came.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        Mono samples at the source's rate, n_samples >= 1.
    gap : bool
        Whether it does not follow on from the chunk before: sound was lost between them.
    arrival : float
        When it came from the source, as `time.monotonic` tells it.
    """

    samples: NDArray[np.float32]
    gap: bool
    arrival: float


class Reader:
    """Reads a source on a thread of its own into a bounded queue.

    Parameters
    ----------
    source : Source
        Closed by the reader, on the thread that reads it.
    seconds : float
        How much sound the queue holds. A longer chunk is taken alone.
    waits : bool
        When the queue is full, wait (a file: nothing is lost) instead of throwing the oldest
        sound away (a microphone: it does not wait).

    Attributes
    ----------
    dropped_seconds : float
        Sound thrown away because whoever takes it was behind.
    error : Exception or None
        What ended the source, if not its end.
    n_signs : int
        How often the source has given anything, be it an empty chunk: it rises while the thread
        that reads is alive.
    """

    def __init__(self, source: Source, seconds: float = 10.0, waits: bool = False) -> None:
        self.error: Exception | None = None
        self.n_signs = 0
        self._source = source
        self._capacity = max(1, int(seconds * source.sample_rate))
        self._waits = waits
        self._changed = threading.Condition()
        # All below under the condition's lock.
        self._chunks: deque[Chunk] = deque()
        self._n_queued = 0
        self._n_dropped = 0
        self._gap_at_head = False  # the chunk before the oldest was thrown away
        self._finished = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether the source has ended and all of its sound was taken."""
        with self._changed:
            return self._finished and not self._chunks

    @property
    def dropped_seconds(self) -> float:
        """Sound thrown away because whoever takes it was behind, in seconds."""
        return self._n_dropped / self._source.sample_rate

    def start(self) -> None:
        """Begin to read; once."""
        self._thread.start()

    def take(self, timeout: float) -> Chunk | None:
        """Take the oldest chunk, or wait for one.

        Parameters
        ----------
        timeout : float
            How long to wait, in seconds.

        Returns
        -------
        Chunk or None
            None when nothing came, or nothing will: see `ended`.

        Raises
        ------
        SerEdgeError
            What ended the source, once all of its sound was taken.
        """
        with self._changed:
            if not self._chunks and not self._finished:
                self._changed.wait_for(lambda: self._chunks or self._finished, timeout)
            if self._chunks:
                return self._pop()
            if self.error is not None:
                raise self.error
            return None

    def close(self) -> None:
        """End the thread, which closes the source; may be called more than once.

        Returns within 1 s. A thread whose device or pipe hangs is left to itself, and does not
        hold the process.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.ident is None:
            self._source.close()
        else:
            self._thread.join(CLOSE_SECONDS)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            with self._source:
                self._read()
        except Exception as caught:  # raised by take(), where it is heard
            error = caught
        finally:
            with self._changed:
                self.error = error
                self._finished = True
                self._changed.notify_all()

    def _read(self) -> None:
        gaps = self._source.gaps
        for samples in self._source.chunks():
            if self._closed:
                return
            self.n_signs += 1
            if len(samples):
                chunk = Chunk(samples, self._source.gaps != gaps, time.monotonic())
                gaps = self._source.gaps
                self._put(chunk)

    def _put(self, chunk: Chunk) -> None:
        with self._changed:
            if self._waits:
                self._changed.wait_for(lambda: self._closed or self._has_room(chunk))
            while not self._has_room(chunk):
                self._drop()
            self._chunks.append(chunk)
            self._n_queued += len(chunk.samples)
            self._changed.notify_all()

    def _has_room(self, chunk: Chunk) -> bool:
        return not self._chunks or self._n_queued + len(chunk.samples) <= self._capacity

    def _drop(self) -> None:
        dropped = self._chunks.popleft()
        self._n_queued -= len(dropped.samples)
        self._n_dropped += len(dropped.samples)
        self._gap_at_head = True

    def _pop(self) -> Chunk:
        chunk = self._chunks.popleft()
        self._n_queued -= len(chunk.samples)
        if self._gap_at_head:
            self._gap_at_head = False
            chunk = dataclasses.replace(chunk, gap=True)
        if self._waits:
            self._changed.notify_all()
        return chunk
