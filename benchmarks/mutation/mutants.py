"""Runs mutmut, and reads what came of each mutant through its own commands."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError
from train.toml_text import read_toml

FOLDER = Path("mutants")  # where mutmut works, below the folder of pyproject.toml
FINGERPRINT = FOLDER / "tests.sha256"
CONFIGURATION = Path("pyproject.toml")
SURVIVED = ("survived", "no tests", "suspicious", "skipped")
INTERRUPTED = "check was interrupted by user"  # which mutmut lets stand
UNDECIDED = ("not checked", INTERRUPTED)


@dataclass(frozen=True)
class Mutant:
    """One small fault.

    Attributes
    ----------
    name : str
        mutmut's, such as ``edge_runtime.mel.x_hz_to_mel__mutmut_3``.
    status : str
        mutmut's word for what came of it: ``killed``, ``survived``, ``timeout``, ``no tests``...
    """

    name: str
    status: str

    @property
    def module(self) -> str:
        """The last part of the module's name."""
        return self.name.rpartition(".")[0].rpartition(".")[2]

    @property
    def place(self) -> str:
        """Module and function, such as ``mel.hz_to_mel`` or ``decisions.DecisionMaker.push``."""
        mangled = re.sub(r"__mutmut_\d+$", "", self.name.rpartition(".")[2])
        # A method is xǁClassǁmethod, a function x_function.
        parts = mangled.split("ǁ")[1:] or [mangled.removeprefix("x_")]
        return ".".join([self.module, *parts])


class Mutmut:
    """A mutmut that is installed somewhere, at work in the current folder.

    Parameters
    ----------
    program : Path
        The program.
    processes : int
        How many mutants to try at a time.

    Raises
    ------
    SerEdgeError
        When there is no such program, or nothing here for it to do.
    """

    def __init__(self, program: Path, processes: int) -> None:
        if not os.access(program, os.X_OK):
            raise SerEdgeError(f"{program}: no mutmut there; run: make mutation")
        self._program, self._processes = program.absolute(), processes
        if not CONFIGURATION.is_file():
            raise SerEdgeError("there is no pyproject.toml here; run it in a checkout of ser-edge")
        configuration = read_toml(CONFIGURATION).get("tool", {}).get("mutmut")
        if configuration is None:
            raise SerEdgeError(f"{CONFIGURATION}: has no [tool.mutmut], which says what to change")
        self.modules = [Path(path) for path in configuration["only_mutate"]]
        self._tests = [Path(path) for path in configuration["pytest_add_cli_args_test_selection"]]

    @property
    def version(self) -> str:
        """What it says of itself, such as ``3.8.1``."""
        return self._ask("--version").split()[-1]

    def try_all(self) -> None:
        """Try all mutants that were not tried, and if the tests changed, all that survived."""
        today, stored = self._fingerprint(), None
        if FINGERPRINT.is_file():
            stored = FINGERPRINT.read_text(encoding="utf-8")
        if not FOLDER.is_dir():
            FOLDER.mkdir()
            FINGERPRINT.write_text(stored := today, encoding="utf-8")
        self._try()
        doubtful = {INTERRUPTED} if stored == today else {INTERRUPTED, *SURVIVED}
        again = [one.name for one in self._verdicts() if one.status in doubtful]
        if again:
            self._try(*again)
        FINGERPRINT.write_text(today, encoding="utf-8")

    def mutants(self) -> list[Mutant]:
        """Give all mutants.

        Raises
        ------
        SerEdgeError
            When some were not tried.
        """
        found = self._verdicts()
        undecided = sum(one.status in UNDECIDED for one in found)
        if undecided or not found:
            raise SerEdgeError(f"{undecided} of {len(found)} mutants were not tried; run it again")
        return found

    def _verdicts(self) -> list[Mutant]:
        lines = re.findall(r"^ +(\S+): (.+)$", self._ask("results", "--all", "true"), re.MULTILINE)
        return [Mutant(name, status) for name, status in lines]

    def change(self, mutant: Mutant) -> tuple[str, str]:
        """What a mutant changes: its source before and after, without indentation."""
        lines = self._ask("show", mutant.name).splitlines()
        sides = [
            " ".join(
                line[1:].strip() for line in lines if re.match(rf"\{sign}(?!\{sign}\{sign})", line)
            )
            for sign in "-+"
        ]
        return sides[0], sides[1]

    def _try(self, *names: str) -> None:
        command = [str(self._program), "run", "--max-children", str(self._processes), *names]
        # Its progress goes where it does not mix with results.
        done = subprocess.run(command, env=_environment(), stdout=2, check=False)
        if done.returncode:
            raise SerEdgeError(
                "mutmut stopped, see above; tests that fail without a mutant must be mended first"
            )

    def _ask(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise SerEdgeError(f"mutmut {arguments[0]} failed: {last[0]}")
        return done.stdout

    def _fingerprint(self) -> str:
        """Of the tests and of what they share."""
        shared = {folder / "conftest.py" for test in self._tests for folder in test.parents}
        contents = (path for path in sorted({*self._tests, *shared}) if path.is_file())
        return hashlib.sha256(b"".join(path.read_bytes() for path in contents)).hexdigest()


def _environment() -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if name != "SER_EDGE_CORPORA"}
    return {**kept, "SER_EDGE_TEST_MODELS": str(FOLDER.absolute() / "models")}
