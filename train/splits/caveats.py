"""What a figure does not tell, said in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from train.corpora import Utterance
from train.listing import first_of
from train.splits.classes import merged
from train.splits.split import Split, is_unknown


def speakers_on_both_sides(split: Split) -> tuple[str, ...]:
    """Give the speakers who are in the test part and in one of the others, sorted.

    A corpus whose speakers are unknown counts as one speaker, named after it.
    """
    return _shared(split.test, [*split.train, *split.validation])


def warnings_of(split: Split, merge: Mapping[str, str] | None = None) -> list[str]:
    """Say in whole sentences what is wrong with a split's figure.

    Parameters
    ----------
    split : Split
        What to look at.
    merge : mapping of str to str, optional
        Emotions that count as another, where they are no label themselves.

    Returns
    -------
    list of str
        Empty when voices are kept apart, and every class is in training and in test.
    """
    return [*_known_voices(split), *_selected_on_known(split), *_missing(split, merge or {})]


def _known_voices(split: Split) -> list[str]:
    found = []
    unknown = _unknown(split.test, [*split.train, *split.validation])
    speakers = [name for name in speakers_on_both_sides(split) if name not in unknown]
    if speakers:
        side = "training" if _shared(split.test, split.train) else "validation"
        found.append(
            f"The same {_named(speakers)} in {side} and in test: "
            "this figure says nothing about unknown voices."
        )
    found += [
        f"{corpus}: speakers unknown, so the same may be in training and in test: "
        "this figure may say nothing about unknown voices."
        for corpus in unknown
    ]
    return found


def _selected_on_known(split: Split) -> list[str]:
    unknown = _unknown(split.train, split.validation)
    speakers = [name for name in _shared(split.train, split.validation) if name not in unknown]
    found = []
    if speakers:
        found.append(
            f"The same {_named(speakers)} in training and in validation: "
            "the training step is selected on known voices."
        )
    found += [
        f"{corpus}: speakers unknown, so the same may be in training and in validation: "
        "the training step may be selected on known voices."
        for corpus in unknown
    ]
    return found


def _missing(split: Split, merge: Mapping[str, str]) -> list[str]:
    merge = {old: new for old, new in merge.items() if old not in split.labels}
    tested = {merged(utterance, merge) for utterance in split.test}
    trained = {merged(utterance, merge) for utterance in split.train}
    return [
        *(
            f"No test utterance of {label}: this figure says nothing about that class."
            for label in split.labels
            if label not in tested
        ),
        *(
            f"No training utterance of {label}: the model cannot learn that class."
            for label in split.labels
            if label not in trained
        ),
    ]


def _shared(one: Iterable[Utterance], other: Iterable[Utterance]) -> tuple[str, ...]:
    return tuple(sorted({u.speaker for u in one} & {u.speaker for u in other}))


def _unknown(one: list[Utterance], other: list[Utterance]) -> list[str]:
    """Corpora on both sides with a recording whose speaker may be any of the corpus'."""
    unknown = {u.corpus for u in (*one, *other) if is_unknown(u)}
    return sorted(unknown & {u.corpus for u in one} & {u.corpus for u in other})


def _named(speakers: list[str]) -> str:
    if len(speakers) == 1:
        return f"speaker ({speakers[0]}) is"
    return f"{len(speakers)} speakers ({first_of(speakers)}) are"
