"""Spreads calls over processes, with a bar that shows how far they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, TypeVar

from edge_runtime.errors import SerEdgeError
from train.jobs import require_jobs
from train.progress import progress

Result = TypeVar("Result")


def in_parallel(
    call: Callable[..., Result],
    arguments: Sequence[tuple[Any, ...]],
    jobs: int,
    what: str,
    unit: str,
) -> list[Result]:
    """Call a function once for each of many arguments.

    Parameters
    ----------
    call : callable
        A function of a module.
    arguments : sequence of tuple
        What to call it with.
    jobs : int
        Number of processes; 1 is this one alone, -1 one per core.
    what, unit : str
        What is being done, and what one call does, in words.

    Returns
    -------
    list
        Results in the order of the arguments.

    Raises
    ------
    SerEdgeError
        When `jobs` is 0 or below -1, or a process dies.
    """
    require_jobs(jobs)
    from joblib import Parallel, delayed

    results = Parallel(n_jobs=jobs, return_as="generator")(delayed(call)(*one) for one in arguments)
    try:
        return list(progress(results, len(arguments), what, unit))
    except BrokenExecutor as error:
        raise SerEdgeError(
            f"{what}: a process died, perhaps for want of memory; run it with fewer --jobs"
        ) from error
