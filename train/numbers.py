"""What counts as a number in a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and neither true nor false."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def number_from(low: float, high: float) -> Callable[[Any], bool]:
    """Make the check whether a value is a number from `low` to `high`.

    Examples
    --------
    >>> is_share = number_from(0.0, 1.0)
    >>> is_share(0.5), is_share(1), is_share(True), is_share(float("nan")), is_share("0.5")
    (True, True, False, False, False)
    """
    return lambda value: is_number(value) and low <= value <= high
