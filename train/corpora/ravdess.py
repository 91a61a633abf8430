"""Ryerson Audio-Visual Database of Emotional Speech and Song."""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.scan import NOT_UNDERSTOOD, Reading, Understood, scan
from train.corpora.utterance import Utterance

ADDRESS = "https://doi.org/10.5281/zenodo.1188976"
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
SPEECH, SONG = "01", "02"
# modality (audio alone), channel, emotion, intensity, sentence, repetition, actor
NAME = re.compile(r"03-(01|02)-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")


def scan_ravdess(folder: Path) -> Reading:
    """RAVDESS, speech: 24 actors, 8 emotions, 2 sentences."""
    return scan(folder, lambda path: _understand(path, SPEECH, "RAVDESS"))


def scan_ravdess_song(folder: Path) -> Reading:
    """RAVDESS, song: 23 of the same actors, 6 emotions, 2 sentences.

    A singer is the same speaker as in the speech part, so that nobody is on two sides of a split.
    """
    return scan(folder, lambda path: _understand(path, SONG, "RAVDESS-song"))


def _understand(path: Path, channel: str, corpus: str) -> Understood:
    match = NAME.fullmatch(path.stem)
    if not match:
        return NOT_UNDERSTOOD
    if match[1] != channel:
        return "song, not speech" if match[1] == SONG else "speech, not song"
    emotion, sentence, actor = EMOTIONS[match[2]], match[4], match[6]
    return path.stem, Utterance(path, emotion, f"RAVDESS-{actor}", sentence, corpus)
