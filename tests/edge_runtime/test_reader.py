"""The thread that reads: nothing is lost unnoticed, and nothing holds it for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.reader import Chunk, Reader
from edge_runtime.sources import AudioFile, PcmStream

RATE = 1000
PATIENCE_SECONDS = 30.0


class Pieces:
    """A source of the given pieces; None counts a gap. Then ends, fails, or blocks."""

    def __init__(self, pieces: Sequence[np.ndarray | None], then: Exception | str = "end") -> None:
        self.sample_rate = RATE
        self.gaps = 0
        self.closed = threading.Event()
        self.given = threading.Event()
        self.forever = threading.Event()
        self._pieces = pieces
        self._then = then

    def chunks(self) -> Iterator[np.ndarray]:
        for piece in self._pieces:
            if piece is None:
                self.gaps += 1
            else:
                yield piece
        self.given.set()
        if isinstance(self._then, Exception):
            raise self._then
        if self._then == "block":
            self.forever.wait()
        while self._then == "heartbeat" and not self.closed.wait(0.01):
            yield np.empty(0, np.float32)

    def close(self) -> None:
        self.closed.set()

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def cut(sizes: Sequence[int]) -> list[np.ndarray]:
    """Pieces of a ramp, so that every sample tells its place."""
    ramp = np.arange(sum(sizes), dtype=np.float32)
    return np.split(ramp, np.cumsum(sizes)[:-1]) if sizes else []


def take_all(reader: Reader) -> list[Chunk]:
    chunks = []
    while not reader.ended:
        chunk = reader.take(PATIENCE_SECONDS)
        if chunk is not None:
            chunks.append(chunk)
    return chunks


def joined(chunks: Sequence[Chunk]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.float32), *(chunk.samples for chunk in chunks)])


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(st.integers(0, 400), max_size=40), capacity=st.floats(0.001, 0.5))
def test_a_reader_that_waits_loses_nothing(sizes, capacity):
    with Reader(Pieces(cut(sizes)), capacity, waits=True) as reader:
        reader.start()
        chunks = take_all(reader)
    np.testing.assert_array_equal(joined(chunks), np.arange(sum(sizes)))
    assert reader.dropped_seconds == 0.0
    assert not any(chunk.gap for chunk in chunks)
    assert all(len(chunk.samples) for chunk in chunks)


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=40),
    capacity=st.floats(0.001, 2.0),
)
def test_what_is_dropped_is_the_oldest_and_is_counted_exactly(sizes, capacity):
    source = Pieces(cut(sizes), then="heartbeat")
    with Reader(source, capacity) as reader:
        reader.start()
        assert source.given.wait(PATIENCE_SECONDS)
        chunks = [reader.take(PATIENCE_SECONDS)]
        while chunks[-1] is not None:
            chunks.append(reader.take(0.0))
        chunks.pop()
    n_kept = len(joined(chunks))
    n_samples = sum(sizes)
    np.testing.assert_array_equal(joined(chunks), np.arange(n_samples)[n_samples - n_kept :])
    assert reader.dropped_seconds == (n_samples - n_kept) / RATE
    # As much as fits is kept, and the last chunk always.
    room = max(1, int(capacity * RATE))
    assert n_kept <= max(room, sizes[-1])
    assert n_kept == n_samples or n_kept + sizes[len(sizes) - len(chunks) - 1] > room
    assert [chunk.gap for chunk in chunks] == [n_kept < n_samples] + [False] * (len(chunks) - 1)


@settings(deadline=None)
@given(pieces=st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=30))
def test_the_gaps_of_the_source_are_marked(pieces):
    sounds = [None if size is None else np.zeros(size, np.float32) for size in pieces]
    expected, gap = [], False
    for size in pieces:
        gap = gap or size is None
        if size:
            expected.append(gap)
            gap = False
    with Reader(Pieces(sounds), waits=True) as reader:
        reader.start()
        assert [chunk.gap for chunk in take_all(reader)] == expected


@pytest.mark.parametrize("waits", [False, True])
def test_an_error_comes_after_the_sound_before_it(waits):
    error = SerEdgeError("speech.wav: ends before the length that its header states")
    with Reader(Pieces(cut([3, 4]), then=error), waits=waits) as reader:
        reader.start()
        sizes = [len(reader.take(PATIENCE_SECONDS).samples) for _ in range(2)]
        assert sizes == [3, 4]
        for _ in range(2):
            with pytest.raises(SerEdgeError, match="ends before the length"):
                reader.take(PATIENCE_SECONDS)
        assert reader.error is error
        assert reader.ended


def test_the_end_is_no_error_and_take_does_not_wait_for_more():
    with Reader(Pieces(cut([3]))) as reader:
        reader.start()
        assert len(reader.take(PATIENCE_SECONDS).samples) == 3
        start = time.monotonic()
        assert reader.take(PATIENCE_SECONDS) is None
        assert time.monotonic() - start < PATIENCE_SECONDS / 2
        assert reader.ended
        assert reader.error is None


def test_nothing_within_the_timeout_is_none():
    source = Pieces(cut([3]), then="block")
    with Reader(source) as reader:
        reader.start()
        assert reader.take(PATIENCE_SECONDS) is not None
        assert reader.take(0.01) is None
        assert not reader.ended
        source.forever.set()


def test_arrivals_are_of_the_monotonic_clock_and_in_order():
    before = time.monotonic()
    with Reader(Pieces(cut([3, 3, 3])), waits=True) as reader:
        reader.start()
        arrivals = [chunk.arrival for chunk in take_all(reader)]
    times = [before, *arrivals, time.monotonic()]
    assert times == sorted(times)


def test_close_ends_a_reader_that_waits_for_room():
    source = Pieces(cut([500] * 10))
    reader = Reader(source, 0.5, waits=True)
    reader.start()
    assert reader.take(PATIENCE_SECONDS) is not None
    reader.close()
    assert source.closed.is_set()
    reader.close()


def test_close_does_not_wait_for_a_source_that_blocks_for_ever():
    source = Pieces(cut([3]), then="block")
    reader = Reader(source)
    reader.start()
    assert source.given.wait(PATIENCE_SECONDS)
    start = time.monotonic()
    reader.close()
    assert time.monotonic() - start < PATIENCE_SECONDS
    assert not source.closed.is_set()
    source.forever.set()


def test_close_without_a_start_closes_the_source():
    source = Pieces([])
    Reader(source).close()
    assert source.closed.is_set()


def test_the_source_is_closed_at_its_end():
    source = Pieces(cut([3]))
    with Reader(source) as reader:
        reader.start()
        take_all(reader)
    assert source.closed.is_set()


def test_a_file_comes_whole(tmp_path, to_wav, speech):
    sound = speech(3.0)
    path = tmp_path / "speech.wav"
    path.write_bytes(to_wav(sound))
    with Reader(AudioFile(path, 16000), 0.1, waits=True) as reader:
        reader.start()
        heard = joined(take_all(reader))
    np.testing.assert_allclose(heard, sound, atol=2.0 / 32768)


def test_a_pipe_that_nobody_writes_to_does_not_hold_the_process(child_environment):
    script = """
import sys
from edge_runtime.reader import Reader
from edge_runtime.sources import PcmStream
with Reader(PcmStream(sys.stdin.buffer.raw, 16000)) as reader:
    reader.start()
    print(len(reader.take(30.0).samples), flush=True)
    reader.take(0.01)
"""
    reading, writing = os.pipe()
    try:
        os.write(writing, b"\\x01" * 4000)
        done = subprocess.run(
            [sys.executable, "-c", script],
            stdin=reading,
            env=child_environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


def test_raw_samples_come_whole():
    reading, writing = os.pipe()
    sound = np.arange(1, 9001, dtype="<i2")
    with open(reading, "rb") as stream, Reader(PcmStream(stream, 16000), waits=True) as reader:  # noqa: PTH123
        reader.start()
        with open(writing, "wb") as writer:  # noqa: PTH123
            writer.write(sound.tobytes())
        heard = joined(take_all(reader))
    np.testing.assert_array_equal(heard, sound / np.float32(32768))
