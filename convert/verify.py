"""Runs a converted file in every back end that its device names, beside the original."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.child import Child
from convert.devices import NEWEST_TFLITE_RUNTIME
from convert.figures import departure, embedding_departure, judged
from convert.operators import Operators, version_of
from convert.workbench import PARTS, TFLITE_PYTHON, Workbench
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import EMBEDDING, SCORES

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Ran:
    """What a file gave in a back end.

    Attributes
    ----------
    result : dict
        See `convert.judge.judge`.
    scores : ndarray of float32, shape (n, n_labels)
        Of the windows of validation and test.
    embedding : ndarray of float32, shape (n, size), or None
        Of the same, where the network has one.
    """

    result: dict[str, Any]
    scores: Scores
    embedding: Scores | None


def run_in(bench: Workbench, path: Path, backend: str, python: str) -> Ran:
    """Run the windows of validation and test, in that order, through a file.

    Parameters
    ----------
    bench : Workbench
        Has the windows.
    path : Path
        The file.
    backend : str
        What runs it.
    python : str
        The Python that has the back end.

    Returns
    -------
    Ran
        What it gave.

    Raises
    ------
    SerEdgeError
        When the back end cannot load it, it crashes, or it does not fit its metadata.
    """
    windows = np.concatenate([bench.windows(part) for part in PARTS])
    task = {"model": str(path.resolve()), "backend": backend}
    original = bench.original
    with closing(Child("convert.judge", python)) as judge:
        what = f"{original.path}: running it in {backend}"
        result, arrays = judge.run(task, {"windows": windows}, what)
    wanted = original.metadata.input_shape
    if tuple(result["input_shape"]) != wanted:
        raise SerEdgeError(
            f"{original.path}: reads windows of {tuple(result['input_shape'])}, but its metadata "
            f"describes {wanted}"
        )
    embedding = bench.original_embedding(PARTS[0])
    wanted_sizes = [len(original.metadata.labels)]
    wanted_sizes += [] if embedding is None else [embedding.shape[1]]
    if result["output_sizes"] != wanted_sizes:
        sizes = ", ".join(map(str, result["output_sizes"]))
        raise SerEdgeError(
            f"{original.path}: its outputs have {sizes} values, but its metadata names "
            f"{wanted_sizes[0]} labels; one output, the scores, can be converted"
        )
    return Ran(result, arrays[SCORES], arrays.get(EMBEDDING))


def primary_backend(bench: Workbench, suffix: str) -> tuple[str, str]:
    """The first back end of the device that is at hand here, and its Python.

    Raises
    ------
    SerEdgeError
        When the device has none for such a file, or none is at hand.
    """
    device = bench.settings.device
    if not device.backends[suffix]:
        raise SerEdgeError(
            f"--target {device.name}: nothing runs {suffix} files there; convert to .tflite"
        )
    for backend in device.backends[suffix]:
        python = bench.settings.python_for(backend)
        if python:
            return backend, python
    raise SerEdgeError(_missing(device.name, device.backends[suffix][0]))


def others(bench: Workbench, path: Path, first: str) -> dict[str, Ran | str]:
    """Run a file in the device's other back ends.

    Returns
    -------
    dict of str to Ran or str
        By back end what it gave, or why it did not run.

    Raises
    ------
    SerEdgeError
        When one cannot run the file, or is not at hand though the user named the device.
    """
    settings = bench.settings
    ran: dict[str, Ran | str] = {}
    for backend in settings.device.backends[path.suffix]:
        if backend == first:
            continue
        python = settings.python_for(backend)
        if python:
            ran[backend] = run_in(bench, path, backend, python)
        elif settings.is_device_chosen:
            raise SerEdgeError(_missing(settings.device.name, backend))
        else:
            ran[backend] = f"not at hand; set {TFLITE_PYTHON} to a Python that has it"
    return ran


def require_known_operators(bench: Workbench, operators: Operators) -> None:
    """Refuse a file that the newest tflite-runtime does not know, where a device has nothing else.

    Raises
    ------
    SerEdgeError
        When an operator is newer.
    """
    device = bench.settings.device
    newer = version_of(operators.least_tflite) > version_of(NEWEST_TFLITE_RUNTIME)
    if newer and "tflite-runtime" in device.backends[".tflite"]:
        raise SerEdgeError(
            f"{bench.original.path}: has operators of TensorFlow Lite {operators.least_tflite}, "
            f"which tflite-runtime {NEWEST_TFLITE_RUNTIME} does not know; try --target pi-trixie"
        )


def compared(bench: Workbench, ran: Ran, temperature: float) -> dict[str, Any]:
    """Compare what a file gives with what the original does, by window and by their labels.

    Parameters
    ----------
    bench : Workbench
        Has the original's scores.
    ran : Ran
        What the file gave.
    temperature : float
        That the file will carry.

    Returns
    -------
    dict
        ``windows``, what they are of, and the departure over those of test; for "validation" and
        "test", where recordings are held out, how the original (``before``), the file as it is
        (``converted``) and with its temperature (``after``) do, and by how many points UAR falls
        (``uar_drop``). Where there is one, ``embedding`` (`convert.figures.embedding_departure`)
        on the windows of test.
    """
    own = split(bench, ran.scores)
    report: dict[str, Any] = {
        "windows": len(own["test"]),
        "windows_of": "test recordings" if bench.held_out else bench.representative.source,
        **departure(bench.original_scores("test"), own["test"]),
    }
    for part, recordings in (bench.held_out or {}).items():
        before = judged(recordings, bench.original_scores(part))
        after = judged(recordings, own[part], temperature)
        report[part] = {
            "utterances": len(recordings.targets),
            "agreement": _utterance_agreement(bench, part, own[part]),
            "before": before,
            "converted": judged(recordings, own[part]),
            "after": after,
            "uar_drop": round(100.0 * (before["uar"] - after["uar"]), 2),
        }
    embedding = bench.original_embedding("test")
    if embedding is not None and ran.embedding is not None:
        of_test = split(bench, ran.embedding)["test"]
        report["embedding"] = embedding_departure(embedding, of_test)
    return report


def split(bench: Workbench, scores: Scores) -> dict[str, Scores]:
    """What is of all windows, by part."""
    first = len(bench.windows(PARTS[0]))
    return {PARTS[0]: scores[:first], PARTS[1]: scores[first:]}


def _utterance_agreement(bench: Workbench, part: str, scores: Scores) -> float:
    recordings = bench.held_out[part]  # type: ignore[index]
    original = recordings.scores(bench.original_scores(part)).argmax(axis=1)
    return round(float(np.mean(recordings.scores(scores).argmax(axis=1) == original)), 4)


def _missing(device: str, backend: str) -> str:
    how = (
        f"make an environment with it (Python 3.9 to 3.11: pip install tflite-runtime 'numpy<2') "
        f"and set {TFLITE_PYTHON} or --tflite-python to its python"
        if backend == "tflite-runtime"
        else f"pip install {backend}"
    )
    return f"--target {device}: the file must be run in {backend}, which is not at hand here; {how}"
