"""Has a Dask cluster compute, and says what is wrong with one that does not."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import joblib

from edge_runtime.errors import SerEdgeError

CONNECT_SECONDS = 10.0  # also until a worker is there
TASK_SECONDS = 120.0  # without a result from any worker


@contextmanager
def dask_parallel(address: str) -> Iterator[Any]:
    """Give a ``joblib.Parallel`` whose work the workers of a scheduler do.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://host:8786``.

    Yields
    ------
    joblib.Parallel
        For as long as the connection is open.

    Raises
    ------
    SerEdgeError
        When Dask is not installed, no scheduler or worker answers, or the scheduler is lost.
    """
    client = _connect(address)
    config = {"client": client, "wait_for_workers_timeout": CONNECT_SECONDS}
    with _losses_in_words(address), client, joblib.parallel_config(backend="dask", **config):
        yield joblib.Parallel(n_jobs=-1, return_as="generator_unordered", timeout=TASK_SECONDS)


def _connect(address: str) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise SerEdgeError(
            "dask: the package distributed is missing: pip install 'ser-edge[dask]'"
        ) from error
    new_client: Any = distributed.Client
    try:
        asyncio.run(_knock(address))
        return new_client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, MemoryError, asyncio.TimeoutError) as error:
        reason = " ".join(str(error).split()) or "timed out"
        raise SerEdgeError(
            f"dask: no scheduler answers at {address} ({reason}); start one: dask scheduler"
        ) from error


async def _knock(address: str) -> None:
    """Raise an error when no scheduler is there; a client that found none closes slowly."""
    from distributed.comm import core

    connect: Any = core.connect
    comm = await connect(address, timeout=CONNECT_SECONDS)
    await comm.close()


@contextmanager
def _losses_in_words(address: str) -> Iterator[None]:
    from distributed.comm.core import CommClosedError

    kept = "what was computed is kept"
    try:
        yield
    except (TimeoutError, futures.TimeoutError, multiprocessing.TimeoutError) as error:
        raise SerEdgeError(
            f"dask: no worker of {address} gives results; {kept}: see the workers' logs, or start "
            f"one: dask worker {address}"
        ) from error
    except (futures.CancelledError, CommClosedError) as error:
        raise SerEdgeError(
            f"dask: the scheduler at {address} was lost; {kept}: start it and run this again"
        ) from error
