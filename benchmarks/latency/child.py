"""The parent's side of a process that is measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError

MAIN = "from benchmarks.latency.worker import main; main()"
# Libraries of threads read these when they are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ROOT = Path(__file__).resolve().parents[2]
PROC = Path("/proc")
FIELDS = {"steady": "VmRSS", "own": "RssAnon", "peak": "VmHWM", "threads": "Threads"}


class Child:
    """A `benchmarks.latency.worker` that runs.

    Parameters
    ----------
    python : str
        The Python that has the back end.
    task : dict
        See `benchmarks.latency.worker.Worker`.

    Attributes
    ----------
    ready : dict
        What it said when it was.
    ready_seconds : float
        From the start of the process until then.

    Raises
    ------
    SerEdgeError
        When it cannot run the model; in one line.
    """

    def __init__(self, python: str, task: dict[str, Any]) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="ser-bench-")
        self._log = Path(self._home.name) / "log.txt"
        environment = _environment(python, task["threads"])
        started = time.monotonic()
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [python, "-c", MAIN, json.dumps(task)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    # Away from the user's folder, whose files would be taken for modules.
                    cwd=self._home.name,
                    env=environment,
                )
        except OSError as error:
            self._home.cleanup()
            raise SerEdgeError(f"{python}: cannot be run ({error.strerror or error})") from error
        try:
            self.ready = self._answer()
        except BaseException:
            self.close()
            raise
        self.ready_seconds = time.monotonic() - started

    def ask(self, word: str) -> dict[str, Any]:
        """Have it do something; see `benchmarks.latency.worker.Worker`.

        Raises
        ------
        SerEdgeError
            When that fails, or the process ends.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # why it ended is told below
        return self._answer()

    def status(self) -> dict[str, int]:
        """Count its threads, and its memory in RAM: all now, that of its own, and the most; in KiB.

        What the system does not tell is left out.
        """
        try:
            told = (PROC / str(self._process.pid) / "status").read_text()
        except OSError:
            return {}
        fields = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
        return {
            name: int(fields[field].split()[0]) for name, field in FIELDS.items() if field in fields
        }

    def close(self) -> None:
        """End the process; may be called more than once."""
        self._process.kill()
        self._process.communicate()
        self._home.cleanup()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SerEdgeError(self._death())
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise SerEdgeError(str(said["error"]))
        return said

    def _death(self) -> str:
        status = self._process.wait()
        if status < 0:
            return f"its process crashed ({signal.Signals(-status).name})"
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else f"its process ended with status {status}"


def _environment(python: str, threads: int) -> dict[str, str]:
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    named = [str(Path(path).resolve()) for path in paths if path]
    # In a checkout, this very code. Installed, another Python must not find this one's libraries,
    # and has ser-edge itself.
    if python == sys.executable or not (ROOT / "numpy").exists():
        named.insert(0, str(ROOT))
    limits = dict.fromkeys(THREADS, str(threads))
    return {**os.environ, **limits, "PYTHONPATH": os.pathsep.join(named)}
