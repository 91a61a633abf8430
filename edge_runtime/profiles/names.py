"""What a profile may be called: its name is that of a file, on any disk."""

from __future__ import annotations

import unicodedata

from edge_runtime.errors import SerEdgeError

NOBODY = "none"
LONGEST_NAME = 64  # bytes; the name of a file may have 255, with what stands around it


def checked_name(name: str) -> str:
    """Give a name in its one spelling.

    Raises
    ------
    SerEdgeError
        When it cannot be one of a profile; the line says what can.
    """
    spelt = unicodedata.normalize("NFC", name)
    letters = all(letter.isalnum() or letter in "-_." for letter in spelt)
    length = len(spelt.encode(errors="surrogateescape"))
    if letters and 0 < length <= LONGEST_NAME and spelt[0] not in "-." and spelt != NOBODY:
        return spelt
    raise SerEdgeError(
        f"{name!r} cannot be a profile's name: letters, digits, '-', '_' and '.', a letter or "
        f"digit first, at most {LONGEST_NAME} bytes, and not {NOBODY!r}"
    )


def is_same_file(one: str, other: str) -> bool:
    """Whether two names are one on a disk that knows no capitals."""
    return one.casefold() == other.casefold()
