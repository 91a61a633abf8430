"""TESS: by its two women, or as it is often split, at random."""

from __future__ import annotations

import numpy as np

from edge_runtime.metadata import LABELS
from train.corpora import Utterance
from train.splits.split import Split, require_speakers, stratified

VALIDATION_WORDS_SHARE = 0.2
RANDOM_SHARE = 0.2  # of all for the test, of the others for validation


def tess_loso(utterances: list[Utterance], seed: int) -> list[Split]:
    """Train on one woman, test on the other; validation is a fifth of the trained woman's words."""
    require_speakers(utterances, ["TESS-OAF", "TESS-YAF"])
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


def tess_random(utterances: list[Utterance], seed: int) -> list[Split]:
    """Draw four fifths of every emotion for training, whose fifth is validation; test the rest.

    Both women are in all three parts: this says how well two known voices are told apart.
    """
    require_speakers(utterances, ["TESS-OAF", "TESS-YAF"])
    rng = np.random.default_rng(seed)
    known, test = stratified(utterances, RANDOM_SHARE, rng)
    train, validation = stratified(known, RANDOM_SHARE, rng)
    return [Split("random", LABELS, train, validation, test)]
