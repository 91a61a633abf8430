"""Classifies sound files that clients send: one at a time, held in memory, never on a disk."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable
from typing import Any

from edge_runtime.answers import classify_file
from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.audio_file import AudioFile

NAME = "the upload"


class Upload:
    """A file in memory that is being received.

    Parameters
    ----------
    release : callable
        Called once, when it is closed.
    """

    def __init__(self, release: Callable[[], None]) -> None:
        self.size = 0
        self._release = release
        self._descriptor = os.memfd_create("ser-edge upload", os.MFD_CLOEXEC)
        self._is_open = True

    @property
    def path(self) -> str:
        """Where it can be opened by name, for reading."""
        return f"/proc/self/fd/{self._descriptor}"

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self.size += os.write(self._descriptor, chunk)

    def close(self) -> None:
        """Give its memory back; may be called more than once."""
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)
            self._release()


class Uploads:
    """The one place for an upload, and the classifier that it is for.

    The classifier is another than the one that listens, which must not be disturbed; it is made
    when it is first needed.

    Parameters
    ----------
    make_classifier : callable
        Makes a classifier.
    max_seconds : float
        Longest sound.
    """

    def __init__(self, make_classifier: Callable[[], Classifier], max_seconds: float) -> None:
        self._make_classifier = make_classifier
        self._max_seconds = max_seconds
        self._made: tuple[int, Classifier] | None = None
        self._wanted = 0
        self._place = threading.Lock()

    def open(self) -> Upload | None:
        """Begin an upload, which must be closed; None while there is another.

        Raises
        ------
        SerEdgeError
            When the system has no files in memory.
        """
        if not hasattr(os, "memfd_create"):
            raise SerEdgeError("uploads are classified on Linux only")
        return Upload(self._place.release) if self._place.acquire(blocking=False) else None

    def renew(self) -> None:
        """Make another classifier for the next upload."""
        self._wanted += 1

    def classifier(self) -> Classifier:
        """Give the classifier.

        Raises
        ------
        SerEdgeError
            When it cannot be made.
        """
        wanted = self._wanted
        if self._made is None or self._made[0] != wanted:
            self._made = wanted, self._make_classifier()
        return self._made[1]

    def answer(self, classifier: Classifier, upload: Upload) -> dict[str, Any]:
        """Classify an upload as one clip.

        Parameters
        ----------
        classifier : Classifier
            What `classifier` gave.
        upload : Upload
            All of the file; still open afterwards.

        Returns
        -------
        dict
            What `edge_runtime.answers.Answer` holds.

        Raises
        ------
        SerEdgeError
            When it is not sound that can be classified; see `read_clip`.
        """
        try:
            rate = classifier.metadata.features.sample_rate
            _require_short(upload.path, rate, self._max_seconds)
            return dataclasses.asdict(classify_file(classifier, upload.path))
        except SerEdgeError as error:
            raise SerEdgeError(str(error).replace(upload.path, NAME)) from error


def _require_short(path: str, rate: int, max_seconds: float) -> None:
    """Refuse what is too long before any of it is kept; some formats tell only at the end."""
    with AudioFile(path, rate) as file:
        seconds = file.duration or 0.0
        if file.duration is None:
            for chunk in file.chunks():
                seconds += len(chunk) / rate
                if seconds > max_seconds:
                    break
    if seconds > max_seconds:
        raise SerEdgeError(f"{path}: is longer than {max_seconds:g} seconds; send a part of it")
