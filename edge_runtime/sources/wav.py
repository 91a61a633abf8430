"""RIFF/WAVE files with PCM or float samples, read block by block.

Python's `wave` module reads no float samples, and before 3.12 no WAVE_FORMAT_EXTENSIBLE. This one
goes forward only, so that a WAV file may also come through a pipe.
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError

PCM, IEEE_FLOAT, EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
CODEC_NAMES = {
    PCM: "PCM",
    0x0002: "Microsoft ADPCM",
    IEEE_FLOAT: "float",
    0x0006: "A-law",
    0x0007: "mu-law",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0055: "MP3",
}
DTYPES = {
    (PCM, 8): "u1",
    (PCM, 16): "<i2",
    (PCM, 24): "u1",
    (PCM, 32): "<i4",
    (IEEE_FLOAT, 32): "<f4",
    (IEEE_FLOAT, 64): "<f8",
}
# The tail that makes a codec number a GUID in an extensible header.
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
# Programs that write to a pipe cannot know the size: they leave 0, 0xFFFFFFFF (ffmpeg) or
# something just below or at 2 GiB (sox, arecord).
LEAST_PLACEHOLDER = 0x7FFFF000
MAX_CHUNKS = 1000  # before the samples; real files have a handful
SKIP_BYTES = 1 << 16


@dataclass(frozen=True)
class WavFormat:
    """What the ``fmt`` chunk states.

    Parameters
    ----------
    codec : int
        1 for PCM, 3 for float; the sub-format where the header is extensible.
    channels, sample_rate : int
        Number of channels, samples per second.
    byte_rate : int
        Bytes per second, as stated.
    block_align : int
        Bytes per sample of all channels.
    bits : int
        Bits per sample, as stored.
    """

    codec: int
    channels: int
    sample_rate: int
    byte_rate: int
    block_align: int
    bits: int

    @property
    def is_plain(self) -> bool:
        """Whether `WavReader` can decode the samples."""
        return (self.codec, self.bits) in DTYPES

    @property
    def codec_name(self) -> str:
        """The codec in words."""
        name = CODEC_NAMES.get(self.codec, f"codec 0x{self.codec:04X}")
        return f"{self.bits} bit {name}" if self.codec in (PCM, IEEE_FLOAT) else name


class WavReader:
    """Reads the header at once, then samples as they are asked for.

    Parameters
    ----------
    stream : file object
        Opened for reading bytes, blocking; it stands behind `head`.
    head : bytes
        The first 12 bytes: ``RIFF``, the size, ``WAVE``.
    name : str
        What is being read, for messages.

    Attributes
    ----------
    format : WavFormat
        Only where ``format.is_plain`` may `read` be called.
    sample_rate, channels : int
        As in `format`.
    n_frames : int or None
        Samples per channel; None where only the end of the stream will tell.

    Raises
    ------
    SerEdgeError
        When the header is damaged, or the file is shorter than it promises.
    """

    def __init__(self, stream: BinaryIO, head: bytes, name: str) -> None:
        self._stream = stream
        self._name = name
        self._file_size = _regular_size(stream)
        self._position = len(head)
        self.format = self._read_format()
        self.sample_rate, self.channels = self.format.sample_rate, self.format.channels
        self._bytes_left = self._find_samples(riff_end=8 + struct.unpack("<I", head[4:8])[0])
        self.n_frames: int | None = None
        if self._bytes_left is not None:
            self.n_frames = self._bytes_left // self.format.block_align

    def read(self, n_frames: int) -> NDArray[np.float32]:
        """Read the next samples.

        Parameters
        ----------
        n_frames : int
            How many samples per channel at most.

        Returns
        -------
        ndarray of float32, shape (n, channels)
            In [-1, 1] for PCM; n is less than `n_frames` only at the end.

        Raises
        ------
        SerEdgeError
            When a stream ends before the size that its header promises.
        """
        block = self.format.block_align
        wanted = n_frames * block
        if self._bytes_left is not None:
            wanted = min(wanted, self._bytes_left // block * block)
        raw = self._stream.read(wanted)
        if self._bytes_left is not None:
            if len(raw) < wanted:
                raise SerEdgeError(f"{self._name}: ends before the length that its header states")
            self._bytes_left -= wanted
        whole = len(raw) // block * block
        return _decode(raw[:whole], self.format)

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()

    def _read_format(self) -> WavFormat:
        size = self._find_chunk(b"fmt ")
        raw = self._take(min(size, 40))
        self._skip(size + size % 2 - len(raw))
        if len(raw) < 16:
            raise self._damaged("its format chunk is too short")
        wav_format = WavFormat(*struct.unpack("<HHIIHH", raw[:16]))
        if wav_format.codec == EXTENSIBLE and raw[26:40] == GUID_TAIL:
            codec = struct.unpack("<H", raw[24:26])[0]
            wav_format = WavFormat(codec, *struct.unpack("<HIIHH", raw[2:16]))
        self._require_sense(wav_format)
        return wav_format

    def _require_sense(self, wav_format: WavFormat) -> None:
        if wav_format.channels == 0:
            raise self._damaged("its header states 0 channels")
        if wav_format.sample_rate == 0:
            raise self._damaged("its header states 0 Hz")
        block = wav_format.channels * wav_format.bits // 8
        if wav_format.block_align == 0 or (wav_format.is_plain and wav_format.block_align != block):
            raise self._damaged(
                f"its header states {wav_format.block_align} bytes per sample for "
                f"{wav_format.channels} x {wav_format.bits} bit"
            )

    def _find_samples(self, riff_end: int) -> int | None:
        """Go to the samples; their size in bytes, or None where the end will tell."""
        size = self._find_chunk(b"data")
        if self._file_size is None:
            return None if size == 0 or size >= LEAST_PLACEHOLDER else size
        held = max(0, self._file_size - self._position)
        if size == 0:
            # Truly empty where the outer size was written by one who knew; else never filled in.
            return 0 if riff_end == self._file_size else held
        if size >= LEAST_PLACEHOLDER and held < size:
            return held
        if held // self.format.block_align < size // self.format.block_align:
            raise self._truncated(size, held)
        return min(size, held)

    def _truncated(self, promised: int, held: int) -> SerEdgeError:
        fmt = self.format
        per_second = fmt.sample_rate * fmt.block_align if fmt.is_plain else fmt.byte_rate
        per_second = max(1, per_second)
        return SerEdgeError(
            f"{self._name}: is truncated: its header promises {promised / per_second:.2f} s, "
            f"the file holds {held / per_second:.2f} s; copy or record it again"
        )

    def _find_chunk(self, wanted: bytes) -> int:
        """Skip chunks up to the wanted one; its size in bytes."""
        for _ in range(MAX_CHUNKS):
            identifier, size = struct.unpack("<4sI", self._take(8))
            if identifier == wanted:
                return int(size)
            if identifier == b"data":
                raise self._damaged("its samples come before their format")
            self._skip(size + size % 2)
        raise self._damaged(f"no '{wanted.decode().strip()}' chunk among its first {MAX_CHUNKS}")

    def _take(self, n_bytes: int) -> bytes:
        raw = self._stream.read(n_bytes)
        self._position += len(raw)
        if len(raw) < n_bytes:
            raise self._damaged("it ends within its header and holds no samples")
        return raw

    def _skip(self, n_bytes: int) -> None:
        if self._stream.seekable():
            self._stream.seek(n_bytes, os.SEEK_CUR)
            self._position += n_bytes
            return
        while n_bytes > 0:
            n_bytes -= len(self._take(min(n_bytes, SKIP_BYTES)))

    def _damaged(self, why: str) -> SerEdgeError:
        return SerEdgeError(f"{self._name}: is a damaged WAV file: {why}; copy or export it again")


def _regular_size(stream: BinaryIO) -> int | None:
    """Size of a regular file in bytes, None for a pipe."""
    status = os.fstat(stream.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _decode(raw: bytes, wav_format: WavFormat) -> NDArray[np.float32]:
    """Turn bytes into samples of all channels, (n, channels), full scale 1."""
    kind = (wav_format.codec, wav_format.bits)
    stored = np.frombuffer(raw, dtype=DTYPES[kind])
    if wav_format.codec == IEEE_FLOAT:
        # Doubles beyond the range of float32 become infinity, which the caller refuses.
        with np.errstate(over="ignore"):
            samples = stored.astype(np.float32)
    elif wav_format.bits == 8:
        samples = stored.astype(np.float32)
        samples -= np.float32(128)
        samples /= np.float32(128)
    else:
        if wav_format.bits == 24:
            stored = _widen_24_bit(stored)
        full_scale = 2.0 ** (stored.dtype.itemsize * 8 - 1)
        samples = stored.astype(np.float32)
        samples /= np.float32(full_scale)
    return samples.reshape(-1, wav_format.channels)


def _widen_24_bit(stored: NDArray[np.uint8]) -> NDArray[np.int32]:
    wide = np.zeros((len(stored) // 3, 4), dtype=np.uint8)
    wide[:, 1:] = stored.reshape(-1, 3)
    return wide.view("<i4").reshape(-1)
