"""Trained on some corpora, judged on another that nothing was chosen on."""

from __future__ import annotations

import numpy as np

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.corpora import Utterance
from train.corpora.ased import SHARED_SENTENCES
from train.splits.split import Split

CORPORA = ("TESS", "RAVDESS", "EmoDB", "EMOVO", "CASIA", "ASED")
MERGE = {"calm": "neutral"}
# Of a corpus with one speaker more than these, as many are held out for validation.
FEW_SPEAKERS, MANY_SPEAKERS = 2, 5


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
    present = {utterance.corpus for utterance in utterances}
    for corpus in CORPORA:
        if corpus not in present:
            raise SerEdgeError(f"split: no utterance of corpus {corpus}")
    return [_split(utterances, tested, seed) for tested in CORPORA]


def _split(utterances: list[Utterance], tested: str, seed: int) -> Split:
    has = {_label(u) for u in utterances if u.corpus == tested}
    labels = tuple(label for label in LABELS if label in has)
    usable = [u for u in utterances if u.corpus in CORPORA and _label(u) in labels]
    known = [u for u in usable if u.corpus != tested]
    held_out = _held_out(known, tested, seed)
    return Split(
        f"test-{tested}",
        labels,
        [u for u in known if u.speaker not in held_out],
        [u for u in known if u.speaker in held_out and _is_judged(u)],
        [u for u in usable if u.corpus == tested and _is_judged(u)],
    )


def _label(utterance: Utterance) -> str:
    return MERGE.get(utterance.emotion, utterance.emotion)


def _is_judged(utterance: Utterance) -> bool:
    return utterance.corpus != "ASED" or utterance.text in SHARED_SENTENCES


def _held_out(known: list[Utterance], tested: str, seed: int) -> set[str]:
    """Draw the speakers for validation, of every corpus on its own."""
    held_out: set[str] = set()
    for number, corpus in enumerate(CORPORA):
        # Of those alone on whom something can be selected.
        speakers = sorted({u.speaker for u in known if u.corpus == corpus and _is_judged(u)})
        count = (len(speakers) > FEW_SPEAKERS) + (len(speakers) > MANY_SPEAKERS)
        rng = np.random.default_rng([seed, CORPORA.index(tested), number])
        held_out.update(rng.choice(speakers, count, replace=False).tolist() if count else ())
    return held_out
