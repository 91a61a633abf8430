"""Corpus adapters: from a folder as it was downloaded to a list of utterances."""

from __future__ import annotations

from pathlib import Path

from train.corpora import ravdess, tess
from train.corpora.registry import (
    ADAPTERS,
    Adapter,
    corpora_folder,
    corpora_folder_for,
    read_corpora,
    scan_corpus,
)
from train.corpora.scan import Reading
from train.corpora.summary import Summary, summarise
from train.corpora.utterance import Utterance, to_frame

__all__ = [
    "ADAPTERS",
    "Adapter",
    "Reading",
    "Summary",
    "Utterance",
    "corpora_folder",
    "corpora_folder_for",
    "read_corpora",
    "read_ravdess",
    "read_tess",
    "scan_corpus",
    "summarise",
    "to_frame",
]


def read_tess(folder: Path) -> list[Utterance]:
    """TESS' recordings below a folder; see `train.corpora.tess.scan_tess`."""
    return tess.scan_tess(folder).utterances


def read_ravdess(folder: Path) -> list[Utterance]:
    """RAVDESS' speech recordings below a folder; see `train.corpora.ravdess.scan_ravdess`."""
    return ravdess.scan_ravdess(folder).utterances
