"""Names of corpora in descriptions, and of splits in folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from edge_runtime.errors import SerEdgeError

# What no description of a figure on ASED may leave out.
ASED_NOTE = "ASED judged on the sentences 06 and 07, which all its emotions share"


def different(corpora: Sequence[str]) -> tuple[str, ...]:
    """Give the corpora back when there is one, and none is named twice.

    Raises
    ------
    SerEdgeError
        When there is none, or one counts twice: its recordings would be on both sides.
    """
    if not corpora:
        raise SerEdgeError("protocol: no corpus is named; name at least one")
    for corpus in corpora:
        if list(corpora).count(corpus) > 1:
            raise SerEdgeError(f"protocol: {corpus} is named twice; name every corpus once")
    return tuple(corpora)


def listed(corpora: Sequence[str], judged: bool = True) -> str:
    """Name corpora in a description, with what must be said when ASED is judged on.

    Examples
    --------
    >>> listed(["TESS", "RAVDESS", "EmoDB"])
    'TESS, RAVDESS and EmoDB'
    """
    *others, last = corpora
    text = f"{', '.join(others)} and {last}" if others else last
    return f"{text} ({ASED_NOTE})" if judged and "ASED" in corpora else text


def merges(merge: Mapping[str, str]) -> str:
    """Say in a description what counts as another.

    Examples
    --------
    >>> merges({"calm": "neutral"}), merges({})
    (', calm as neutral', '')
    """
    return "".join(f", {old} as {new}" for old, new in merge.items())


def split_names(tested: Iterable[str]) -> list[str]:
    """Name splits after what they test, each fit for a folder and unlike the others.

    Examples
    --------
    >>> split_names(["RAVDESS-01", "folder:my/voices-anna"])
    ['test-RAVDESS-01', 'test-folder-my-voices-anna']
    """
    names = [f"test-{re.sub(r'[^0-9A-Za-z_.-]+', '-', name)}" for name in tested]
    # Folders may not tell upper from lower case.
    if len({name.lower() for name in names}) < len(names):
        return [f"{name}-{number}" for number, name in enumerate(names, start=1)]
    return names
