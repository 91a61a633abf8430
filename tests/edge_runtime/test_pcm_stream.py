"""Raw samples: any cutting of the stream gives the same sound."""

from __future__ import annotations

import io
import os
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import PcmStream

RATE = 16000


class Dribble(io.RawIOBase):
    """Gives its bytes in pieces of the given sizes, then of one byte."""

    def __init__(self, raw: bytes, sizes: list[int]) -> None:
        self._rest = raw
        self._sizes = list(sizes)

    def readable(self) -> bool:
        return True

    def read(self, n_bytes: int = -1) -> bytes:
        size = min(self._sizes.pop() if self._sizes else 1, n_bytes)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def read(stream: io.IOBase, sample_format: str = "s16le") -> np.ndarray:
    with PcmStream(stream, RATE, sample_format) as source:
        return np.concatenate([np.empty(0, np.float32), *source.chunks()])


def error_of(stream: io.IOBase, sample_format: str = "s16le") -> str:
    with pytest.raises(SerEdgeError) as caught:
        read(stream, sample_format)
    assert str(caught.value).isprintable()
    return str(caught.value)


@settings(deadline=None)
@given(
    samples=st.lists(st.integers(-32768, 32767), max_size=300),
    sizes=st.lists(st.integers(1, 40), max_size=100),
)
def test_any_chunking_of_16_bit_samples_gives_the_whole(samples, sizes):
    # A first sample of 1 keeps the bytes from looking like a file's.
    stored = np.array([1, *samples], dtype="<i2")
    whole = read(Dribble(stored.tobytes(), sizes))
    np.testing.assert_array_equal(whole, stored / np.float32(32768))


@settings(deadline=None)
@given(
    samples=st.lists(st.floats(-1, 1, width=32), max_size=200),
    sizes=st.lists(st.integers(1, 40), max_size=100),
    rest=st.binary(max_size=3),
)
def test_any_chunking_of_float_samples_gives_the_whole(samples, sizes, rest):
    stored = np.array([0.25, *samples], dtype="<f4")
    whole = read(Dribble(stored.tobytes() + rest, sizes), "f32le")
    np.testing.assert_array_equal(whole, stored)


def test_half_a_sample_at_the_end_is_ignored():
    assert read(io.BytesIO(b"\x00\x40\x00\xc0\x7f")).tolist() == [0.5, -0.5]


@pytest.mark.parametrize("n_bytes", [0, 1])
def test_a_stream_without_a_sample_gives_no_chunk(n_bytes):
    assert len(read(io.BytesIO(bytes(n_bytes)))) == 0


def test_a_live_pipe_is_read_without_waiting_for_more():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as feed:
        chunks = PcmStream(stream, RATE).chunks()
        feed.write(bytes(320))
        start = time.monotonic()
        n_samples = len(next(chunks))
        while n_samples < 160:
            n_samples += len(next(chunks))
        assert time.monotonic() - start < 0.5
        assert n_samples == 160


def test_chunks_are_at_most_half_a_second():
    with PcmStream(io.BytesIO(bytes(64000)), RATE) as source:
        assert max(len(chunk) for chunk in source.chunks()) <= RATE // 2


def test_close_ends_the_chunks_and_leaves_the_stream_open():
    stream = io.BytesIO(bytes(64000))
    source = PcmStream(stream, RATE)
    chunks = source.chunks()
    next(chunks)
    source.close()
    assert list(chunks) == []
    assert not stream.closed


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_floats_that_are_not_numbers_are_placed(wrong):
    samples = np.zeros(2 * RATE, dtype="<f4")
    samples[int(1.23 * RATE)] = wrong
    message = error_of(io.BytesIO(samples.tobytes()), "f32le")
    assert message.startswith("standard input: ")
    assert "not numbers (NaN or infinity) at 1.23 s" in message


def test_floats_in_another_scale_are_refused():
    samples = np.linspace(-32768, 32767, 1000, dtype="<f4")
    assert "full scale is 1" in error_of(io.BytesIO(samples.tobytes()), "f32le")


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"RIFF\x24\x7d\0\0WAVEfmt ", "WAV"), (b"fLaC" + bytes(9), "FLAC"), (b"OggS\0\2", "Ogg")],
)
def test_a_file_with_a_header_is_no_raw_stream(head, kind):
    assert f"holds {kind} audio with a header" in error_of(Dribble(head, [3, 3, 3]))


def test_an_unknown_sample_format_is_refused():
    assert "s16le or f32le, not 'u8'" in error_of(io.BytesIO(b""), "u8")


def test_a_stream_that_cannot_be_read_is_one_line():
    with io.FileIO(os.open(os.devnull, os.O_WRONLY), "wb") as write_only:
        assert "cannot be read" in error_of(write_only)


def test_a_pipe_that_does_not_block_is_read_to_its_end():
    """Such as one that a program in node shares with its child."""
    stored = np.array([1, *range(-1000, 1000)], dtype="<i2")
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for piece in (stored[:3], stored[3:7], stored[7:]):
                time.sleep(0.05)  # the reader comes first, and finds nothing
                pipe.write(piece.tobytes())

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        whole = read(pipe)
    writer.join()
    np.testing.assert_array_equal(whole, stored / np.float32(32768))
