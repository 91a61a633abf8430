"""A folder of one's own with a subfolder for each label."""

from __future__ import annotations

from pathlib import Path

from train.corpora.labels import emotion_of
from train.corpora.scan import Reading, Understood, scan
from train.corpora.utterance import Utterance


def scan_folder(folder: Path, corpus: str) -> Reading:
    """Read ``LABEL/NAME.wav`` and ``LABEL/SPEAKER/NAME.wav``.

    Without a speaker's folder the speakers are unknown. Such recordings count as one speaker named
    after the corpus: were each its own, a voice could be on both sides of a split unnoticed.

    Parameters
    ----------
    folder : Path
        Holds one subfolder per label; see `train.corpora.labels.emotion_of`.
    corpus : str
        What to call it.
    """
    return scan(folder, lambda path: _understand(path, folder, corpus))


def _understand(path: Path, folder: Path, corpus: str) -> Understood:
    relative = path.relative_to(folder)
    if len(relative.parts) not in (2, 3):
        return "not in LABEL/ or LABEL/SPEAKER/"
    label, *rest = relative.parts[:-1]
    speaker = f"{corpus}-{rest[0]}" if rest else corpus
    # A name may occur under every label, and a text is not known.
    key = relative.with_suffix("").as_posix()
    return key, Utterance(path, emotion_of(label), speaker, "", corpus, key)
