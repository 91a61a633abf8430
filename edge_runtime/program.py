"""What every command-line program of the project does around its main job."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable

from edge_runtime.errors import SerEdgeError
from edge_runtime.quiet import say
from edge_runtime.sources.audio_file import printable

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def run_program(
    name: str,
    make_parser: Callable[[], argparse.ArgumentParser],
    argv: list[str] | None,
    extra: str = "",
) -> int:
    """Run a program's work and turn what users can mend into one line and an exit status.

    Parameters
    ----------
    name : str
        The program's name, put before the line.
    make_parser : callable
        Gives the parser; its ``work`` default is called with the parsed arguments and returns the
        exit status.
    argv : list of str, optional
        The arguments; those of the process by default.
    extra : str
        The extra of the package that brings the libraries that the program imports.

    Returns
    -------
    int
        The status: 1 after a `SerEdgeError` or when standard output cannot be written, 130 after
        Ctrl-C, 0 when the reader of standard output went away (as ``| head`` does).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that is no text, or a label that the terminal cannot show, is escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments = _parsed(make_parser(), argv)
        status: int = arguments.work(arguments)
        if sys.stdout is not None:  # a service may have none
            sys.stdout.flush()
        return status
    except SerEdgeError as error:
        say(f"{name}: {printable(str(error))}")
        return EXIT_FAILED
    except ModuleNotFoundError as error:
        if not extra:
            raise
        say(f"{name}: {error.name} is not installed: pip install 'ser-edge[{extra}]'")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return 0
    except OSError as error:
        say(f"{name}: {_in_words(error)}")
        _discard_output()
        return EXIT_FAILED


def _in_words(error: OSError) -> str:
    """Name what could not be read or written: standard output, where a full disk names no file."""
    if error.filename is None and error.errno in FULL_DISK:
        return (
            f"standard output: cannot be written: {error.strerror}; make room, or write elsewhere"
        )
    return str(error)


def _parsed(parser: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    try:
        return parser.parse_args(argv)
    except SystemExit:
        # --help and --version end here; whether they could be written shows only now.
        if sys.stdout is not None:
            sys.stdout.flush()
        raise


def _discard_output() -> None:
    """Let what the interpreter flushes to standard output once more at exit go nowhere."""
    if sys.stdout is not None:
        # A caller within Python may have put something without a descriptor in its place.
        with contextlib.suppress(io.UnsupportedOperation):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
