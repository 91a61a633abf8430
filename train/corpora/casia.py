"""CASIA, a Mandarin corpus."""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.scan import NOT_UNDERSTOOD, Reading, Understood, scan
from train.corpora.utterance import Utterance

ADDRESS = "http://www.chineseldc.org"
EMOTIONS = {"angry", "fear", "happy", "neutral", "sad", "surprise"}
SENTENCE = re.compile(r"\d{3}")
# As one of the distributions names them: sentence, emotion, speaker.
FLAT_NAME = re.compile(r"(\d{3})-([a-z]+)-([a-z]+)", re.I)


def scan_casia(folder: Path) -> Reading:
    """CASIA, Mandarin: 4 speakers, 6 emotions, 50 sentences in the public part.

    Reads ``SPEAKER/EMOTION/201.wav`` and ``201-EMOTION-SPEAKER.wav``.
    """
    return scan(folder, _understand)


def _understand(path: Path) -> Understood:
    if SENTENCE.fullmatch(path.stem):
        sentence, emotion, speaker = path.stem, path.parent.name, path.parent.parent.name
    elif match := FLAT_NAME.fullmatch(path.stem):
        sentence, emotion, speaker = match.groups()
    else:
        return NOT_UNDERSTOOD
    emotion, speaker = emotion.lower(), speaker.lower()
    if emotion not in EMOTIONS:
        return "emotion not understood"
    # The file's name alone is every speaker's.
    key = f"{sentence}-{emotion}-{speaker}"
    return key, Utterance(path, emotion, f"CASIA-{speaker}", sentence, "CASIA", key)
