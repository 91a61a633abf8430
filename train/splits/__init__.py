"""Who is trained on, who is selected on, who is tested on."""

from __future__ import annotations

from train.splits.cross_corpus import cross_corpus
from train.splits.emodb import EMODB_LABELS, emodb_loso
from train.splits.protocols import PROTOCOLS, Protocol
from train.splits.ravdess import RAVDESS_LABELS, ravdess_5fold
from train.splits.split import Split, by_speakers
from train.splits.tess import tess_loso, tess_random

__all__ = [
    "EMODB_LABELS",
    "PROTOCOLS",
    "RAVDESS_LABELS",
    "Protocol",
    "Split",
    "by_speakers",
    "cross_corpus",
    "emodb_loso",
    "ravdess_5fold",
    "tess_loso",
    "tess_random",
]
