"""Who is trained on, who is selected on, who is tested on: always whole speakers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.corpora import Utterance

RAVDESS_LABELS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
# The folds that the literature on RAVDESS shares.
RAVDESS_FOLDS = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
VALIDATION_ACTORS = 4
VALIDATION_WORDS_SHARE = 0.2


@dataclass(frozen=True)
class Split:
    """Three lists that share no speaker, or where a protocol leaves but one, no text.

    Attributes
    ----------
    name : str
        Which split of its protocol.
    labels : tuple of str
        The classes, in the order of the scores.
    train, validation, test : list of Utterance
        What to fit, select and judge on.
    """

    name: str
    labels: tuple[str, ...]
    train: list[Utterance]
    validation: list[Utterance]
    test: list[Utterance]


@dataclass(frozen=True)
class Protocol:
    """A published way to split corpora.

    Attributes
    ----------
    corpora : tuple of str
        What it needs.
    description : str
        One sentence to stand beside every figure.
    split : callable
        ``split(utterances, seed)`` gives its splits.
    """

    corpora: tuple[str, ...]
    description: str
    split: Callable[[list[Utterance], int], list[Split]]


def by_speakers(
    utterances: list[Utterance], validation: list[str], test: list[str], labels: tuple[str, ...]
) -> Split:
    """Split by naming the validation and test speakers; all others are trained on.

    Raises
    ------
    SerEdgeError
        When a speaker is named twice or has no utterance.
    """
    speakers = {utterance.speaker for utterance in utterances}
    for speaker in [*validation, *test]:
        if speaker not in speakers:
            raise SerEdgeError(f"split: no utterance of speaker {speaker!r}")
    if set(validation) & set(test):
        raise SerEdgeError("split: a speaker is in both validation and test")
    parts: dict[str, list[Utterance]] = {"train": [], "validation": [], "test": []}
    for utterance in utterances:
        in_test, in_validation = utterance.speaker in test, utterance.speaker in validation
        part = "test" if in_test else "validation" if in_validation else "train"
        parts[part].append(utterance)
    return Split("speakers", labels, **parts)


def ravdess_5fold(utterances: list[Utterance], seed: int) -> list[Split]:
    """Give five folds of actors; four training actors, two women and two men, for validation."""
    splits = []
    for number, actors in enumerate(RAVDESS_FOLDS, start=1):
        rest = np.array(sorted(set(range(1, 25)) - set(actors)))
        rng = np.random.default_rng([seed, number])
        half = VALIDATION_ACTORS // 2
        held_out = [
            *rng.choice(rest[rest % 2 == 0], half, replace=False),
            *rng.choice(rest[rest % 2 == 1], half, replace=False),
        ]
        split = by_speakers(
            utterances,
            [f"RAVDESS-{actor:02d}" for actor in held_out],
            [f"RAVDESS-{actor:02d}" for actor in actors],
            RAVDESS_LABELS,
        )
        splits.append(
            Split(f"fold{number}", split.labels, split.train, split.validation, split.test)
        )
    return splits


def tess_loso(utterances: list[Utterance], seed: int) -> list[Split]:
    """Train on one woman, test on the other; validation is a fifth of the trained woman's words."""
    speakers = {u.speaker for u in utterances}
    for speaker in ("TESS-OAF", "TESS-YAF"):
        if speaker not in speakers:
            raise SerEdgeError(f"split: no utterance of speaker {speaker!r}")
    splits = []
    for tested in ("OAF", "YAF"):
        known = [u for u in utterances if u.speaker != f"TESS-{tested}"]
        words = np.array(sorted({u.text for u in known}))
        rng = np.random.default_rng(seed)
        n_held = round(VALIDATION_WORDS_SHARE * len(words))
        held_words = set(rng.choice(words, n_held, replace=False))
        splits.append(
            Split(
                f"test-{tested}",
                LABELS,
                [u for u in known if u.text not in held_words],
                [u for u in known if u.text in held_words],
                [u for u in utterances if u.speaker == f"TESS-{tested}"],
            )
        )
    return splits


PROTOCOLS = {
    "ravdess-5fold": Protocol(
        ("RAVDESS",),
        "RAVDESS speech, 8 classes, 5 folds of unseen actors; validation on 4 training actors",
        ravdess_5fold,
    ),
    "tess-loso": Protocol(
        ("TESS",),
        "TESS, 7 classes, trained on one woman and tested on the other; "
        "validation on a fifth of the training woman's words",
        tess_loso,
    ),
}
