"""Trained on some corpora, judged on another that nothing was chosen on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge_runtime.errors import SerEdgeError
from train.corpora import Utterance
from train.splits.classes import Classes, classes_of, in_order, merged, require_enough
from train.splits.hold_out import VALIDATION_SHARE, held_out_utterances
from train.splits.judged import is_judged
from train.splits.names import different, listed, merges, split_names
from train.splits.protocol import Protocol
from train.splits.split import Split, of_corpora, require_parts

CORPORA = ("TESS", "RAVDESS", "EmoDB", "EMOVO", "CASIA", "ASED")
MERGE = {"calm": "neutral"}
# Of a corpus with one speaker more than these, as many are held out for validation.
FEW_SPEAKERS, MANY_SPEAKERS = 2, 5
VALIDATION = (
    "validation on one speaker of each training corpus with three to five of them, "
    "on two of one with more; without any such corpus, on a fifth of the utterances"
)


def cross_corpus(utterances: list[Utterance], seed: int) -> list[Split]:
    """Test each of the six corpora in turn, over those of the seven labels that it has.

    The other five are trained on, with the same labels. Of those with more than two speakers, one
    (of three to five) or two (of more) are held out for validation. ASED's sentences that belong
    to one emotion are trained on, but nothing is selected or judged on them.

    Raises
    ------
    SerEdgeError
        When a corpus is missing.
    """
    return _each_in_turn(utterances, CORPORA, MERGE, seed)


def leave_one_corpus_out(
    corpora: Sequence[str], merge: Mapping[str, str] | None = None
) -> Protocol:
    """Test each of several corpora in turn on a model of the others.

    Each is tested over the labels that it shares with the others. Validation is as in
    `cross_corpus_protocol`.

    Parameters
    ----------
    corpora : sequence of str
        At least two.
    merge : mapping of str to str, optional
        Emotions that count as another, beside calm as neutral.

    Raises
    ------
    SerEdgeError
        When there are fewer than two corpora, or one is named twice. The protocol's ``split``
        raises it when one is missing or shares fewer than two labels with the others.
    """
    if len(different(corpora)) == 1:
        raise SerEdgeError(
            "leave one corpus out: at least two corpora are needed, one to train on and one to test"
        )
    merged_as = {**MERGE, **(merge or {})}
    return Protocol(
        tuple(corpora),
        f"{listed(corpora)}, each tested in turn by a model of the others, "
        f"over the labels that they share{merges(merged_as)}; {VALIDATION}",
        lambda utterances, seed: _each_in_turn(utterances, corpora, merged_as, seed),
        merged_as,
        by_data=True,
    )


def cross_corpus_protocol(
    train_on: Sequence[str],
    test_on: Sequence[str],
    labels: Sequence[str] | None = None,
    merge: Mapping[str, str] | None = None,
) -> Protocol:
    """Train on some corpora, test on others.

    One speaker of each training corpus with three to five of them, and two of one with more, are
    held out for validation; where no corpus has as many, a fifth of the training utterances.

    Parameters
    ----------
    train_on, test_on : sequence of str
        The corpora, none on both sides.
    labels : sequence of str, optional
        The classes, which both sides must have; by default those that both sides have.
    merge : mapping of str to str, optional
        Emotions that count as another, beside calm as neutral.

    Returns
    -------
    Protocol
        With one split.

    Raises
    ------
    SerEdgeError
        When a side is empty or a corpus is named twice. The protocol's ``split`` raises it when a
        corpus is missing, or the two sides share fewer than two labels.
    """
    if not train_on or not test_on:
        raise SerEdgeError("cross-corpus: name at least one corpus to train on and one to test on")
    corpora = different([*train_on, *test_on])
    merged_as = {**MERGE, **(merge or {})}

    def split(utterances: list[Utterance], seed: int) -> list[Split]:
        here = of_corpora(utterances, corpora)
        classes = _shared(here, train_on, test_on, labels, merged_as)
        [name] = split_names(["+".join(test_on)])
        draws = [[seed, 0, number] for number in range(len(train_on))]
        return [_split(here, name, classes, dict(zip(train_on, draws)), test_on)]

    return Protocol(
        corpora,
        f"trained on {listed(train_on, judged=False)}, tested on {listed(test_on)}"
        f"{merges(merged_as)}; {VALIDATION}",
        split,
        merged_as,
        by_data=True,
    )


def _each_in_turn(
    utterances: list[Utterance], corpora: Sequence[str], merge: Mapping[str, str], seed: int
) -> list[Split]:
    utterances = of_corpora(utterances, corpora)
    splits = []
    for place, (name, tested) in enumerate(zip(split_names(corpora), corpora)):
        draws = {c: [seed, place, number] for number, c in enumerate(corpora) if c != tested}
        classes = _shared(utterances, list(draws), [tested], None, merge)
        splits.append(_split(utterances, name, classes, draws, [tested]))
    return splits


def _split(
    utterances: list[Utterance],
    name: str,
    classes: Classes,
    draws: Mapping[str, Sequence[int]],
    test_on: Sequence[str],
) -> Split:
    """Split by corpora; `draws` seeds the draw of validation speakers in each training corpus."""
    usable = classes.keep(utterances)
    known = [u for u in usable if u.corpus in draws]
    held_out = {
        speaker for corpus in draws for speaker in _drawn_speakers(known, corpus, draws[corpus])
    }
    train = [u for u in known if u.speaker not in held_out]
    validation = [u for u in known if u.speaker in held_out and is_judged(u)]
    if not held_out:
        rng = np.random.default_rng(list(next(iter(draws.values()))))
        train, validation = held_out_utterances(known, VALIDATION_SHARE, classes, rng)
    test = [u for u in usable if u.corpus in test_on and is_judged(u)]
    return require_parts(Split(name, classes.labels, train, validation, test))


def _drawn_speakers(known: list[Utterance], corpus: str, draw: Sequence[int]) -> list[str]:
    # Of those alone on whom something can be selected.
    speakers = sorted({u.speaker for u in known if u.corpus == corpus and is_judged(u)})
    count = (len(speakers) > FEW_SPEAKERS) + (len(speakers) > MANY_SPEAKERS)
    rng = np.random.default_rng(list(draw))
    return [str(speaker) for speaker in rng.choice(speakers, count, replace=False)]


def _shared(
    utterances: list[Utterance],
    train_on: Sequence[str],
    test_on: Sequence[str],
    labels: Sequence[str] | None,
    merge: Mapping[str, str],
) -> Classes:
    """Settle the classes that both sides have."""
    known = [u for u in utterances if u.corpus in train_on]
    test = [u for u in utterances if u.corpus in test_on and is_judged(u)]
    both = in_order({merged(u, merge) for u in known} & {merged(u, merge) for u in test})
    if labels is None and len(both) < 2:
        has = f"only the label {both[0]}" if both else "no label"
        raise SerEdgeError(
            f"cross-corpus: {listed(train_on, judged=False)} shares {has} with "
            f"{listed(test_on, judged=False)}; at least two are needed: choose other corpora"
        )
    classes = classes_of(known, both if labels is None else labels, merge)
    require_enough(known, classes, where=" to train on")
    require_enough(test, classes, where=" to test on", least=1)
    return classes
