"""By speakers: how well the voice of somebody is understood whom the model never heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, Union

import numpy as np

from edge_runtime.errors import SerEdgeError
from train.corpora import Utterance
from train.splits.classes import Classes, classes_of, require_enough
from train.splits.hold_out import FOLDS, hold_out_validation, speaker_folds
from train.splits.judged import is_judged
from train.splits.names import different, listed, merges, split_names
from train.splits.protocol import Protocol
from train.splits.split import Split, is_unknown, of_corpora, require_parts

LEAST_FOLDS = 2
Folds = Union[int, Literal["loso"]]


def speaker_protocol(
    corpora: Sequence[str],
    folds: Folds = FOLDS,
    labels: Sequence[str] | None = None,
    merge: Mapping[str, str] | None = None,
) -> Protocol:
    """Split corpora by speakers into folds, each tested once.

    Of the other speakers, about a fifth and at least one are held out for validation; where there
    is but one other, a fifth of that speaker's utterances.

    Parameters
    ----------
    corpora : sequence of str
        What to split, as one whole.
    folds : int or "loso", optional
        Number of folds, mixed alike in their classes as far as whole speakers allow; or one for
        every speaker.
    labels : sequence of str, optional
        The classes; by default the emotions that occur. Others are left out.
    merge : mapping of str to str, optional
        Emotions that count as another.

    Raises
    ------
    SerEdgeError
        When there are fewer than two folds or a corpus is named twice. The protocol's ``split``
        raises it when a corpus is missing, a class has too few utterances, a speaker is unknown,
        or there are fewer speakers than folds.
    """
    if folds != "loso" and folds < LEAST_FOLDS:
        raise SerEdgeError(f"folds: must be {LEAST_FOLDS} or more, not {folds}")
    merge = dict(merge or {})

    def split(utterances: list[Utterance], seed: int) -> list[Split]:
        here = of_corpora(utterances, corpora)
        return _splits(here, classes_of(here, labels, merge), folds, seed)

    how = "one fold for every speaker" if folds == "loso" else f"{folds} folds of speakers"
    return Protocol(
        different(corpora),
        f"{listed(corpora)}{merges(merge)}, {how}, "
        "each tested once by a model that never heard them; "
        "validation on about a fifth of the other speakers, "
        "or of the utterances where there is one other",
        split,
        merge,
        by_data=True,
    )


def _splits(utterances: list[Utterance], classes: Classes, folds: Folds, seed: int) -> list[Split]:
    usable = classes.keep(utterances)
    judged = [utterance for utterance in usable if is_judged(utterance)]
    require_enough(judged, classes)
    _require_known(usable)
    parts = _deal(judged, classes, folds, seed)
    if folds == "loso":
        names = split_names(tested for [tested] in parts)
    else:
        names = [f"fold{number}" for number in range(1, len(parts) + 1)]
    splits = []
    for number, (name, tested) in enumerate(zip(names, parts)):
        known = [utterance for utterance in usable if utterance.speaker not in tested]
        rng = np.random.default_rng([seed, number])
        train, validation = hold_out_validation(known, classes, rng)
        test = [utterance for utterance in judged if utterance.speaker in tested]
        splits.append(require_parts(Split(name, classes.labels, train, validation, test)))
    return splits


def _deal(judged: list[Utterance], classes: Classes, folds: Folds, seed: int) -> list[list[str]]:
    speakers = sorted({utterance.speaker for utterance in judged})
    wanted = LEAST_FOLDS if folds == "loso" else folds
    if len(speakers) < LEAST_FOLDS:
        raise SerEdgeError(
            f"split by speakers: there is only one, {speakers[0]}; at least {LEAST_FOLDS} are "
            "needed: add another's recordings, or split at random"
        )
    if len(speakers) < wanted:
        raise SerEdgeError(
            f"split by speakers: {len(speakers)} are too few for {wanted} folds; "
            f"ask for {len(speakers)} folds or fewer"
        )
    if folds == "loso":
        return [[speaker] for speaker in speakers]
    return speaker_folds(judged, folds, classes, np.random.default_rng(seed))


def _require_known(utterances: list[Utterance]) -> None:
    unknown = Counter(utterance.corpus for utterance in utterances if is_unknown(utterance))
    for corpus, count in unknown.items():
        raise SerEdgeError(
            f"split by speakers: speakers unknown for {count} utterances of {corpus}; "
            "say who speaks (LABEL/SPEAKER/ folders, or a table's column speaker), "
            "or split at random"
        )
