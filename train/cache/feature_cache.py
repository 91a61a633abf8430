"""Gives the features of recordings: kept ones from disk, missing ones computed and kept."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from edge_runtime.errors import SerEdgeError
from train.cache.contents import ContentIndex, changed
from train.cache.pack_file import Frames
from train.cache.packs import Packs
from train.cache.parallel import Extraction, Workers
from train.cache.writer import Writer


class FeatureCache:
    """Features of recordings, computed once, in parallel where asked, and kept on disk.

    What is kept goes by the content of the file and the key of the extraction: a file that was
    moved is not computed again, one that was changed is. Damaged entries are computed again, and a
    disk on which nothing can be kept costs only the keeping; both are said on standard error.
    Several processes may use one folder.

    Parameters
    ----------
    folder : Path
        Where to keep them.
    jobs : int
        Number of processes; 1 is this one alone, -1 one per core.
    dask : str
        Address of a Dask scheduler that spreads the work in place of `jobs`, such as
        ``tcp://host:8786``. Its workers need this package, and the files at the same paths. Where
        they have one thread in all, joblib computes in this process instead.

    Raises
    ------
    SerEdgeError
        When `jobs` is 0 or below -1.
    """

    def __init__(self, folder: Path, jobs: int = 1, dask: str = "") -> None:
        self._folder = folder
        self._workers = Workers(jobs, dask)
        self._writer = Writer()

    def load(self, paths: list[Path], extraction: Extraction) -> list[Frames]:
        """Features of every file, in order.

        Parameters
        ----------
        paths : list of Path
            Sound files.
        extraction : callable with a ``key``
            Turns a path into an array of float32. ``key`` names its configuration, as the name of
            a folder. For more than one process it must survive pickling.

        Returns
        -------
        list of ndarray of float32
            One array for each path; paths with the same content share one.

        Raises
        ------
        SerEdgeError
            When a sound file cannot be read, a process dies or the scheduler does not answer; what
            was computed until then is kept.
        """
        index = ContentIndex(self._folder / "contents.json", self._writer)
        contents = index.digests(paths)
        packs = Packs(self._folder / extraction.key, self._writer)
        held = packs.read(set(contents))
        missing = _missing(contents, paths, held)
        try:
            held.update(self._compute(missing, extraction, index, packs))
        finally:
            packs.flush()
        return [held[content] for content in contents]

    def _compute(
        self, missing: dict[str, Path], extraction: Extraction, index: ContentIndex, packs: Packs
    ) -> dict[str, Frames]:
        """Compute the missing contents, each kept as it comes; after a failure begin no more."""
        computed: dict[str, Frames] = {}
        failures: list[SerEdgeError] = []
        for content, outcome in self._workers.outcomes(missing, extraction, lambda: not failures):
            if isinstance(outcome, SerEdgeError):
                failures.append(outcome)
            elif index.is_current(missing[content]):
                computed[content] = outcome
                packs.add(content, outcome)
            else:
                failures.append(changed(missing[content]))
        if failures:
            raise failures[0]
        return computed


def _missing(contents: list[str], paths: list[Path], held: Collection[str]) -> dict[str, Path]:
    """For every content that is not held, the first path that has it."""
    missing: dict[str, Path] = {}
    for content, path in zip(contents, paths):
        if content not in held:
            missing.setdefault(content, path)
    return missing
