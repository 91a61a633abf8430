"""The words under which people file an emotion, in the project's terms."""

from __future__ import annotations

from edge_runtime.metadata import LABELS

OTHER_WORDS = {
    "anger": "angry",
    "bored": "boredom",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "joy": "happy",
    "pleasant surprise": "surprise",
    "ps": "surprise",
    "sadness": "sad",
    "surprised": "surprise",
    **{label: label for label in LABELS},
}


def emotion_of(label: str) -> str:
    """Return the project's word for a label; one that it has no word for stays, in lower case.

    Examples
    --------
    >>> emotion_of("Anger"), emotion_of("pleasant_surprise"), emotion_of("Relief")
    ('angry', 'surprise', 'relief')
    """
    plain = " ".join(label.replace("_", " ").lower().split())
    return OTHER_WORDS.get(plain, plain)
