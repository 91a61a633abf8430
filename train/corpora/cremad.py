"""Crowd-sourced Emotional Multimodal Actors Dataset."""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.scan import NOT_UNDERSTOOD, Reading, Understood, scan
from train.corpora.utterance import Utterance

ADDRESS = "https://github.com/CheyneyComputerScience/CREMA-D"
EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
# speaker, sentence, emotion, level; one file of the corpus ends in _X for _XX
NAME = re.compile(r"(\d{4})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX?)", re.I)


def scan_cremad(folder: Path) -> Reading:
    """CREMA-D, American English: 91 actors, 6 emotions, 12 sentences."""
    return scan(folder, _understand)


def _understand(path: Path) -> Understood:
    match = NAME.fullmatch(path.stem)
    if not match:
        return NOT_UNDERSTOOD
    speaker, sentence, emotion = match[1], match[2].upper(), EMOTIONS[match[3].upper()]
    return path.stem, Utterance(path, emotion, f"CREMA-D-{speaker}", sentence, "CREMA-D")
