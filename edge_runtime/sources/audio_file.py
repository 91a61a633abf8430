"""A sound file as a source."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.decoder import Decoder
from edge_runtime.sources.resample import Resampler
from edge_runtime.sources.sample_checks import require_sound
from edge_runtime.sources.sound_formats import HEAD_LENGTH, UNREADABLE, identify
from edge_runtime.sources.wav import WavReader

CHUNK_SECONDS = 0.5
REALTIME_CHUNK_SECONDS = 0.25
CLIPPED = 0.999  # of full scale
HIGHEST_RATE = 768000  # Hz, of any converter on sale
VALUES_PER_BLOCK = 1 << 20  # bounds the memory of files with very many channels


class AudioFile:
    """Reads a sound file as mono samples at the model's rate, in bounded memory.

    The content decides how it is read, not the name. WAV with PCM or float samples needs nothing
    but numpy; other formats need the soundfile package, other sample rates soxr.

    Parameters
    ----------
    path : str or path-like
        The file, or a pipe that a WAV file comes through.
    sample_rate : int
        Samples per second of the chunks. A file at a lower rate is refused.
    realtime : bool
        Give the chunks (of 0.25 s) when a microphone would; else at once.
    channel : int, optional
        Which channel to read, counted from 0; the mean of all by default.
    chunk_seconds : float
        Longest chunk, when it is not given at the pace of a microphone.

    Attributes
    ----------
    file_rate, channels : int
        The file's own samples per second and channels.
    duration : float or None
        Seconds; None where only the end of the file will tell.

    Raises
    ------
    SerEdgeError
        When the file cannot be read, with the reason and what to do.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        realtime: bool = False,
        channel: int | None = None,
        chunk_seconds: float = CHUNK_SECONDS,
    ) -> None:
        self.name = printable(path)
        self.sample_rate = sample_rate
        self.gaps = 0
        self._realtime = realtime
        self._channel = channel
        self._chunk_seconds = REALTIME_CHUNK_SECONDS if realtime else chunk_seconds
        self._reader = _open_reader(path, self.name)
        try:
            self._require_sense()
            self._resampler = Resampler(self.file_rate, sample_rate, self.name)
        except SerEdgeError:
            self._reader.close()
            raise
        self._frames_read = 0
        self._frames_clipped = 0

    @property
    def file_rate(self) -> int:
        """Samples per second in the file."""
        return self._reader.sample_rate

    @property
    def channels(self) -> int:
        """Channels in the file."""
        return self._reader.channels

    @property
    def duration(self) -> float | None:
        """Length in seconds, None where only the end of the file will tell."""
        n_frames = self._reader.n_frames
        return None if n_frames is None else n_frames / self.file_rate

    @property
    def clipped_share(self) -> float:
        """Share of what was read so far, 0 to 1, that is at or beyond 0.999 of full scale."""
        return self._frames_clipped / max(1, self._frames_read)

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Give the file's sound, once.

        Yields
        ------
        ndarray of float32, shape (n_samples,)
            Mono samples at `sample_rate`, nominally in [-1, 1], n_samples >= 1.

        Raises
        ------
        SerEdgeError
            When the file turns out damaged or truncated, or holds samples that are no sound.
        """
        start = time.monotonic()
        n_given = 0
        for chunk in self._resampled():
            n_given += len(chunk)
            if self._realtime:
                # A microphone gives a chunk when its last sample has been heard. Against the
                # start, so that no delay adds up.
                time.sleep(max(0.0, start + n_given / self.sample_rate - time.monotonic()))
            yield chunk

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._reader.close()

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _require_sense(self) -> None:
        if self._reader.n_frames == 0:
            raise _no_samples(self.name)
        if self.file_rate > HIGHEST_RATE:
            raise SerEdgeError(
                f"{self.name}: its header states {self.file_rate} Hz, more than any sound file "
                "has; copy or export it again"
            )
        if self._channel is not None and not 0 <= self._channel < self.channels:
            raise SerEdgeError(
                f"{self.name}: channel {self._channel} was asked for, but it has "
                f"{self.channels}, counted from 0; leave the channel out for their mean"
            )

    def _resampled(self) -> Iterator[NDArray[np.float32]]:
        for block in self._blocks():
            mono = _mono(block) if self._channel is None else block[:, self._channel]
            chunk = self._resampler.push(mono)
            if len(chunk):
                yield chunk
        chunk = self._resampler.finish()
        if len(chunk):
            yield chunk

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        """Give checked samples of all channels, (n, channels) each."""
        n_frames = min(int(self._chunk_seconds * self.file_rate), VALUES_PER_BLOCK // self.channels)
        while True:
            block = self._read(max(1, n_frames))
            if not len(block):
                break
            require_sound(block, self._frames_read, self.file_rate, self.name)
            self._frames_read += len(block)
            self._frames_clipped += _count_clipped(block)
            yield block
        if not self._frames_read:
            raise _no_samples(self.name)

    def _read(self, n_frames: int) -> NDArray[np.float32]:
        try:
            return self._reader.read(n_frames)
        except OSError as error:
            raise _cannot_read(self.name, error) from error


def printable(path: str | os.PathLike[str]) -> str:
    r"""Write a path, or other text, so that it stays on one line.

    Parameters
    ----------
    path : str or path-like
        Any path or text.

    Returns
    -------
    str
        The same, its control characters escaped.

    Examples
    --------
    >>> printable("two\nlines.wav")
    'two\\nlines.wav'
    """
    text = os.fspath(path)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _open_reader(path: str | os.PathLike[str], name: str) -> WavReader | Decoder:
    if not name:
        raise SerEdgeError("a file name is empty; name a sound file")
    stream = _open(path, name)
    try:
        return _reader_for(stream, name)
    except OSError as error:
        stream.close()
        raise _cannot_read(name, error) from error
    except SerEdgeError:
        stream.close()
        raise


def _open(path: str | os.PathLike[str], name: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise SerEdgeError(f"{name}: there is no such file") from error
    except IsADirectoryError as error:
        raise SerEdgeError(f"{name}: is a folder; name the sound files in it") from error
    except PermissionError as error:
        raise SerEdgeError(f"{name}: you have no permission to read it; see ls -l") from error
    except OSError as error:
        raise _cannot_read(name, error) from error
    except ValueError as error:
        raise SerEdgeError(f"{name}: is no file name ({error})") from error


def _reader_for(stream: BinaryIO, name: str) -> WavReader | Decoder:
    head = stream.read(HEAD_LENGTH)
    if not head:
        raise SerEdgeError(f"{name}: is empty (0 bytes); copy or record it again")
    kind = identify(head)
    if kind is None:
        start = ascii(head[:8])[1:]
        raise SerEdgeError(
            f"{name}: is not a sound file that ser-edge can read (starts with {start}); "
            "give a WAV, FLAC, Ogg, MP3 or AIFF file"
        )
    if kind in UNREADABLE:
        raise SerEdgeError(
            f"{name}: is {kind} audio, which ser-edge cannot read; "
            "convert it: ffmpeg -i INPUT OUTPUT.wav"
        )
    if kind != "WAV":
        return Decoder(stream, kind, name)
    reader = WavReader(stream, head, name)
    if reader.format.is_plain:
        return reader
    return Decoder(stream, f"{reader.format.codec_name} WAV", name)


def _cannot_read(name: str, error: OSError) -> SerEdgeError:
    return SerEdgeError(f"{name}: cannot be read ({error.strerror or error})")


def _no_samples(name: str) -> SerEdgeError:
    return SerEdgeError(f"{name}: holds no samples; copy, record or export it again")


def _count_clipped(block: NDArray[np.float32]) -> int:
    """Number of samples of which any channel is clipped."""
    if block.min() > -CLIPPED and block.max() < CLIPPED:
        return 0  # nearly always; two passes in place of four
    return int(np.count_nonzero((np.abs(block) >= CLIPPED).any(axis=1)))


def _mono(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average of the channels, (n,)."""
    if block.shape[1] == 1:
        return block[:, 0]
    return np.asarray(block.mean(axis=1), dtype=np.float32)
