"""What is measured: every model file in every back end that can run it here."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edge_runtime.backends import BACKENDS, INTERPRETER_MODULES
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import ModelMetadata, read_metadata

TFLITE_PYTHON = "SER_EDGE_TFLITE_PYTHON"
MODELS = Path(__file__).resolve().parents[1] / "models"
MOST_DEFAULT_THREADS = 4
MODULES = {**INTERPRETER_MODULES, "onnxruntime": "onnxruntime"}


@dataclass(frozen=True, eq=False)  # each is itself: metadata holds dicts, which have no hash
class Configuration:
    """One model file in one back end.

    Attributes
    ----------
    path : Path
        The model file.
    model : str
        What it is called in results: its name, or its path where two have one name.
    metadata : ModelMetadata
        What it says about itself.
    backend : str
        Of `edge_runtime.backends.BACKEND_NAMES`.
    threads : int
        That the back end may use.
    python : str
        The Python that has the back end.
    """

    path: Path
    model: str
    metadata: ModelMetadata
    backend: str
    threads: int
    python: str

    @property
    def pair(self) -> str:
        """Model and back end, for people."""
        return f"{self.model}, {self.backend}"


def shipped_models() -> list[Path]:
    """The bundled model, then the other forms of it that are installed."""
    others = sorted([*MODELS.glob("*.tflite"), *MODELS.glob("*.onnx")])
    return [DEFAULT_MODEL, *others]


def default_threads() -> list[int]:
    """One thread, and as many as there are cores, at most 4."""
    return sorted({1, min(_cores(), MOST_DEFAULT_THREADS)})


def configurations(
    models: Sequence[Path], backends: Sequence[str], threads: Sequence[int]
) -> tuple[list[Configuration], dict[str, str]]:
    """Name what can be measured here, and what cannot.

    Parameters
    ----------
    models : sequence of Path
        Model files.
    backends : sequence of str
        Back ends; all that are known when empty.
    threads : sequence of int
        How many, each.

    Returns
    -------
    chosen : list of Configuration
        At least one.
    missing : dict of str to str
        Back ends that are not installed, with how to install them.

    Raises
    ------
    SerEdgeError
        When a file is not usable, a back end that was asked for is not installed, or there is
        nothing to measure.
    """
    paths = list(dict.fromkeys(models))
    counts = Counter(path.name for path in paths)
    chosen: list[Configuration] = []
    missing: dict[str, str] = {}
    for path in paths:
        pythons: dict[str, str] = {}
        for backend, package in _packages_for(path).items():
            if backends and backend not in backends:
                continue
            python = _python_for(backend)
            if python is None:
                missing[backend] = _how_to_install(backend, package)
            else:
                pythons[backend] = python
        if not pythons:
            continue  # nothing here may be able to read it
        metadata = read_metadata(path)
        model = path.name if counts[path.name] == 1 else str(path)
        chosen += [
            Configuration(path, model, metadata, backend, number, python)
            for backend, python in pythons.items()
            for number in dict.fromkeys(threads)
        ]
    for backend in backends:
        if backend in missing:
            raise SerEdgeError(f"--backend {backend}: {missing[backend]}")
    if not chosen:
        raise SerEdgeError(_nothing(paths, backends, missing))
    return chosen, missing


def _packages_for(path: Path) -> dict[str, str]:
    if path.suffix not in BACKENDS:
        raise SerEdgeError(f"{path}: a model file ends in {' or '.join(BACKENDS)}")
    return BACKENDS[path.suffix]


def _python_for(backend: str) -> str | None:
    # tflite-runtime needs a numpy of its own, and so mostly a Python of its own.
    if backend == "tflite-runtime" and os.environ.get(TFLITE_PYTHON):
        return os.environ[TFLITE_PYTHON]
    is_installed = find_spec(MODULES[backend].partition(".")[0]) is not None
    return sys.executable if is_installed else None


def _how_to_install(backend: str, package: str) -> str:
    how = f"not installed: pip install {package}"
    if backend == "tflite-runtime":
        how += f", or set {TFLITE_PYTHON} to a Python that has it and ser-edge"
    return how


def _nothing(paths: Sequence[Path], backends: Sequence[str], missing: dict[str, str]) -> str:
    names = ", ".join(map(str, paths))
    if missing:
        reasons = "; ".join(f"{backend}: {why}" for backend, why in missing.items())
        return f"{names}: no interpreter for it is installed ({reasons})"
    return f"{names}: --backend {' '.join(backends)} cannot run such files"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
