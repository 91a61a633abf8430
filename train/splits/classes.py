"""Which classes a split tells apart, and whether there is enough of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.corpora import Utterance

LEAST_CLASSES = 2
# One for the test, one for validation and a few to learn from.
LEAST_UTTERANCES = 5


@dataclass(frozen=True)
class Classes:
    """The classes, and which class an utterance has.

    Attributes
    ----------
    labels : tuple of str
        In the order of the scores.
    merge : dict of str to str
        Emotions that count as another; none of them is a label.
    """

    labels: tuple[str, ...]
    merge: dict[str, str]

    def of(self, utterance: Utterance) -> str:
        """Give the class of an utterance, which may be none of the labels."""
        return merged(utterance, self.merge)

    def keep(self, utterances: Iterable[Utterance]) -> list[Utterance]:
        """Leave out the utterances of other classes."""
        return [utterance for utterance in utterances if self.of(utterance) in self.labels]

    def count(self, utterances: Iterable[Utterance]) -> Counter[str]:
        """Count the utterances of every class."""
        return Counter(map(self.of, utterances))


def merged(utterance: Utterance, merge: Mapping[str, str]) -> str:
    """Give the emotion of an utterance, or the one that it counts as."""
    return merge.get(utterance.emotion, utterance.emotion)


def classes_of(
    utterances: Iterable[Utterance],
    labels: Sequence[str] | None = None,
    merge: Mapping[str, str] | None = None,
) -> Classes:
    """Settle the classes of utterances.

    Parameters
    ----------
    utterances : iterable of Utterance
        Whose emotions count where no labels are given.
    labels : sequence of str, optional
        The classes. By default the emotions that occur, after merging: those of
        `edge_runtime.metadata.LABELS` in their order, then all others by the alphabet.
    merge : mapping of str to str, optional
        Emotions that count as another. An emotion among the labels is left as it is.

    Raises
    ------
    SerEdgeError
        When a label is given twice.
    """
    if labels is None:
        labels = in_order(merged(utterance, merge or {}) for utterance in utterances)
    if len(set(labels)) < len(labels):
        raise SerEdgeError(f"labels: one is given twice in {', '.join(labels)}; name each once")
    kept = {old: new for old, new in (merge or {}).items() if old not in labels}
    return Classes(tuple(labels), kept)


def in_order(emotions: Iterable[str]) -> tuple[str, ...]:
    """Sort emotions: the project's seven in their order, then all others by the alphabet.

    Examples
    --------
    >>> in_order(["relief", "sad", "boredom", "neutral", "sad"])
    ('neutral', 'sad', 'boredom', 'relief')
    """
    found = set(emotions)
    return (*(label for label in LABELS if label in found), *sorted(found - set(LABELS)))


def require_enough(
    utterances: Iterable[Utterance],
    classes: Classes,
    where: str = "",
    least: int = LEAST_UTTERANCES,
) -> None:
    """Refuse what no split can be made of.

    Parameters
    ----------
    utterances : iterable of Utterance
        What there is.
    classes : Classes
        What there must be.
    where : str, optional
        What they are for, to say in the error.
    least : int, optional
        Number of utterances that every class needs.

    Raises
    ------
    SerEdgeError
        When there are fewer than two classes, or a class has too few utterances; it names them.
    """
    if len(classes.labels) < LEAST_CLASSES:
        found = f"only the label {classes.labels[0]}" if classes.labels else "no label"
        raise SerEdgeError(
            f"split: {found} occurs; a model needs at least {LEAST_CLASSES} to tell apart"
        )
    count = classes.count(utterances)
    few = [f"{count[label]} of {label}" for label in classes.labels if count[label] < least]
    if few:
        raise SerEdgeError(
            f"split: too few utterances{where}: {', '.join(few)}; "
            f"every label needs at least {least}: add recordings, or leave the label out"
        )
