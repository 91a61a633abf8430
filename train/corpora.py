"""Corpus adapters: from a folder as it was downloaded to a list of utterances."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import SerEdgeError

SOUND_SUFFIXES = {".wav", ".flac", ".opus", ".ogg", ".aif", ".aiff", ".mp3"}

TESS_EMOTIONS = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sad",
}
# "OA" is a misnamed OAF file in the corpus as it is distributed.
TESS_NAME = re.compile(r"(OAF?|YAF)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)", re.I)

RAVDESS_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
# modality (audio alone), channel (speech), emotion, intensity, sentence, repetition, actor
RAVDESS_NAME = re.compile(r"03-01-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")


@dataclass(frozen=True)
class Utterance:
    """One labelled recording.

    Attributes
    ----------
    path : Path
        The sound file.
    emotion : str
        The label in the project's terms.
    speaker : str
        Unique over all corpora.
    text : str
        What is said, as the corpus numbers or names it.
    corpus : str
        Name of the corpus.
    """

    path: Path
    emotion: str
    speaker: str
    text: str
    corpus: str

    @property
    def name(self) -> str:
        """The file's name without its suffix, unique within the corpus."""
        return self.path.stem


def read_tess(folder: Path) -> list[Utterance]:
    """Toronto Emotional Speech Set: 2 women, 7 emotions, 200 words each.

    Reads file names, not folder names, which differ between downloads; a name found twice (a
    copy of the set nested in itself) counts once.
    """
    found: dict[object, Utterance] = {}
    for path in _sound_files(folder):
        match = TESS_NAME.fullmatch(path.stem)
        if match:
            speaker = "YAF" if match[1].upper() == "YAF" else "OAF"
            word, emotion = match[2].lower(), TESS_EMOTIONS[match[3].lower()]
            key = (speaker, word, emotion)
            found.setdefault(key, Utterance(path, emotion, f"TESS-{speaker}", word, "TESS"))
    return list(found.values())


def read_ravdess(folder: Path) -> list[Utterance]:
    """RAVDESS, speech: 24 actors, 8 emotions, 2 sentences."""
    found: dict[object, Utterance] = {}
    for path in _sound_files(folder):
        match = RAVDESS_NAME.fullmatch(path.stem)
        if match:
            emotion, sentence, actor = RAVDESS_EMOTIONS[match[1]], match[3], match[5]
            speaker = f"RAVDESS-{actor}"
            found.setdefault(path.stem, Utterance(path, emotion, speaker, sentence, "RAVDESS"))
    return list(found.values())


ADAPTERS: dict[str, tuple[Callable[[Path], list[Utterance]], str]] = {
    "TESS": (read_tess, "https://doi.org/10.5683/SP2/E8H2MF"),
    "RAVDESS": (read_ravdess, "https://doi.org/10.5281/zenodo.1188976"),
}


def corpora_folder(folder: str | None = None) -> Path:
    """Return the folder that holds the corpora: the one given, or ``SER_EDGE_CORPORA``.

    Raises
    ------
    SerEdgeError
        When neither names an existing folder.
    """
    named = folder or os.environ.get("SER_EDGE_CORPORA", "")
    if not named:
        raise SerEdgeError("no corpora folder: give --corpora DIR or set SER_EDGE_CORPORA")
    if not Path(named).is_dir():
        raise SerEdgeError(f"{named}: no such corpora folder (--corpora or SER_EDGE_CORPORA)")
    return Path(named)


def read_corpora(folder: Path, names: list[str]) -> list[Utterance]:
    """Read several corpora, each from the subfolder of its name.

    Parameters
    ----------
    folder : Path
        Holds one subfolder per corpus.
    names : list of str
        Keys of `ADAPTERS`.

    Returns
    -------
    list of Utterance
        Sorted by corpus and file name, so that a seed means the same split everywhere.

    Raises
    ------
    SerEdgeError
        When a corpus is unknown, or its folder holds none of its files.
    """
    utterances: list[Utterance] = []
    for name in names:
        if name not in ADAPTERS:
            raise SerEdgeError(f"unknown corpus {name!r}; known are {', '.join(ADAPTERS)}")
        adapter, address = ADAPTERS[name]
        found = adapter(folder / name)
        if not found:
            raise SerEdgeError(f"{folder / name}: no {name} recordings; get them from {address}")
        utterances += sorted(found, key=lambda utterance: utterance.name)
    return utterances


def _sound_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SOUND_SUFFIXES and path.is_file():
            yield path
