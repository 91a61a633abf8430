"""The protocols by name: what each needs, and the sentence that stands beside its figures."""

from __future__ import annotations

from train.splits.cross_corpus import CORPORA, MERGE, cross_corpus
from train.splits.emodb import emodb_loso
from train.splits.protocol import Protocol
from train.splits.ravdess import ravdess_5fold
from train.splits.tess import tess_loso, tess_random

PROTOCOLS = {
    "ravdess-5fold": Protocol(
        ("RAVDESS",),
        "RAVDESS speech, 8 classes, 5 folds of unseen actors; validation on 4 training actors",
        ravdess_5fold,
    ),
    "tess-loso": Protocol(
        ("TESS",),
        "TESS, 7 classes, trained on one woman and tested on the other; "
        "validation on a fifth of the training woman's words",
        tess_loso,
    ),
    "emodb-loso": Protocol(
        ("EmoDB",),
        "EmoDB, 7 classes with boredom, 10 folds of one unseen speaker each; "
        "validation on a woman and a man of the training speakers",
        emodb_loso,
    ),
    "tess-random": Protocol(
        ("TESS",),
        "TESS, 7 classes, stratified random 80/20; validation on a fifth of the training part; "
        "both speakers are on both sides, so this says nothing about unknown voices",
        tess_random,
    ),
    "cross-corpus": Protocol(
        CORPORA,
        "TESS, RAVDESS, EmoDB, EMOVO, CASIA and ASED, trained on five and tested on the sixth, "
        "over those of the 7 classes that it has, calm as neutral, boredom left out; validation on "
        "two speakers of each training corpus, one of CASIA's four, none of TESS' two; "
        "ASED judged on the sentences 06 and 07, which all its emotions share",
        cross_corpus,
        MERGE,
    ),
}
