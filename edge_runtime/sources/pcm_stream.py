"""Raw samples through a pipe as a source."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.sample_checks import require_sound
from edge_runtime.sources.sound_formats import HEAD_LENGTH, identify

DTYPES = {"s16le": "<i2", "f32le": "<f4"}
FULL_SCALE = {"s16le": 32768.0, "f32le": 1.0}
CHUNK_SECONDS = 0.5


class PcmStream:
    r"""Reads raw mono samples as they come, such as ``arecord -t raw`` writes them.

    Parameters
    ----------
    stream : file object
        Opened for reading bytes, such as ``sys.stdin.buffer``. It stays the caller's: `close` ends
        the chunks and leaves it open.
    sample_rate : int
        Samples per second, of the stream and of the chunks.
    sample_format : {"s16le", "f32le"}
        16 bit integers, or float with full scale 1; little-endian both.
    name : str
        What is being read, for messages.

    Raises
    ------
    SerEdgeError
        When the sample format is unknown.

    Examples
    --------
    >>> import io
    >>> with PcmStream(io.BytesIO(b"\x00\x40\x00\xc0"), 16000) as stream:
    ...     [chunk.tolist() for chunk in stream.chunks()]
    [[0.5, -0.5]]
    """

    def __init__(
        self,
        stream: BinaryIO,
        sample_rate: int,
        sample_format: str = "s16le",
        name: str = "standard input",
    ) -> None:
        if sample_format not in DTYPES:
            raise SerEdgeError(
                f"{name}: the sample format must be {' or '.join(DTYPES)}, not {sample_format!r}"
            )
        self.sample_rate = sample_rate
        self.gaps = 0
        self._stream = stream
        self._sample_format = sample_format
        self._name = name
        self._n_given = 0
        self._closed = False

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Give the samples as they arrive, once.

        Half a sample at the very end is ignored.

        Yields
        ------
        ndarray of float32, shape (n_samples,)
            Mono samples at `sample_rate`, 1 to 0.5 s of them.

        Raises
        ------
        SerEdgeError
            When the stream is a sound file with a header, cannot be read on, or holds samples
            that are no sound.
        """
        sample_bytes = np.dtype(DTYPES[self._sample_format]).itemsize
        pending = self._read_head()
        while not self._closed:
            whole = len(pending) // sample_bytes * sample_bytes
            if whole:
                yield self._decode(pending[:whole])
            raw = self._read(int(self.sample_rate * CHUNK_SECONDS) * sample_bytes)
            if not raw:
                return
            pending = pending[whole:] + raw

    def close(self) -> None:
        """End the chunks; may be called more than once."""
        self._closed = True

    def __enter__(self) -> PcmStream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _read_head(self) -> bytes:
        """Read the first bytes, which must not be those of a sound file."""
        head = b""
        while len(head) < HEAD_LENGTH:
            raw = self._read(HEAD_LENGTH - len(head))
            if not raw:
                break
            head += raw
        kind = identify(head)
        # Two samples of silence with a little noise can look like the start of an MP3 frame.
        if kind is not None and kind != "MP3":
            raise SerEdgeError(
                f"{self._name}: holds {kind} audio with a header, raw {self._sample_format} "
                "samples are wanted; send it without (arecord -t raw, ffmpeg -f s16le, sox -t raw)"
            )
        return head

    def _read(self, n_bytes: int) -> bytes:
        # read1 gives what is there; read would wait for all of it.
        read = getattr(self._stream, "read1", self._stream.read)
        try:
            raw: bytes | None = read(n_bytes)
            while raw is None:  # not to wait is the wish of whoever shares the pipe
                select.select([self._stream], [], [])
                raw = read(n_bytes)
        except OSError as error:
            raise SerEdgeError(
                f"{self._name}: cannot be read ({error.strerror or error})"
            ) from error
        return raw

    def _decode(self, raw: bytes) -> NDArray[np.float32]:
        stored = np.frombuffer(raw, dtype=DTYPES[self._sample_format])
        samples = stored.astype(np.float32) / np.float32(FULL_SCALE[self._sample_format])
        require_sound(samples, self._n_given, self.sample_rate, self._name)
        self._n_given += len(samples)
        return np.asarray(samples)
