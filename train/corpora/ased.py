"""Amharic Speech Emotion Dataset."""

from __future__ import annotations

import re
from pathlib import Path

from train.corpora.scan import NOT_UNDERSTOOD, Reading, Understood, scan
from train.corpora.utterance import Utterance

ADDRESS = "https://github.com/Ethio2021/ASED_V1"
EMOTIONS = {"n1": "neutral", "f2": "fear", "h3": "happy", "s4": "sad", "a5": "angry"}
# emotion, sentence, repetition, gender, speaker
NAME = re.compile(r"(?:(n1|f2|h3|s4|a5)-)?(0[1-7])-(\d\d)-(0[12])-(\d\d)", re.I)
FOLDER = re.compile(r"0?([1-5])[-_ ]?([nfhsa])[a-z]*", re.I)
# Sentences 01 to 05 are another five in each emotion; only these are spoken in all of them.
SHARED_SENTENCES = ("06", "07")


def scan_ased(folder: Path) -> Reading:
    """ASED, Amharic: 65 speakers, 5 emotions, 7 sentences in each.

    Sentences 01 to 05 belong to one emotion each, under the same numbers: a model can learn those
    words instead of the voice. Judge on `SHARED_SENTENCES`.

    The emotion is the prefix of the file's name, or that of its folder where the name has none.
    """
    return scan(folder, _understand)


def _understand(path: Path) -> Understood:
    match = NAME.fullmatch(path.stem)
    if not match:
        return NOT_UNDERSTOOD
    code = (match[1] or _folder_code(path.parent.name)).lower()
    if code not in EMOTIONS:
        return "emotion not understood"
    _, sentence, repetition, gender, speaker = match.groups()
    key = f"{code}-{sentence}-{repetition}-{gender}-{speaker}"
    # A key only where the file's name is not unique.
    utterance = Utterance(
        path, EMOTIONS[code], f"ASED-{speaker}", sentence, "ASED", "" if match[1] else key
    )
    return key, utterance


def _folder_code(name: str) -> str:
    """``n1`` for the folder ``01Neutral``."""
    match = FOLDER.fullmatch(name)
    return f"{match[2]}{match[1]}" if match else ""
