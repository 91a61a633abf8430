"""Toronto Emotional Speech Set."""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.scan import NOT_UNDERSTOOD, Reading, Understood, scan
from train.corpora.utterance import Utterance

ADDRESS = "https://doi.org/10.5683/SP2/E8H2MF"
EMOTIONS = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sad",
}
# "OA" is a misnamed OAF file in the corpus as it is distributed.
NAME = re.compile(r"(OAF?|YAF)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)", re.I)


def scan_tess(folder: Path) -> Reading:
    """Toronto Emotional Speech Set: 2 women, 7 emotions, 200 words each.

    Reads file names, not folder names, which differ between downloads; a name found twice (a
    copy of the set nested in itself) counts once.
    """
    return scan(folder, _understand)


def _understand(path: Path) -> Understood:
    match = NAME.fullmatch(path.stem)
    if not match:
        return NOT_UNDERSTOOD
    speaker = "YAF" if match[1].upper() == "YAF" else "OAF"
    word, emotion = match[2].lower(), EMOTIONS[match[3].lower()]
    utterance = Utterance(path, emotion, f"TESS-{speaker}", word, "TESS")
    return f"{speaker}_{word}_{emotion}", utterance
