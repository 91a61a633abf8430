"""Three parts of a list of utterances: to fit, to select and to judge on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_runtime.errors import SerEdgeError
from train.corpora import Utterance
from train.splits.classes import classes_of, require_enough
from train.splits.judged import is_judged


@dataclass(frozen=True)
class Split:
    """Three lists that share no speaker, unless the protocol's description says that they do.

    Attributes
    ----------
    name : str
        Which split of its protocol; fit to name a folder.
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


def by_speakers(
    utterances: list[Utterance], validation: list[str], test: list[str], labels: tuple[str, ...]
) -> Split:
    """Split by naming the validation and test speakers; all others are trained on.

    Raises
    ------
    SerEdgeError
        When a speaker is named twice or has no utterance.
    """
    require_speakers(utterances, [*validation, *test])
    if set(validation) & set(test):
        raise SerEdgeError("split: a speaker is in both validation and test")
    parts: dict[str, list[Utterance]] = {"train": [], "validation": [], "test": []}
    for utterance in utterances:
        in_test, in_validation = utterance.speaker in test, utterance.speaker in validation
        part = "test" if in_test else "validation" if in_validation else "train"
        parts[part].append(utterance)
    return Split("speakers", labels, **parts)


def by_named_speakers(
    utterances: list[Utterance],
    validation: Sequence[str],
    test: Sequence[str],
    labels: Sequence[str] | None = None,
    merge: Mapping[str, str] | None = None,
) -> Split:
    """`by_speakers` for any classes and corpora: only what has a class, and judged by voice alone.

    Parameters
    ----------
    utterances : list of Utterance
        What there is.
    validation, test : sequence of str
        The speakers held out; of those who say what gives their emotion away, only the rest.
    labels : sequence of str, optional
        The classes; by default the emotions that occur. Others are left out.
    merge : mapping of str to str, optional
        Emotions that count as another.

    Returns
    -------
    Split
        Its parts may be empty.

    Raises
    ------
    SerEdgeError
        When a speaker is named twice or has no utterance, there are fewer than two classes, or a
        class cannot be learnt because no utterance of it is left to train on.
    """
    classes = classes_of(utterances, labels, merge)
    usable = classes.keep(utterances)
    require_enough(usable, classes, least=1)
    split = by_speakers(usable, list(validation), list(test), classes.labels)
    require_enough(split.train, classes, " to train on", least=1)
    return replace(
        split,
        validation=[utterance for utterance in split.validation if is_judged(utterance)],
        test=[utterance for utterance in split.test if is_judged(utterance)],
    )


def emotion_of(utterance: Utterance) -> str:
    """Give the emotion as the corpus has it."""
    return utterance.emotion


def stratified(
    utterances: list[Utterance],
    share: float,
    rng: np.random.Generator,
    label: Callable[[Utterance], str] = emotion_of,
) -> tuple[list[Utterance], list[Utterance]]:
    """Draw a share of every class' utterances, whoever speaks them.

    Parameters
    ----------
    utterances : list of Utterance
        What to draw from.
    share : float
        Of each class, 0 to 1; rounded to whole utterances.
    rng : numpy.random.Generator
        Decides which.
    label : callable, optional
        Gives the class of an utterance; by default its emotion.

    Returns
    -------
    rest, drawn : list of Utterance
        Each in the order of `utterances`.
    """
    labels = np.array([label(utterance) for utterance in utterances])
    drawn: set[int] = set()
    for one in sorted(set(labels.tolist())):
        members = rng.permutation(np.flatnonzero(labels == one))
        drawn.update(members[: round(share * len(members))].tolist())
    rest = [u for index, u in enumerate(utterances) if index not in drawn]
    return rest, [u for index, u in enumerate(utterances) if index in drawn]


def require_speakers(utterances: list[Utterance], speakers: list[str]) -> None:
    """Refuse utterances that lack a speaker.

    Raises
    ------
    SerEdgeError
        Naming the first who has no utterance.
    """
    present = {utterance.speaker for utterance in utterances}
    for speaker in speakers:
        if speaker not in present:
            raise SerEdgeError(f"split: no utterance of speaker {speaker!r}")


def of_corpora(utterances: Iterable[Utterance], corpora: Iterable[str]) -> list[Utterance]:
    """Leave out the utterances of other corpora.

    Raises
    ------
    SerEdgeError
        Naming the first corpus that has no utterance.
    """
    names = list(corpora)
    found = [utterance for utterance in utterances if utterance.corpus in names]
    present = {utterance.corpus for utterance in found}
    for corpus in names:
        if corpus not in present:
            raise SerEdgeError(f"split: no utterance of corpus {corpus}")
    return found


def require_parts(split: Split) -> Split:
    """Give the split back, or refuse one with an empty part.

    Raises
    ------
    SerEdgeError
        Naming the first part that is empty.
    """
    for part in ("train", "validation", "test"):
        if not getattr(split, part):
            raise SerEdgeError(
                f"split {split.name}: too few utterances, none is left for its {part} part; "
                "add recordings"
            )
    return split


def is_unknown(utterance: Utterance) -> bool:
    """Whether nobody knows who speaks: such utterances bear their corpus' name as the speaker."""
    return utterance.speaker == utterance.corpus
