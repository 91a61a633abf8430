"""Runs the commands of ser-edge within a notebook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(program: str, *arguments: object) -> None:
    """Run a command as one types it at a terminal, and show what it says.

    ``!ser-train ...`` would do nearly the same, but finds the command only where the environment of
    the notebook is active, and goes on as if nothing were wrong when it fails.

    Parameters
    ----------
    program : str
        ``ser-edge``, ``ser-train`` or ``ser-convert``.
    *arguments
        What follows it.

    Raises
    ------
    CalledProcessError
        When it fails.
    """
    command = [str(Path(sys.executable).with_name(program)), *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
