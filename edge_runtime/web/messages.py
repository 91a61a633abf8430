"""JSON and server-sent events, as the web server writes them.

.. [1] WHATWG, "HTML Living Standard", section 9.2, "Server-sent events".
"""

from __future__ import annotations

import json
import math
from typing import Any

DIGITS = 4  # of numbers that people look at
RETRY_MILLISECONDS = 2000
# Opens a stream: how long a client waits before it comes back.
GREETING = f"retry: {RETRY_MILLISECONDS}\n\n"
HEARTBEAT = ": still here\n\n"


def to_json(value: Any) -> str:
    """Write JSON types, numbers rounded to four digits; those that JSON lacks become null.

    Examples
    --------
    >>> to_json({"level_dbfs": float("-inf"), "score": 0.123456})
    '{"level_dbfs": null, "score": 0.1235}'
    """
    return json.dumps(_rounded(value), allow_nan=False)


def to_message(kind: str, data: str, number: str = "") -> str:
    r"""Write one server-sent event.

    Parameters
    ----------
    kind : str
        Its type.
    data : str
        One line.
    number : str
        Its id, which a client names when it comes back; "" for none.

    Examples
    --------
    >>> to_message("end", "{}", "5")
    'id: 5\nevent: end\ndata: {}\n\n'
    """
    identity = f"id: {number}\n" if number else ""
    return f"{identity}event: {kind}\ndata: {data}\n\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value
