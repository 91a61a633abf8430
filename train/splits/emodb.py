"""EmoDB by its ten speakers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from train.corpora import Utterance
from train.splits.split import Split, by_speakers

EMODB_LABELS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "boredom")
WOMEN = ("08", "09", "13", "14", "16")
MEN = ("03", "10", "11", "12", "15")


def emodb_loso(utterances: list[Utterance], seed: int) -> list[Split]:
    """Give ten folds of one speaker; a woman and a man of the others are for validation."""
    splits = []
    for tested in sorted(WOMEN + MEN):
        rng = np.random.default_rng([seed, int(tested)])
        held_out = [
            rng.choice([speaker for speaker in group if speaker != tested])
            for group in (WOMEN, MEN)
        ]
        split = by_speakers(
            utterances,
            [f"EmoDB-{speaker}" for speaker in held_out],
            [f"EmoDB-{tested}"],
            EMODB_LABELS,
        )
        splits.append(replace(split, name=f"test-{tested}"))
    return splits
