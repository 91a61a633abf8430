"""Why mutants survive: read from a file that is kept by hand, and matched by what they change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError
from train.toml_text import read_toml

EXPLANATIONS = Path(__file__).with_name("survivors.toml")
CLASSES = {
    "equivalent": "no input tells the mutant from the original",
    "cost": "it gives the same and takes more time or memory",
    "tolerance": "it differs by less than the tests allow for the rounding of float32",
    "message": "the wording of a message",
    "elsewhere": "tests that are not run for this find it, or a machine that is not at hand",
}
ANY = "*"
KEYS = {"place", "class", "why", "changes"}


@dataclass(frozen=True)
class Explanation:
    """Why some mutants of a function survive.

    Attributes
    ----------
    place : str
        Module and function.
    kind : str
        One of `CLASSES`.
    why : str
        In words.
    changes : tuple of (str, str)
        The source before and after, without indentation; ``*`` stands for any change of a line.
    """

    place: str
    kind: str
    why: str
    changes: tuple[tuple[str, str], ...]

    def explains(self, place: str, before: str, after: str) -> bool:
        """Whether it is about a mutant."""
        return place == self.place and any(
            one == (before, after) or one == (before, ANY) for one in self.changes
        )


def load_explanations(path: Path) -> list[Explanation]:
    """Load them.

    Raises
    ------
    SerEdgeError
        When an entry lacks something, or is of no known class.
    """
    return [
        _explanation(path, number, entry)
        for number, entry in enumerate(read_toml(path).get("survivors", []), start=1)
    ]


def _explanation(path: Path, number: int, entry: dict[str, Any]) -> Explanation:
    if set(entry) != KEYS:
        raise SerEdgeError(f"{path}: entry {number} must have {', '.join(sorted(KEYS))}")
    if entry["class"] not in CLASSES:
        raise SerEdgeError(f"{path}: entry {number}: class must be one of {', '.join(CLASSES)}")
    changes = tuple((before, after) for before, after in entry["changes"])
    return Explanation(entry["place"], entry["class"], entry["why"], changes)
