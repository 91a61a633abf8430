"""The split of one's own recordings, when none is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from train.corpora import Utterance
from train.splits.at_random import random_split
from train.splits.classes import Classes, classes_of, require_enough
from train.splits.hold_out import held_out_speakers, judged_speakers
from train.splits.judged import is_judged
from train.splits.split import Split, is_unknown

# One each to fit, to select and to judge on.
LEAST_SPEAKERS = 3


def automatic(
    utterances: list[Utterance],
    seed: int,
    labels: Sequence[str] | None = None,
    merge: Mapping[str, str] | None = None,
) -> Split:
    """Split by speakers where that can be done, else at random.

    With at least three known speakers, about a fifth of them are for the test and a fifth of the
    others for validation, such that training has every label. With fewer, or where a label would
    be lost to training, a fifth of every label is for the test and a fifth of the rest for
    validation, whoever speaks; `train.splits.warnings_of` then says so.

    Parameters
    ----------
    utterances : list of Utterance
        What there is.
    seed : int
        Decides who or what; the same gives the same split.
    labels : sequence of str, optional
        The classes; by default the emotions that occur. Others are left out.
    merge : mapping of str to str, optional
        Emotions that count as another.

    Returns
    -------
    Split
        Named ``speakers`` or ``random``.

    Raises
    ------
    SerEdgeError
        When there are fewer than two labels, or fewer than five utterances of one.
    """
    classes = classes_of(utterances, labels, merge)
    usable = classes.keep(utterances)
    require_enough(filter(is_judged, usable), classes)
    known = judged_speakers([utterance for utterance in usable if not is_unknown(utterance)])
    by_speakers = _by_speakers(usable, classes, seed) if len(known) >= LEAST_SPEAKERS else None
    return by_speakers or random_split(usable, classes, seed)


def _by_speakers(utterances: list[Utterance], classes: Classes, seed: int) -> Split | None:
    """Take the first way of parting speakers that leaves every label to training, if any does."""
    rng = np.random.default_rng(seed)
    for known, test in held_out_speakers(utterances, classes, rng):
        if len(judged_speakers(known)) < LEAST_SPEAKERS - 1:
            continue
        for train, validation in held_out_speakers(known, classes, rng):
            complete = len(classes.count(train)) == len(classes.labels)
            if complete:
                return Split("speakers", classes.labels, train, validation, test)
    return None
