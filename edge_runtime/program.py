"""What every command-line program of the project does around its main job."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from edge_runtime.errors import SerEdgeError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def run_program(name: str, work: Callable[..., int], *arguments: Any) -> int:
    """Run a program's work and turn what users can mend into one line and an exit status.

    Parameters
    ----------
    name : str
        The program's name, put before the line.
    work : callable
        Called with `arguments`; returns the exit status.

    Returns
    -------
    int
        The status: 1 after a `SerEdgeError`, 130 after Ctrl-C, 0 when the reader of standard
        output went away (as ``| head`` does).
    """
    try:
        status = work(*arguments)
        sys.stdout.flush()
        return status
    except SerEdgeError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes standard output once more at exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
