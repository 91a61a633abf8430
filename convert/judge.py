"""Runs a model file in one back end, as a device does; imports nothing but the device side.

Run as ``python -m convert.judge`` by `convert.child`, by whichever Python has the interpreter.
"""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from convert.child import Arrays, serve
from edge_runtime.backends import load_backend
from edge_runtime.metadata import OUTPUTS

WARM_UP = 3


def judge(task: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Run ``windows`` through a file, one by one, and time every run.

    Parameters
    ----------
    task : dict
        ``model``, ``suffix`` and ``backend``.
    arrays : dict of ndarray
        ``windows``, (n, ...), n >= 1.

    Returns
    -------
    result : dict
        ``backend`` (name and version), ``input_shape``, ``output_sizes``, ``step`` (the real value
        of one step of the scores, 0.0 in float), ``python``, and the latency of one run on one
        thread, ``latency_ms_p50`` and ``latency_ms_p90``.
    arrays : dict of ndarray
        The outputs as they are, by `edge_runtime.metadata.OUTPUTS`: ``scores``, (n, n_labels), and
        ``embedding`` where there are two.
    """
    backend = load_backend(Path(task["model"]), task["backend"], threads=1)
    windows = arrays["windows"]
    result = {
        "backend": f"{backend.name} {backend.version}",
        "input_shape": list(backend.input_shape),
        "output_sizes": list(backend.output_sizes),
        "step": backend.score_step,
        "python": platform.python_version(),
    }
    if backend.input_shape != windows.shape[1:]:
        return result, {"scores": np.zeros((0, 0), dtype=np.float32)}
    for window in windows[:WARM_UP]:
        backend.run(window)
    n_outputs = len(backend.output_sizes)
    rows, seconds = [], []
    for window in windows:
        start = time.perf_counter()
        outputs = backend.run(window)
        seconds.append(time.perf_counter() - start)
        # A device that has no use for the embedding does not read it, so that is not timed.
        rows.append(outputs if n_outputs == 1 else backend.run(window, n_outputs))
    p50, p90 = np.percentile(seconds, [50, 90]) * 1000.0
    result.update(latency_ms_p50=round(float(p50), 3), latency_ms_p90=round(float(p90), 3))
    return result, {name: np.stack(one) for name, one in zip(OUTPUTS, zip(*rows))}


if __name__ == "__main__":
    serve(judge)
