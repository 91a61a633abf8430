"""Who is trained on, who is selected on, who is tested on."""

from __future__ import annotations

from train.splits.at_random import random_protocol
from train.splits.automatic import automatic
from train.splits.caveats import speakers_on_both_sides, warnings_of
from train.splits.choose import NAMES, protocol_of
from train.splits.cross_corpus import cross_corpus, cross_corpus_protocol, leave_one_corpus_out
from train.splits.emodb import EMODB_LABELS, emodb_loso
from train.splits.hold_out import with_fewer_for_validation
from train.splits.protocol import Protocol
from train.splits.protocols import PROTOCOLS
from train.splits.ravdess import RAVDESS_LABELS, ravdess_5fold
from train.splits.speakers import speaker_protocol
from train.splits.split import Split, by_speakers
from train.splits.tess import tess_loso, tess_random

__all__ = [
    "EMODB_LABELS",
    "NAMES",
    "PROTOCOLS",
    "RAVDESS_LABELS",
    "Protocol",
    "Split",
    "automatic",
    "by_speakers",
    "cross_corpus",
    "cross_corpus_protocol",
    "emodb_loso",
    "leave_one_corpus_out",
    "protocol_of",
    "random_protocol",
    "ravdess_5fold",
    "speaker_protocol",
    "speakers_on_both_sides",
    "tess_loso",
    "tess_random",
    "warnings_of",
    "with_fewer_for_validation",
]
