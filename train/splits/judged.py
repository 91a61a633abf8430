"""Which utterances a model may be judged on."""

from __future__ import annotations

from train.corpora import Utterance
from train.corpora.ased import SHARED_SENTENCES


def is_judged(utterance: Utterance) -> bool:
    """Whether its emotion can be told by the voice alone; ASED's own words give some away."""
    return utterance.corpus != "ASED" or utterance.text in SHARED_SENTENCES
