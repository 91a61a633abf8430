"""Times contenders side by side, so that a noisy machine disturbs all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm


def interleaved(
    contenders: dict[str, Callable[[], Any]], rounds: int, calls: int = 5
) -> dict[str, NDArray[np.float64]]:
    """Time each contender once per round, one after the other, on one thread.

    Parameters
    ----------
    contenders : dict of str to callable
        What to time.
    rounds : int
        Number of rounds.
    calls : int
        Calls in a row that one time is the mean of; one more before them is not timed.

    Returns
    -------
    dict of str to ndarray of float64, shape (rounds,)
        Milliseconds of processor time per call: time in which the machine did something else does
        not count, for it falls on long calls more often than on short ones.
    """
    times = {name: np.empty(rounds) for name in contenders}
    with threadpool_limits(1):
        for index in tqdm(range(rounds), desc="timing", unit="round", disable=None):
            for name, call in contenders.items():
                call()
                start = time.process_time()
                for _ in range(calls):
                    call()
                times[name][index] = (time.process_time() - start) / calls * 1000.0
    return times


def percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    """The 10th, 50th and 90th percentile, by name."""
    return {f"p{p}": round(float(np.percentile(values, p)), 4) for p in (10, 50, 90)}
