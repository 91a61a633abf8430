"""Sound files that the soundfile package decodes: AIFF, FLAC, Ogg, MP3 and the like."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.quiet import quiet_libraries
from edge_runtime.sources.stated_size import stated_size

# libsndfile's SF_COUNT_MAX, less some: FLAC whose encoder wrote to a pipe.
UNKNOWN_LENGTH = 1 << 62


class Decoder:
    """Reads a file through libsndfile, block by block.

    MP3 and Ogg files that end early are read as far as they go: they are streams, which may.

    Parameters
    ----------
    stream : file object
        A seekable file opened for reading bytes.
    kind : str
        The format in words, for messages.
    name : str
        What is being read, for messages.

    Attributes
    ----------
    sample_rate, channels : int
        Samples per second, number of channels.
    n_frames : int or None
        Samples per channel; None where only the end of the file will tell.

    Raises
    ------
    SerEdgeError
        When the soundfile package is missing, or the file is damaged or truncated.
    """

    def __init__(self, stream: BinaryIO, kind: str, name: str) -> None:
        self._stream = stream
        self._kind = kind
        self._name = name
        soundfile = _import_soundfile(kind, name)
        if not stream.seekable():
            raise SerEdgeError(f"{name}: {kind} cannot be read from a pipe; save it to a file")
        _require_whole(stream, kind, name)
        # By descriptor: by name, libsndfile's wrapper would look at the suffix after all.
        os.lseek(stream.fileno(), 0, os.SEEK_SET)
        with self._decoding():
            self._file = _forward_only(soundfile)(stream.fileno(), closefd=False)
        self.sample_rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        self.n_frames = self._promised_frames()
        self._frames_read = 0

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """Read the next samples.

        Parameters
        ----------
        n_frames : int
            How many samples per channel at most.

        Returns
        -------
        ndarray of float32, shape (n, channels)
            Nominally in [-1, 1]; n is less than `n_frames` only at the end.

        Raises
        ------
        SerEdgeError
            When the file is damaged, or ends before the length that it promises.
        """
        if self.n_frames is not None:
            # libsndfile fills with zeros what it is asked for beyond the end.
            n_frames = min(n_frames, self.n_frames - self._frames_read)
        with self._decoding():
            block = self._file.read(n_frames, dtype="float32", always_2d=True)
        self._frames_read += len(block)
        if self.n_frames is not None and len(block) < n_frames:
            self._require_all_read(self.n_frames)
        return np.asarray(block, dtype=np.float32)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._stream.close()

    def _promised_frames(self) -> int | None:
        frames = int(self._file.frames)
        # The length of an MP3 file is an estimate, no promise.
        return None if self._kind == "MP3" or frames >= UNKNOWN_LENGTH else frames

    def _require_all_read(self, promised: int) -> None:
        if self._frames_read < promised:
            raise SerEdgeError(
                f"{self._name}: is truncated or damaged: its header promises "
                f"{promised / self.sample_rate:.2f} s, "
                f"{self._frames_read / self.sample_rate:.2f} s could be read; "
                "copy or export it again"
            )

    @contextlib.contextmanager
    def _decoding(self) -> Iterator[None]:
        """Run libsndfile: an error of its becomes one line."""
        try:
            with quiet_libraries() if self._kind == "MP3" else contextlib.nullcontext():
                yield
        except RuntimeError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: RuntimeError) -> SerEdgeError:
        reason = " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
        return SerEdgeError(
            f"{self._name}: this {self._kind} audio cannot be decoded ({reason}); "
            "convert it to 16 bit PCM WAV"
        )


def _import_soundfile(kind: str, name: str) -> Any:
    try:
        import soundfile
    except ImportError as error:
        disguise = " despite its name" if name.lower().endswith(".wav") else ""
        raise SerEdgeError(
            f"{name}: is {kind} audio{disguise}; reading it needs the soundfile package: "
            "pip install 'ser-edge[audio]'"
        ) from error
    except OSError as error:
        raise SerEdgeError(
            f"{name}: is {kind} audio; the soundfile package that reads it lacks its library: "
            "sudo apt-get install libsndfile1"
        ) from error
    return soundfile


@lru_cache(maxsize=1)
def _forward_only(soundfile: Any) -> Any:
    class ForwardOnly(soundfile.SoundFile):  # type: ignore[misc]
        # SoundFile seeks after each read to where it stands already. In MP3 that is not exact:
        # every block would begin with a glitch.
        def seekable(self) -> bool:
            return False

    return ForwardOnly


def _require_whole(stream: BinaryIO, kind: str, name: str) -> None:
    stream.seek(0)
    promised = stated_size(kind, stream.read(32))
    held = os.fstat(stream.fileno()).st_size
    if promised is not None and held < promised:
        raise SerEdgeError(
            f"{name}: is truncated: its header promises {promised} bytes, the file holds {held}; "
            "copy it again"
        )
