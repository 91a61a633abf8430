"""Runs steps of conversion in processes of their own.

A converter or an interpreter that crashes, as TensorFlow's does on some quantised recurrent layers,
then ends in an error and not in silence, and a back end meets nothing that another one loaded.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError

TASK, ARRAYS, RESULT, RESULT_ARRAYS = "task.json", "arrays.npz", "result.json", "results.npz"
ERROR = "error"
LONGEST_REASON = 300
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
LOCATION = re.compile(r"^.*error: (loc\(.*\): )?")
Arrays = dict[str, NDArray[Any]]


class ChildCrashedError(SerEdgeError):
    """The process ended without a word: it crashed, or it was killed."""


class Child:
    """A process that does tasks, started when the first comes and again after it crashed.

    Parameters
    ----------
    module : str
        Run as ``python -m MODULE``; it calls `serve`.
    python : str
        The interpreter to run it.

    Examples
    --------
    ``with closing(Child("convert.judge")) as judge: judge.run(task, arrays, "running it")``
    """

    def __init__(self, module: str, python: str = sys.executable) -> None:
        self._module, self._python = module, python
        self._process: subprocess.Popen[str] | None = None
        self._home = tempfile.TemporaryDirectory(prefix="ser-convert-")
        self._log = Path(self._home.name) / "log.txt"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        self._home.cleanup()

    def run(self, task: dict[str, Any], arrays: Arrays, what: str) -> tuple[dict[str, Any], Arrays]:
        """Have a task done.

        Parameters
        ----------
        task : dict
            What to do, as JSON types.
        arrays : dict of ndarray
            What to do it with.
        what : str
            What is being done to which file, the beginning of an error's sentence; shown on a
            terminal meanwhile.

        Returns
        -------
        result : dict
            As JSON types.
        arrays : dict of ndarray
            What was computed.

        Raises
        ------
        ChildCrashedError
            When the process crashes or is killed.
        SerEdgeError
            When the task fails otherwise.
        """
        # Not for the child's side, whose Python may have numpy and an interpreter alone.
        from tqdm import tqdm

        folder = Path(self._home.name)
        try:
            (folder / TASK).write_text(json.dumps(task), encoding="utf-8")
            np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise SerEdgeError(
                f"{folder}: cannot be written ({error.strerror or error}); make room there or set "
                "TMPDIR to another folder"
            ) from error
        with tqdm(bar_format="{desc}", desc=what, disable=None, leave=False):
            self._have_done(what)
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        if ERROR in result:
            raise SerEdgeError(f"{what} failed ({result[ERROR]})")
        with np.load(folder / RESULT_ARRAYS, allow_pickle=False) as stored:
            return result, dict(stored)

    def _have_done(self, what: str) -> None:
        if self._process is None:
            self._process = self._started()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write("go\n")
            process.stdin.flush()
            if process.stdout.readline():
                return
        except BrokenPipeError:
            pass  # it ended before it could be asked
        status = process.wait()
        self._process = None
        if status < 0:
            raise ChildCrashedError(f"{what} {_death(signal.Signals(-status))}")
        log = self._log.read_text(encoding="utf-8", errors="replace")
        said = log.strip().splitlines() or ["no reason given"]
        raise SerEdgeError(f"{what} failed ({said[-1].strip()})")

    def _started(self) -> subprocess.Popen[str]:
        try:
            with self._log.open("w", encoding="utf-8") as log:
                return subprocess.Popen(
                    [self._python, "-m", self._module],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    # Away from the user's folder, whose files `python -m` would take for modules.
                    cwd=self._home.name,
                    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": _module_path()},
                )
        except OSError as error:
            raise SerEdgeError(
                f"{self._python}: cannot be run ({error.strerror or error})"
            ) from error


def serve(do: Callable[[dict[str, Any], Arrays], tuple[dict[str, Any], Arrays]]) -> None:
    """Do tasks until there are no more: the child's side of `Child`.

    Parameters
    ----------
    do : callable
        ``do(task, arrays)`` gives the result and the arrays.
    """
    # What libraries print on standard output is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder = Path.cwd()
    for _ in sys.stdin:
        task = json.loads((folder / TASK).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            arrays = dict(stored)
        result, computed = _done(do, task, arrays)
        (folder / RESULT).write_text(json.dumps(result), encoding="utf-8")
        np.savez(folder / RESULT_ARRAYS, **computed)  # type: ignore[arg-type]
        answers.write("done\n")
        answers.flush()


def _done(
    do: Callable[[dict[str, Any], Arrays], tuple[dict[str, Any], Arrays]],
    task: dict[str, Any],
    arrays: Arrays,
) -> tuple[dict[str, Any], Arrays]:
    try:
        return do(task, arrays)
    except SerEdgeError as error:
        return {ERROR: str(error)}, {}
    except ModuleNotFoundError as error:
        return {ERROR: f"{error.name} is not installed: pip install 'ser-edge[convert]'"}, {}
    except OSError as error:
        if error.errno not in NO_ROOM:
            return {ERROR: _reason(error)}, {}
        where = f"{error.strerror or error} in {Path.cwd().parent}"
        return {ERROR: f"{where}; make room there or set TMPDIR to another folder"}, {}
    # Converters raise whatever they like, of no common kind.
    except Exception as error:
        return {ERROR: _reason(error)}, {}


def _reason(error: Exception) -> str:
    """One line of an exception that may span many: the one that names the error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "error:" in line]
    chosen = (named or lines or ["no reason given"])[0]
    # MLIR puts the whole place before what is wrong there.
    chosen = LOCATION.sub("", chosen)
    return f"{type(error).__name__}: {chosen}"[:LONGEST_REASON]


def _module_path() -> str:
    """Where this very package is found, then what the user named."""
    root = str(Path(__file__).resolve().parents[1])
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([root, *(str(Path(entry).resolve()) for entry in named if entry)])


def _death(by: signal.Signals) -> str:
    if by == signal.SIGKILL:
        return "was killed, most likely for want of memory"
    return f"crashed ({by.name})"
