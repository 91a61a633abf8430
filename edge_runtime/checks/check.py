"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What it is.
    outcome : {"ok", "warn", "fail"}
        "warn": ser-edge runs, but worse than it could; "fail": it does not.
    found : str
        What there is, in a line.
    advice : str
        What to do about it; "" when there is nothing to do.
    """

    name: str
    outcome: str
    found: str
    advice: str = ""


def ok(name: str, found: str) -> Check:
    """Make a check that found things well."""
    return Check(name, "ok", found)


def warn(name: str, found: str, advice: str) -> Check:
    """Make a check that found what could be better."""
    return Check(name, "warn", found, advice)


def fail(name: str, found: str, advice: str = "") -> Check:
    """Make a check that found what keeps ser-edge from running.

    The advice may be left out where what was found says what to do, as a `SerEdgeError` does.
    """
    return Check(name, "fail", found, advice)
