"""What an installed ser-edge has to do before it counts as installed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.installs.cells import BACKENDS

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
# One line that names a package and how to get it.
SAYS_WHAT_TO_INSTALL = re.compile(r"pip install '?(ai-edge-litert|tflite-runtime|ser-edge\[)")


class UnmetError(Exception):
    """A program that did not do what it has to; its message is one line."""


def check_program(run: Run, sound: Path, model: Path | None, interpreter: str) -> dict[str, Any]:
    """Hold the four commands of somebody's first minute to what they have to do.

    Parameters
    ----------
    run : callable
        Runs the installed ``ser-edge`` with arguments.
    sound : Path
        A recording in which there is speech.
    model : Path, optional
        A model file; the bundled one by default.
    interpreter : str
        The package that has to run it.

    Returns
    -------
    dict
        As JSON types: the ``version``, what ``classify`` answered as ``label`` and ``score``, the
        number of ``events`` of ``listen``, and what ``doctor`` found ``to_mend`` on this machine.

    Raises
    ------
    UnmetError
        At the first command that fails or answers something else.
    """
    which = ["--model", str(model)] if model else []
    return {
        "version": _version(run),
        **_answer(run, [str(sound), *which]),
        "events": _events(run, ["--source", str(sound), *which]),
        "to_mend": _doctor(run, which, BACKENDS[interpreter]),
    }


def check_refusal(run: Run, sound: Path) -> dict[str, Any]:
    """Hold ser-edge without an interpreter to saying in one line what to install.

    Raises
    ------
    UnmetError
        When it says something else, or more.
    """
    version = _version(run)
    done = run(["classify", str(sound)])
    lines = done.stderr.strip().splitlines()
    if done.returncode != 1 or len(lines) != 1 or not SAYS_WHAT_TO_INSTALL.search(lines[0]):
        raise UnmetError(f"classify does not say in one line what to install: {last_line(done)}")
    return {"version": version, "says": lines[0]}


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a program wrote, or how it ended."""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1].strip() if lines else f"exit status {done.returncode}, and not a word"


def _version(run: Run) -> str:
    done = _done(run, "--version")
    name, _, version = done.stdout.strip().partition(" ")
    if name != "ser-edge" or not version:
        raise UnmetError(f"--version answers {done.stdout.strip()!r}")
    return version


def _answer(run: Run, arguments: Sequence[str]) -> dict[str, Any]:
    answer = json.loads(_done(run, "classify", *arguments, "--format", "jsonl").stdout)
    if abs(sum(answer["scores"].values()) - 1.0) > 0.05:  # steps of 1/256, one for each class
        raise UnmetError(f"classify: the scores are no probabilities: {answer['scores']}")
    return {"label": answer["label"], "score": round(answer["score"], 3)}


def _events(run: Run, arguments: Sequence[str]) -> int:
    lines = _done(run, "listen", *arguments, "--format", "jsonl").stdout.splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    if not kinds or kinds[0] != "start" or kinds[-1] != "end":
        raise UnmetError(f"listen: the events are {kinds or 'none'}")
    return len(kinds)


def _doctor(run: Run, arguments: Sequence[str], backend: str) -> list[str]:
    """What it finds to mend: much, on a machine without a microphone; but the back end is ours."""
    done = run(["doctor", *arguments, "--format", "jsonl"])
    if done.returncode not in (0, 1) or not done.stdout:
        raise UnmetError(f"doctor: {last_line(done)}")
    found = {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
    ours = found.get(f"back end {backend}")
    if ours is None or ours["outcome"] != "ok":
        says = ours["found"] if ours else f"does not name the back end {backend}"
        raise UnmetError(f"doctor: {says}")
    return [name for name, one in found.items() if one["outcome"] == "fail"]


def _done(run: Run, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = run(arguments)
    if done.returncode != 0 or "Traceback" in done.stderr:
        raise UnmetError(f"{arguments[0]}: {last_line(done)}")
    return done
