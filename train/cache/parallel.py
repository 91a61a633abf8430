"""Computes features in parallel: in this process, in several, or on a Dask cluster."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, Union

import joblib
import numpy as np

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.audio_file import printable
from train.cache.dask_cluster import dask_parallel
from train.cache.pack_file import Frames
from train.jobs import require_jobs
from train.progress import progress

IDLE_SECONDS = 20.0  # after which a process that got no work ends

Outcome = tuple[str, Union[Frames, SerEdgeError]]


class Extraction(Protocol):
    """What turns a sound file into features; it must survive pickling."""

    @property
    def key(self) -> str:
        """Name of a folder; differs where the features may."""
        ...

    def __call__(self, path: Path) -> Frames:
        """Features of a sound file."""
        ...


class Workers:
    """Whoever computes.

    Parameters
    ----------
    jobs : int
        Number of processes; 1 is this one alone, -1 one per core.
    dask : str
        Address of a Dask scheduler in their place; none where empty.

    Raises
    ------
    SerEdgeError
        When `jobs` is 0 or below -1.
    """

    def __init__(self, jobs: int, dask: str) -> None:
        require_jobs(jobs)
        self._jobs = jobs
        self._dask = dask

    def outcomes(
        self, paths: dict[str, Path], extraction: Extraction, go_on: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Features, or what was wrong, of every content, in any order.

        Parameters
        ----------
        paths : dict of str to Path
            By content, a file that has it.
        extraction : Extraction
            What to compute.
        go_on : callable
            Asked before each is begun; where it says no, only what was begun still comes.

        Yields
        ------
        tuple of str and (ndarray of float32 or SerEdgeError)
            The content and its outcome.

        Raises
        ------
        SerEdgeError
            When a process dies or the scheduler does not answer.
        """
        if not paths:
            return
        left = itertools.takewhile(lambda _: go_on(), paths.items())
        tasks = (joblib.delayed(_extract)(extraction, content, path) for content, path in left)
        with self._parallel() as parallel, closing(parallel(tasks)) as outcomes:
            yield from progress(outcomes, len(paths), "features", "utt")

    def _parallel(self) -> AbstractContextManager[Any]:
        return dask_parallel(self._dask) if self._dask else _processes(self._jobs)


@contextmanager
def _processes(jobs: int) -> Iterator[Any]:
    try:
        yield joblib.Parallel(
            n_jobs=jobs,
            return_as="generator_unordered",
            backend="loky",
            idle_worker_timeout=IDLE_SECONDS,
        )
    except futures.BrokenExecutor as error:
        raise SerEdgeError(
            "features: a process died, perhaps for want of memory; what was computed is kept: "
            "run it again with fewer jobs"
        ) from error


def _extract(extraction: Extraction, content: str, path: Path) -> Outcome:
    try:
        return content, np.ascontiguousarray(extraction(path), dtype=np.float32)
    except SerEdgeError as error:
        # Returned, for a raised one would take the finished rest of its batch with it.
        text, name = str(error), printable(path)
        return content, SerEdgeError(text if name in text else f"{name}: {text}")
