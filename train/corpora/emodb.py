"""Berlin Database of Emotional Speech."""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.scan import NOT_UNDERSTOOD, Reading, Understood, scan
from train.corpora.utterance import Utterance

ADDRESS = "https://doi.org/10.5281/zenodo.7447302"
EMOTIONS = {
    "W": "angry",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
# speaker, text, emotion, version
NAME = re.compile(r"(03|08|09|1[0-6])([ab]\d\d)([WLEAFTN])([a-z])", re.I)


def scan_emodb(folder: Path) -> Reading:
    """EmoDB, German: 5 women and 5 men, 7 emotions with boredom, 10 texts."""
    return scan(folder, _understand)


def _understand(path: Path) -> Understood:
    match = NAME.fullmatch(path.stem)
    if not match:
        return NOT_UNDERSTOOD
    speaker, text, emotion = f"EmoDB-{match[1]}", match[2].lower(), EMOTIONS[match[3].upper()]
    return path.stem, Utterance(path, emotion, speaker, text, "EmoDB")
