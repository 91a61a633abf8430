"""Tells how far a measurement is, with tqdm or without."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
N_LINES = 10


def shown(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Give items one by one, and show how many are done where somebody watches.

    Parameters
    ----------
    items : sequence
        What is worked on.
    what : str
        What is being done.

    Yields
    ------
    object
        The items.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        yield from _with_lines(items, what)
    else:
        yield from tqdm(items, desc=what, disable=None, leave=False)


def _with_lines(items: Sequence[Item], what: str) -> Iterator[Item]:
    is_watched = sys.stderr.isatty()
    step = max(1, len(items) // N_LINES)
    for index, item in enumerate(items):
        if is_watched and index % step == 0:
            print(f"{what}: {index} of {len(items)}", file=sys.stderr, flush=True)
        yield item
