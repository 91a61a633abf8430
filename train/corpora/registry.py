"""The corpora by name, and where their folders are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from edge_runtime.errors import SerEdgeError
from train.corpora import ased, casia, cremad, emodb, emovo, ravdess, savee, tess
from train.corpora.folder import scan_folder
from train.corpora.scan import Reading
from train.corpora.table import scan_table
from train.corpora.utterance import Utterance

FOLDER_PREFIX, TABLE_PREFIX = "folder:", "table:"


class Adapter(NamedTuple):
    """How to read a corpus.

    Attributes
    ----------
    scan : callable
        Gives the `Reading` of a folder.
    address : str
        Where to get the corpus.
    folders : tuple of str
        Names of its folder, the first that exists counts; none is the corpus' own name.
    """

    scan: Callable[[Path], Reading]
    address: str
    folders: tuple[str, ...] = ()


ADAPTERS: dict[str, Adapter] = {
    "TESS": Adapter(tess.scan_tess, tess.ADDRESS),
    "RAVDESS": Adapter(ravdess.scan_ravdess, ravdess.ADDRESS),
    # Both parts may have been unpacked into one folder.
    "RAVDESS-song": Adapter(
        ravdess.scan_ravdess_song, ravdess.ADDRESS, ("RAVDESS-song", "RAVDESS")
    ),
    "EmoDB": Adapter(emodb.scan_emodb, emodb.ADDRESS),
    "EMOVO": Adapter(emovo.scan_emovo, emovo.ADDRESS),
    "CASIA": Adapter(casia.scan_casia, casia.ADDRESS),
    "ASED": Adapter(ased.scan_ased, ased.ADDRESS),
    "CREMA-D": Adapter(cremad.scan_cremad, cremad.ADDRESS),
    "SAVEE": Adapter(savee.scan_savee, savee.ADDRESS),
}


def corpora_folder(folder: str | None = None) -> Path:
    """Return the folder that holds the corpora: the one given, or ``SER_EDGE_CORPORA``.

    Raises
    ------
    SerEdgeError
        When neither names an existing folder.
    """
    named = folder or os.environ.get("SER_EDGE_CORPORA", "")
    if not named:
        raise SerEdgeError("no corpora folder: give --corpora DIR or set SER_EDGE_CORPORA")
    if not Path(named).is_dir():
        raise SerEdgeError(f"{named}: no such corpora folder (--corpora or SER_EDGE_CORPORA)")
    return Path(named)


def corpora_folder_for(names: Iterable[str], folder: str | None = None) -> Path:
    """As `corpora_folder`, which who has only recordings of one's own need not have.

    Parameters
    ----------
    names : iterable of str
        Of corpora: keys of `ADAPTERS`, ``folder:DIR`` or ``table:FILE``.
    folder : str, optional
        The one given; then it must be there.

    Raises
    ------
    SerEdgeError
        When it is needed, or given, and does not exist.
    """
    if folder or any(name in ADAPTERS for name in names):
        return corpora_folder(folder)
    return Path(os.environ.get("SER_EDGE_CORPORA", ""))


def corpus_path(folder: Path, name: str) -> Path:
    """Where a corpus is: its subfolder, in whatever case and with or without hyphens.

    Parameters
    ----------
    folder : Path
        Holds one subfolder per corpus.
    name : str
        A key of `ADAPTERS`, ``folder:DIR`` or ``table:FILE``.

    Raises
    ------
    SerEdgeError
        When the corpus is unknown.
    """
    for prefix in (FOLDER_PREFIX, TABLE_PREFIX):
        if name.startswith(prefix):
            return folder / name[len(prefix) :]
    if name not in ADAPTERS:
        raise SerEdgeError(
            f"unknown corpus {name!r}; known are {', '.join(ADAPTERS)}, "
            f"{FOLDER_PREFIX}DIR and {TABLE_PREFIX}FILE.csv"
        )
    here = sorted(path for path in folder.glob("*") if path.is_dir())
    for wanted in ADAPTERS[name].folders or (name,):
        if (folder / wanted).is_dir():
            return folder / wanted
        for path in here:
            if _plain(path.name) == _plain(wanted):
                return path
    return folder / name


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).lower()


def scan_corpus(folder: Path, name: str) -> Reading:
    """Read one corpus and say what was left out.

    Parameters
    ----------
    folder : Path
        Holds one subfolder per corpus.
    name : str
        A key of `ADAPTERS`, ``folder:DIR`` or ``table:FILE``.

    Returns
    -------
    Reading
        Sorted by file name, so that a seed means the same split everywhere. Empty when the
        corpus is not there.

    Raises
    ------
    SerEdgeError
        When the corpus is unknown, or its table wrong.
    """
    path = corpus_path(folder, name)
    if name.startswith(FOLDER_PREFIX):
        reading = scan_folder(path, name)
    elif name.startswith(TABLE_PREFIX):
        reading = scan_table(path, name)
    else:
        reading = ADAPTERS[name].scan(path)
    ordered = sorted(reading.utterances, key=lambda utterance: utterance.name)
    return Reading(ordered, reading.skipped)


def read_corpora(folder: Path, names: list[str]) -> list[Utterance]:
    """Read several corpora, each from the subfolder of its name.

    Parameters
    ----------
    folder : Path
        Holds one subfolder per corpus.
    names : list of str
        Keys of `ADAPTERS`, or corpora of one's own: ``folder:DIR``, ``table:FILE``.

    Returns
    -------
    list of Utterance
        Sorted by corpus and file name.

    Raises
    ------
    SerEdgeError
        When a corpus is unknown, or its folder holds none of its files.
    """
    utterances: list[Utterance] = []
    for name in names:
        found = scan_corpus(folder, name).utterances
        if not found:
            raise SerEdgeError(nothing_found(folder, name))
        utterances += found
    return utterances


def nothing_found(folder: Path, name: str) -> str:
    """One line for a corpus without recordings: where it was looked for and what to do."""
    path = corpus_path(folder, name)
    if name in ADAPTERS:
        return f"{path}: no {name} recordings; get them from {ADAPTERS[name].address}"
    if name.startswith(FOLDER_PREFIX):
        return f"{path}: no recordings; put them into {path}/LABEL/ or {path}/LABEL/SPEAKER/"
    return f"{path}: no recordings; list them with their path and label"
