"""Goes through a corpus' folder: what is one of its recordings, and why the rest is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

from train.corpora.utterance import Utterance

SOUND_SUFFIXES = {".wav", ".flac", ".opus", ".ogg", ".aif", ".aiff", ".mp3"}
# As macOS leaves them in archives: "._NAME.wav" holds no sound.
HIDDEN = "hidden file"
NO_SOUND = "not a sound file"
NOT_UNDERSTOOD = "name not understood"
DUPLICATE = "same name as another"


@dataclass(frozen=True)
class Reading:
    """What an adapter found in a folder.

    Attributes
    ----------
    utterances : list of Utterance
        The corpus' recordings.
    skipped : Counter of str
        Number of other files by the reason why they were left out.
    """

    utterances: list[Utterance] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


# Of a sound file: what makes it one recording among the copies, and the recording; or why not.
Understood = Union[tuple[str, Utterance], str]


def scan(folder: Path, understand: Callable[[Path], Understood]) -> Reading:
    """Read every sound file below a folder by its name; of several copies the first counts.

    Parameters
    ----------
    folder : Path
        Where to look; one that does not exist holds nothing.
    understand : callable
        Gives an identity and the utterance for a path, or a reason to skip it. Upper and lower
        case make no other identity.

    Returns
    -------
    Reading
        In the order of the paths.
    """
    found: dict[str, Utterance] = {}
    skipped: Counter[str] = Counter()
    for path in _files(folder):
        understood = _understand(path, understand)
        if isinstance(understood, str):
            skipped[understood] += 1
            continue
        identity, utterance = understood
        if identity.lower() in found:
            skipped[DUPLICATE] += 1
        found.setdefault(identity.lower(), utterance)
    return Reading(list(found.values()), skipped)


def _understand(path: Path, understand: Callable[[Path], Understood]) -> Understood:
    if path.name.startswith("."):
        return HIDDEN
    if path.suffix.lower() not in SOUND_SUFFIXES:
        return NO_SOUND
    return understand(path)


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())
