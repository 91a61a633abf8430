"""EMOVO, an Italian corpus."""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.scan import NOT_UNDERSTOOD, Reading, Understood, scan
from train.corpora.utterance import Utterance

ADDRESS = "http://voice.fub.it/activities/corpora/emovo/index.html"
EMOTIONS = {
    "neu": "neutral",
    "dis": "disgust",
    "gio": "happy",
    "pau": "fear",
    "rab": "angry",
    "sor": "surprise",
    "tri": "sad",
}
# emotion, speaker, sentence
NAME = re.compile(r"(neu|dis|gio|pau|rab|sor|tri)-([fm][123])-([a-z]\d)", re.I)


def scan_emovo(folder: Path) -> Reading:
    """EMOVO, Italian: 3 women and 3 men, 7 emotions, 14 sentences."""
    return scan(folder, _understand)


def _understand(path: Path) -> Understood:
    match = NAME.fullmatch(path.stem)
    if not match:
        return NOT_UNDERSTOOD
    emotion, speaker, sentence = EMOTIONS[match[1].lower()], match[2].lower(), match[3].lower()
    return path.stem, Utterance(path, emotion, f"EMOVO-{speaker}", sentence, "EMOVO")
