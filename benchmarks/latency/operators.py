"""How long each kind of operator of a model takes, where the back end tells."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

N_RUNS, WARM_UP = 50, 5
NOT_TOLD = "its Python interface gives no times of operators"


def onnx_operators(
    model: Path, input_shape: tuple[int, ...], threads: int
) -> list[tuple[str, float]]:
    """Profile a model in ONNX Runtime.

    Parameters
    ----------
    model : Path
        The .onnx file.
    input_shape : tuple of int
        Of one window.
    threads : int
        Number of threads within an operator.

    Returns
    -------
    list of (str, float)
        Kind of operator, and microseconds that all operators of it take in one run, the mean of
        50; the slowest first.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_profiling = True
    with TemporaryDirectory(prefix="ser-bench-") as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            model.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        window = np.random.default_rng(0).normal(size=(1, *input_shape)).astype(np.float32)
        inputs = {session.get_inputs()[0].name: window}
        for _ in range(WARM_UP + N_RUNS):
            session.run(None, inputs)
        told = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return summed(told)


def summed(told: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """Sum up what ONNX Runtime told of `WARM_UP` + `N_RUNS` runs; see `onnx_operators`.

    The first runs, in which memory is laid out, do not count.
    """
    runs: dict[str, list[float]] = {}  # of each operator, in the order of the runs
    kinds: dict[str, str] = {}
    for event in told:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            runs.setdefault(event["name"], []).append(float(event["dur"]))
            kinds[event["name"]] = event["args"]["op_name"]
    by_kind: dict[str, float] = {}
    for name, durations in runs.items():
        mean = sum(durations[WARM_UP:]) / N_RUNS
        by_kind[kinds[name]] = by_kind.get(kinds[name], 0.0) + mean
    slowest_first = sorted(by_kind.items(), key=lambda one: -one[1])
    return [(kind, round(microseconds, 2)) for kind, microseconds in slowest_first]
