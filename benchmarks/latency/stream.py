"""Endless sound through the real code path, hop by hop, on a clock."""

from __future__ import annotations

import time
from pathlib import Path
from typing import BinaryIO, cast

from benchmarks.latency.stages import CAPTURE, Stopwatch
from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Hop
from edge_runtime.listener import Listener
from edge_runtime.sources import PcmStream

BLOCK_SECONDS = 0.1  # as a microphone hands it over
SAMPLE_BYTES = 2
# A recording of speech has pauses, in which the gate closes; this many hops for one that is open.
MOST_TRIES = 20
LEAST_TRIES = 200
# A configuration that is slow here must not take the time of all others.
MOST_NANOSECONDS, LEAST_HOPS = 200_000_000, 3


class Tape:
    """Raw samples that begin anew when they end, as a pipe gives them.

    Parameters
    ----------
    pcm : bytes
        The samples.
    block_bytes : int
        What one reading gives at most.
    """

    def __init__(self, pcm: bytes, block_bytes: int) -> None:
        self._pcm = pcm + pcm[:block_bytes]
        self._length = len(pcm)
        self._block_bytes = block_bytes
        self._position = 0

    def read(self, n_bytes: int) -> bytes:
        """Give the next bytes, at most `n_bytes`."""
        start = self._position
        n_given = min(n_bytes, self._block_bytes)
        self._position = (start + n_given) % self._length
        return self._pcm[start : start + n_given]


class Stream:
    """One listener and the sound that it hears.

    Parameters
    ----------
    listener : Listener
        The real one.
    sound : Path
        Raw 16 bit samples of at least a block.
    sample_rate : int
        Samples per second.
    """

    def __init__(self, listener: Listener, sound: Path, sample_rate: int) -> None:
        block_seconds = min(BLOCK_SECONDS, listener.hop_seconds)
        tape = Tape(sound.read_bytes(), SAMPLE_BYTES * max(1, int(block_seconds * sample_rate)))
        self._chunks = PcmStream(cast(BinaryIO, tape), sample_rate).chunks()
        self._listener = listener

    def hop(self, watch: Stopwatch | None = None) -> Hop:
        """Listen to the end of the next hop.

        Parameters
        ----------
        watch : Stopwatch, optional
            Set back to the capture of sound at each block that does not end the hop.
        """
        while True:
            steps = self._listener.push(next(self._chunks))
            if steps:
                return steps[0].hop
            if watch is not None:
                watch.switch(CAPTURE)

    def until_open(self) -> None:
        """Listen until a hop is classified.

        Raises
        ------
        SerEdgeError
            When the gate hears no speech.
        """
        for _ in range(LEAST_TRIES):
            if self.hop().is_open:
                return
        raise _no_speech()

    def whole(self, n_hops: int, is_open: bool) -> tuple[list[int], int]:
        """Time hops as a whole, with nothing in between.

        Parameters
        ----------
        n_hops : int
            How many; fewer where they take more than 0.2 s, but at least 3.
        is_open : bool
            Whether hops that are classified count, or those that are not.

        Returns
        -------
        times : list of int
            Nanoseconds of each hop that counts, from its first block to its events.
        n_other : int
            Hops that did not count.
        """
        times: list[int] = []
        for n_heard in range(_most(n_hops)):
            start = time.perf_counter_ns()
            hop = self.hop()
            passed = time.perf_counter_ns() - start
            if hop.is_open == is_open:
                times.append(passed)
            if _is_enough(times, n_hops):
                return times, n_heard + 1 - len(times)
        raise _no_speech()

    def by_stage(self, n_hops: int, watch: Stopwatch) -> list[list[int]]:
        """Time the stages of hops that are classified; the parts must be on the same watch.

        Parameters
        ----------
        n_hops : int
            How many, see `whole`.
        watch : Stopwatch
            That the listener's gate and the classifier's back end switch.

        Returns
        -------
        list of list of int
            Nanoseconds of each hop by stage.
        """
        times: list[list[int]] = []
        for _ in range(_most(n_hops)):
            watch.start()
            hop = self.hop(watch)
            laps = watch.stop()
            if hop.is_open:
                times.append(laps)
            if _is_enough([sum(one) for one in times], n_hops):
                return times
        raise _no_speech()


def _is_enough(times: list[int], n_hops: int) -> bool:
    return len(times) >= min(n_hops, LEAST_HOPS) and (
        len(times) >= n_hops or sum(times) >= MOST_NANOSECONDS
    )


def _most(n_hops: int) -> int:
    return max(LEAST_TRIES, MOST_TRIES * n_hops)


def _no_speech() -> SerEdgeError:
    return SerEdgeError("the gate hears no speech in this sound: name a recording of speech")
