"""One contender in a process of its own, asked over pipes; the other end is ``process``.

A line of JSON says what to make ready; the answer to that comes after the first decision. Every
further line is a number of decisions to time; what comes before them is not.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import numpy as np

from benchmarks.peers.chains import CHAINS, Decide


def main() -> None:
    """Answer until there are no more lines."""
    # What libraries print on standard output is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    task = json.loads(sys.stdin.readline())
    decide = CHAINS[task["chain"]](task, np.load(task["audio"], allow_pickle=False))
    decide()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_timed(decide, int(line))), file=answers, flush=True)


def _timed(decide: Decide, calls: int) -> dict[str, Any]:
    """Nanoseconds of each of so many decisions, and for how many a model was asked."""
    decide()  # another contender had the caches until now
    wall, processor, asked = [], [], 0
    for _ in range(calls):
        start, start_used = time.perf_counter_ns(), time.process_time_ns()
        is_asked = decide()
        used, passed = time.process_time_ns(), time.perf_counter_ns()
        wall.append(passed - start)
        processor.append(used - start_used)
        asked += is_asked
    return {"wall": wall, "processor": processor, "asked": asked}


if __name__ == "__main__":
    main()
