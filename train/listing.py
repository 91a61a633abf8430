"""Names in a sentence, not too many of them."""

from __future__ import annotations

from collections.abc import Sequence

SPEAKERS_NAMED = 5


def first_of(names: Sequence[str], most: int = SPEAKERS_NAMED) -> str:
    """Name the first ones, and say how many more there are.

    Examples
    --------
    >>> first_of(["anna", "ben", "cleo"], 2), first_of(["anna", "ben"], 2)
    ('anna, ben and 1 more', 'anna, ben')
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
