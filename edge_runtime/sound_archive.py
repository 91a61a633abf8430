"""Keeps the sound of emotions as files, when the user asks for it by name."""

from __future__ import annotations

import errno
import re
import threading
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.outputs.output import NotDeliveredError
from edge_runtime.wave_file import write_wave

RING_SECONDS = 60.0  # of a longer emotion the end is kept
SUFFIX = ".ser-edge.wav"  # only such files are ever deleted
LONGEST_LABEL = 60  # letters of a file's name
# As that of events, and more so: what is said in a household is not for every user of the machine.
MODE, FOLDER_MODE = 0o640, 0o750


class SoundRing:
    """The newest sound of a stream, found by its place in the stream.

    Parameters
    ----------
    sample_rate : int
        Samples per second.
    seconds : float
        How much is kept.
    first : int
        Where in the stream the first sample will be, in samples.
    """

    def __init__(self, sample_rate: int, seconds: float = RING_SECONDS, first: int = 0) -> None:
        self.sample_rate = sample_rate
        self._samples: NDArray[np.float32] = np.zeros(int(seconds * sample_rate), np.float32)
        self._first = self._n_seen = first
        self._lock = threading.Lock()

    def push(self, samples: NDArray[np.float32]) -> None:
        """Append samples, (n,), and forget as many of the oldest."""
        length = len(self._samples)
        with self._lock:
            newest = samples[-length:]
            places = (self._n_seen + len(samples) - len(newest) + np.arange(len(newest))) % length
            self._samples[places] = newest
            self._n_seen += len(samples)

    def between(self, start: float, end: float) -> NDArray[np.float32]:
        """The sound between two places of the stream, in seconds, as far as it is still there."""
        with self._lock:
            oldest = max(self._first, self._n_seen - len(self._samples))
            first = min(max(round(start * self.sample_rate), oldest), self._n_seen)
            last = min(max(round(end * self.sample_rate), first), self._n_seen)
            return self._samples[np.arange(first, last) % len(self._samples)]


class SoundArchive:
    """Writes the sound of each emotion that ended to a folder of bounded size.

    An output in the sense of `edge_runtime.outputs.output`, for "end" events.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    max_bytes : int
        Size of its files, above which the oldest are deleted.
    ring : SoundRing
        Where the sound is.

    Raises
    ------
    SerEdgeError
        When the folder cannot be written to.
    """

    name = "save-audio"

    def __init__(self, folder: Path, max_bytes: int, ring: SoundRing) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._ring = ring
        try:
            folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            probe = folder / f".probe{SUFFIX}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise SerEdgeError(
                f"{folder}: sound cannot be kept there: {error.strerror}; name another folder"
            ) from error

    def deliver(self, event: Event) -> None:
        """Write the sound of an emotion, 16 bit mono.

        Raises
        ------
        NotDeliveredError
            When the file cannot be written now.
        SerEdgeError
            When the disk is full, or the sound is not there any more.
        """
        sound = self._ring.between(event.start, event.end)
        if not len(sound):
            raise SerEdgeError(f"the sound of {event.start:.1f} to {event.end:.1f} s is gone")
        moment = datetime.fromisoformat(event.time).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        label = re.sub(r"[^\w-]", "_", event.label)[:LONGEST_LABEL]  # a model may call it anything
        path = self._folder / f"{moment}Z-{label}{SUFFIX}"
        try:
            self._make_room(2 * len(sound))
            with replacing(path) as temporary:
                write_wave(temporary, sound, self._ring.sample_rate, MODE)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SerEdgeError(
                    f"{self._folder}: {error.strerror}; sound is not kept"
                ) from error
            raise NotDeliveredError(f"{self._folder}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing to release."""

    def _make_room(self, n_bytes: int) -> None:
        # Their names begin with the time.
        files = sorted(self._folder.glob(f"*{SUFFIX}"))
        sizes = [path.stat().st_size for path in files]
        total = sum(sizes) + n_bytes
        for path, size in zip(files, sizes):
            if total <= self._max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size
