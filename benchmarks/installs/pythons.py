"""The Pythons of this machine, found by their names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

# One that cannot make environments is of no use: on Debian that is a package of its own.
PROBE = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


def find_python(version: str) -> Path | None:
    """Find a Python that can make virtual environments.

    Parameters
    ----------
    version : str
        As "3.11".

    Returns
    -------
    Path or None
        The first ``python3.11`` of the PATH, or of pyenv's versions, that runs: pyenv's shims are
        there for versions that are not chosen, too, and only say so.
    """
    return next((path for path in _candidates(version) if _says(path) == version), None)


def _candidates(version: str) -> Iterator[Path]:
    for place in os.get_exec_path():
        path = Path(place) / f"python{version}"
        if path.is_file():
            yield path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(pyenv.glob(f"versions/{version}.*"), reverse=True):
        yield folder / "bin" / f"python{version}"


def _says(python: Path) -> str:
    try:
        done = subprocess.run(
            [python, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()
