"""Holds speakers out, so that their voices are unknown to what was trained on the others."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from train.corpora import Utterance
from train.splits.classes import Classes
from train.splits.judged import is_judged
from train.splits.split import Split, stratified

# A fold of these is about a fifth.
FOLDS = 5
VALIDATION_SHARE = 1 / FOLDS


def speaker_folds(
    utterances: list[Utterance], n_folds: int, classes: Classes, rng: np.random.Generator
) -> list[list[str]]:
    """Deal speakers out into folds of about the same size and mix of classes.

    Parameters
    ----------
    utterances : list of Utterance
        Of at least `n_folds` speakers.
    n_folds : int
        At least 2.
    classes : Classes
        What to mix.
    rng : numpy.random.Generator
        Decides between speakers that are alike.

    Returns
    -------
    list of list of str
        The speakers of each fold, sorted; none is empty.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # late: not every split needs it

    speakers, groups = np.unique([u.speaker for u in utterances], return_inverse=True)
    targets = np.array([classes.of(utterance) for utterance in utterances])
    # scikit-learn refuses to stratify when every class is smaller than the number of folds.
    if max(classes.count(utterances).values()) < n_folds:
        targets = np.zeros(len(utterances))
    # Shuffled here: how scikit-learn shuffles groups differs between its versions.
    groups = rng.permutation(len(speakers))[groups]
    with warnings.catch_warnings():
        # A class smaller than the number of folds; `warnings_of` says which part lacks it.
        warnings.simplefilter("ignore", UserWarning)
        folds = [fold for _, fold in StratifiedGroupKFold(n_folds).split(targets, targets, groups)]
    return [sorted({utterances[index].speaker for index in fold}) for fold in folds]


def held_out_speakers(
    utterances: list[Utterance], classes: Classes, rng: np.random.Generator
) -> list[tuple[list[Utterance], list[Utterance]]]:
    """Hold about a fifth of the speakers out, at least one, in all ways that a deal gives.

    Parameters
    ----------
    utterances : list of Utterance
        At least two speakers of them can be judged on; see `judged_speakers`.
    classes : Classes
        The others should still have them all.
    rng : numpy.random.Generator
        Decides who.

    Returns
    -------
    list of (rest, held out)
        The best first: that where the rest has the most classes, then where at most half of the
        utterances are held out, then where those have the most classes.
    """
    judged = [utterance for utterance in utterances if is_judged(utterance)]
    n_folds = min(FOLDS, len(judged_speakers(utterances)))
    folds = speaker_folds(judged, n_folds, classes, rng)
    ways = []
    for number in rng.permutation(n_folds):
        held = [u for u in judged if u.speaker in folds[number]]
        ways.append(([u for u in utterances if u.speaker not in folds[number]], held))
    return sorted(ways, key=lambda way: _worth(way[0], way[1], classes), reverse=True)


def _worth(rest: list[Utterance], held: list[Utterance], classes: Classes) -> tuple[int, bool, int]:
    return len(classes.count(rest)), len(held) <= len(rest), len(classes.count(held))


def held_out_utterances(
    utterances: list[Utterance], share: float, classes: Classes, rng: np.random.Generator
) -> tuple[list[Utterance], list[Utterance]]:
    """Hold a share of every class out, whoever speaks, of what can be judged on.

    Returns
    -------
    rest, held out : list of Utterance
        The rest ends with what cannot be judged on.
    """
    judged = [utterance for utterance in utterances if is_judged(utterance)]
    rest, held = stratified(judged, share, rng, classes.of)
    return [*rest, *(u for u in utterances if not is_judged(u))], held


def judged_speakers(utterances: list[Utterance]) -> set[str]:
    """Give the speakers of what can be judged on."""
    return {utterance.speaker for utterance in utterances if is_judged(utterance)}


def hold_out_validation(
    known: list[Utterance], classes: Classes, rng: np.random.Generator
) -> tuple[list[Utterance], list[Utterance]]:
    """Part what may be learnt from into what to fit and what to select on.

    Parameters
    ----------
    known : list of Utterance
        Everything but the test.
    classes : Classes
        What every part should have.
    rng : numpy.random.Generator
        Decides who.

    Returns
    -------
    train, validation : list of Utterance
        Validation is about a fifth of the speakers; of a single speaker, a fifth of the
        utterances.
    """
    if len(judged_speakers(known)) > 1:
        return held_out_speakers(known, classes, rng)[0]
    return held_out_utterances(known, VALIDATION_SHARE, classes, rng)


def with_fewer_for_validation(split: Split, most: int, seed: int) -> Split:
    """Train on some of the speakers that a split holds out for validation.

    Parameters
    ----------
    split : Split
        As its protocol gives it.
    most : int
        Speakers of each corpus that validation keeps, drawn at random; 0 keeps all.
    seed : int
        Decides who.

    Returns
    -------
    Split
        With the same test part.
    """
    speakers: dict[str, set[str]] = {}
    for utterance in split.validation:
        speakers.setdefault(utterance.corpus, set()).add(utterance.speaker)
    rng = np.random.default_rng([seed, len(split.validation)])
    released = {
        str(speaker)
        for corpus in sorted(speakers)
        for speaker in rng.permutation(sorted(speakers[corpus]))[most:]
        if most
    }
    if not released:
        return split
    return replace(
        split,
        train=[*split.train, *(u for u in split.validation if u.speaker in released)],
        validation=[u for u in split.validation if u.speaker not in released],
    )
