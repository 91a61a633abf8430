"""Surrey Audio-Visual Expressed Emotion."""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.scan import NOT_UNDERSTOOD, Reading, Understood, scan
from train.corpora.utterance import Utterance

ADDRESS = "http://kahlan.eps.surrey.ac.uk/savee"
EMOTIONS = {
    "a": "angry",
    "d": "disgust",
    "f": "fear",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprise",
}
SPEAKERS = {"DC", "JE", "JK", "KL"}
# speaker, else in the folder's name; emotion and sentence
NAME = re.compile(r"(?:([A-Z]{2})_)?(a|d|f|h|n|sa|su)(\d\d)", re.I)


def scan_savee(folder: Path) -> Reading:
    """SAVEE, British English: 4 men, 7 emotions.

    Most sentences are another in each emotion, so a text is numbered with its emotion's letter.
    """
    return scan(folder, _understand)


def _understand(path: Path) -> Understood:
    match = NAME.fullmatch(path.stem)
    if not match:
        return NOT_UNDERSTOOD
    speaker, code = (match[1] or path.parent.name).upper(), match[2].lower()
    if speaker not in SPEAKERS:
        return "speaker not understood"
    text = f"{code}{match[3]}"
    key = f"{speaker}_{text}"
    return key, Utterance(path, EMOTIONS[code], f"SAVEE-{speaker}", text, "SAVEE", key)
