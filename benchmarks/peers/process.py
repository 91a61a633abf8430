"""A contender's process, asked over pipes; the other end is ``worker``."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.child_process import usage_of
from edge_runtime.errors import SerEdgeError

ROOT = Path(__file__).resolve().parents[2]
WORKER = "benchmarks.peers.worker"
# Read by the libraries of all contenders as they are loaded.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""}


def environment() -> dict[str, str]:
    """The environment of every contender: one thread, and this very package to be found."""
    found = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, **ONE_THREAD, **QUIET, "PYTHONPATH": found}


@dataclass(frozen=True)
class Timed:
    """Decisions that were timed.

    Attributes
    ----------
    wall_ms, processor_ms : list of float
        Milliseconds that passed during each, and those of processor time that the process took.
    asked : int
        For how many of them a model was asked.
    """

    wall_ms: list[float]
    processor_ms: list[float]
    asked: int


class Process:
    """Starts a contender and waits for its first decision.

    Parameters
    ----------
    name : str
        The contender's, for errors.
    python : str
        The interpreter to run it.
    task : dict
        What it does, as JSON types; see `benchmarks.peers.chains`.
    folder : Path
        Where it works.

    Attributes
    ----------
    start_seconds : float
        From its start to its first decision.

    Raises
    ------
    SerEdgeError
        When it ends before that.
    """

    def __init__(self, name: str, python: str, task: dict[str, Any], folder: Path) -> None:
        self._name = name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        started = time.monotonic()
        try:
            self._process = subprocess.Popen(
                [python, "-m", WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=folder,
                env=environment(),
            )
        except OSError as error:
            self._log.close()
            raise SerEdgeError(f"{python}: cannot be run ({error.strerror or error})") from error
        try:
            self._answer(json.dumps(task))
        except SerEdgeError:
            self.close()
            raise
        self.start_seconds = time.monotonic() - started

    @property
    def resident_bytes(self) -> int:
        """Memory of it that is in RAM."""
        return usage_of(self._process).resident_bytes

    def timed(self, calls: int) -> Timed:
        """Have decisions made, one after the other.

        Raises
        ------
        SerEdgeError
            When the process has ended.
        """
        answer = self._answer(str(calls))
        wall, processor = ([one / 1e6 for one in answer[of]] for of in ("wall", "processor"))
        return Timed(wall, processor, answer["asked"])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def _answer(self, line: str) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise SerEdgeError(f"{self._name}: its process ended ({self._last_words()})")
        return dict(json.loads(answer))

    def _last_words(self) -> str:
        status = self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        return said[-1].strip() if said else f"exit status {status}, no reason given"
