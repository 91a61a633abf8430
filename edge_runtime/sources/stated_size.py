"""What the first bytes of a file say about its length."""

from __future__ import annotations

import struct

LEAST_PLACEHOLDER = 1 << 63
LEAST_PLACEHOLDER_32_BIT = 0xFFFFFF00


def stated_size(kind: str, head: bytes) -> int | None:
    r"""Length that a sound file should have.

    libsndfile reads a file of these formats that was cut short without a word.

    Parameters
    ----------
    kind : str
        The format, as `edge_runtime.sources.sound_formats.identify` names it.
    head : bytes
        The first 32 bytes.

    Returns
    -------
    int or None
        The least length of the file in bytes; None where the head does not say.

    Examples
    --------
    >>> stated_size("AIFF", b"FORM\x00\x00\x01\x00AIFF" + bytes(20))
    264
    """
    if len(head) < 32:
        return None
    if kind in ("AIFF", "RIFX"):
        return _known_32_bit(8, struct.unpack_from(">I", head, 4)[0])
    if kind == "AU":
        return _known_32_bit(*struct.unpack_from(">II", head, 4))
    if kind == "Wave64":
        return _known_64_bit(0, struct.unpack_from("<Q", head, 16)[0])
    if kind == "RF64" and head[12:16] == b"ds64":
        return _known_64_bit(8, struct.unpack_from("<Q", head, 20)[0])
    return None


def _known_32_bit(before: int, size: int) -> int | None:
    return before + size if 0 < size < LEAST_PLACEHOLDER_32_BIT else None


def _known_64_bit(before: int, size: int) -> int | None:
    return before + size if 0 < size < LEAST_PLACEHOLDER else None
