"""How far a decision is from what the core could do: its arithmetic at the pace of a product."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.limit_network import arithmetic_of
from benchmarks.limit_stages import FEATURES, INFERENCE, Stages
from benchmarks.matrix_products import FLOAT, INT8, NUMPY_FLOAT, Product, fully_connected, products
from benchmarks.timing import interleaved, percentiles
from edge_runtime.backends import BACKENDS, load_backend
from edge_runtime.classifier import Classifier
from edge_runtime.hardware import cpu

Times = dict[str, NDArray[np.float64]]

PROTOCOL = (
    "One thread, {rounds} rounds in which everything is timed in turn, each time the mean of 5 "
    "calls. A product's pace is that of its fastest size. Efficiency: the time that the "
    "multiply-accumulates which a stage needs take at the pace of the matching product in the same "
    "round, over the time that the stage took. Two additions or multiplications that are no "
    "multiply-accumulate count as one; logarithms count nothing. What lacks to 100 % is memory, "
    "transforms and small products that cannot keep the pace of a large one, logarithms, and the "
    "calls of Python, numpy and the interpreter"
)
ONE_CALL = "numpy, one call"
EMPTY_INT8, EMPTY_FLOAT = "inference of one int8 weight", "inference of one float32 weight"


def bench_limit(models: list[Path], rounds: int) -> dict[str, Any]:
    """Compare the stages of a decision with plain matrix products on the same core.

    Parameters
    ----------
    models : list of Path
        .tflite files.
    rounds : int
        How often everything is timed.

    Returns
    -------
    dict
        As JSON types: ``products`` in GMAC/s; ``calls``, milliseconds of calls with next to no
        arithmetic in them; and for each of ``models`` its arithmetic and its ``stages``, each with
        ``macs``, ``floor_ms`` that these take at the pace of the products, ``ms``,
        ``efficiency``, and ``calls_ms`` where its calls were timed alone.

    Raises
    ------
    SerEdgeError
        When a file is no usable model, or none whose arithmetic can be counted.
    """
    classifiers = [Classifier(path) for path in models]
    networks = [arithmetic_of(path) for path in models]
    backend = classifiers[0].backend.name
    subjects = [Stages(one, network) for one, network in zip(classifiers, networks)]
    plain = products(backend)
    contenders = {name: product.run for name, product in plain.items()}
    contenders.update(_calls(backend))
    for number, subject in enumerate(subjects):
        contenders.update(_numbered(number, subject))
    times = interleaved(contenders, rounds)
    paces = {kind: _pace(plain, times, kind) for kind in (NUMPY_FLOAT, FLOAT, INT8)}
    return {
        "protocol": PROTOCOL.format(rounds=rounds),
        "rounds": rounds,
        "versions": {
            **{name: version(name) for name in ("numpy", BACKENDS[".tflite"][backend])},
            "python": platform.python_version(),
        },
        "machine": {"architecture": platform.machine(), **asdict(cpu())},
        "products": {
            name: {"kind": one.kind, "gmac_per_s": percentiles(one.macs / times[name] / 1e6)}
            for name, one in plain.items()
        },
        "calls": {name: percentiles(times[name]) for name in (ONE_CALL, EMPTY_INT8, EMPTY_FLOAT)},
        "models": [
            {
                "file": one.path.name,
                "model": one.model_id,
                "backend": f"{one.backend.name} {one.backend.version}",
                "operators": {kind: asdict(operator) for kind, operator in network.items()},
                "hop_seconds": subject.hop_seconds,
                "hop_frames": subject.hop_frames,
                "features": asdict(subject.features),
                "decided_share": round(subject.decided_share, 4),
                "stages": _judged(number, subject, times, paces, bool(one.backend.score_step)),
            }
            for number, (one, network, subject) in enumerate(zip(classifiers, networks, subjects))
        ],
    }


def _numbered(number: int, subject: Stages) -> dict[str, Callable[[], Any]]:
    runs = {f"{number}: {name}": stage.run for name, stage in subject.by_name.items()}
    return {**runs, f"{number}: one frame": subject.one_frame}


def _judged(
    number: int, subject: Stages, times: Times, paces: Times, is_integer: bool
) -> dict[str, Any]:
    empty = EMPTY_INT8 if is_integer else EMPTY_FLOAT
    calls = {FEATURES: f"{number}: one frame", INFERENCE: empty}
    judged = {}
    for name, stage in subject.by_name.items():
        took = times[f"{number}: {name}"]
        floor = np.sum([macs / paces[kind] for kind, macs in stage.macs.items()], axis=0)
        judged[name] = {
            "macs": stage.macs,
            "floor_ms": percentiles(floor),
            "ms": percentiles(took),
            "efficiency": percentiles(floor / took),
        }
        if name in calls:
            judged[name]["calls_ms"] = percentiles(times[calls[name]])
    return judged


def _calls(backend: str) -> dict[str, Callable[[], Any]]:
    """Calls with next to no arithmetic in them."""
    number = np.zeros(1, dtype=np.float32)
    calls: dict[str, Callable[[], Any]] = {ONE_CALL: lambda: np.add(number, number, out=number)}
    with TemporaryDirectory() as folder:
        for name, kind in {EMPTY_INT8: INT8, EMPTY_FLOAT: FLOAT}.items():
            path = Path(folder) / "one-weight.tflite"
            path.write_bytes(fully_connected(kind, 1, 1, 1))
            calls[name] = _run(load_backend(path, backend), number)
    return calls


def _run(backend: Any, features: NDArray[np.float32]) -> Callable[[], Any]:
    return lambda: backend.run(features)


def _pace(plain: dict[str, Product], times: Times, kind: str) -> NDArray[np.float64]:
    """Multiply-accumulates per millisecond in every round, of the size that is fastest."""
    paces = [one.macs / times[name] for name, one in plain.items() if one.kind == kind]
    return max(paces, key=lambda pace: float(np.median(pace)))
