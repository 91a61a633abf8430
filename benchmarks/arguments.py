"""What several commands of ``ser-bench`` take."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A whole number above zero, for ``type=`` of an argument.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is something else.

    Examples
    --------
    >>> positive("30")
    30
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")
    return int(text)
