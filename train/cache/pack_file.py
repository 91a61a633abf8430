"""The form of a pack: one line of JSON that lists its entries, then their values.

The values are little-endian float32. A pack's name is a digest of its line, which holds the
checksum of every entry, so that no damage goes unnoticed. A pack is never changed.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from io import BufferedReader
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LAYOUT = 1  # raise it when packs change their form
SUFFIX = ".pack"

Frames = NDArray[np.float32]


class Entry(NamedTuple):
    """Where a pack holds the values of a content, and what they must be."""

    content: str
    shape: list[int]
    checksum: int
    start: int


def pack(entries: dict[str, Frames]) -> tuple[str, list[Any]]:
    """Name of the pack of some entries, and the parts to write there."""
    values = [frames.astype("<f4", copy=False) for frames in entries.values()]
    listed = [[c, v.shape, zlib.crc32(v.data)] for c, v in zip(entries, values)]
    head = json.dumps({"layout": LAYOUT, "entries": listed}).encode() + b"\n"
    return _stem(head) + SUFFIX, [head, *values]


def read_entries(file: BufferedReader, stem: str) -> list[Entry] | None:
    """Entries of a pack, none where a later version wrote it; None where the list is damaged."""
    head = file.readline()
    if _stem(head) != stem:
        return None
    described = json.loads(head)
    if described["layout"] != LAYOUT:
        return []
    entries = []
    start = len(head)
    for content, shape, checksum in described["entries"]:
        entries.append(Entry(content, shape, checksum, start))
        start += 4 * math.prod(shape)
    return entries


def read_values(file: BufferedReader, entry: Entry) -> Frames | None:
    """Values of an entry, None where they are not what was written."""
    frames = np.empty(entry.shape, dtype="<f4")
    file.seek(entry.start)
    n_read = file.readinto(frames.reshape(-1).view(np.uint8).data)
    if n_read < frames.nbytes or zlib.crc32(frames.data) != entry.checksum:
        return None
    return frames.astype(np.float32, copy=False)


def _stem(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()[:32]
