"""The sounddevice package and the PortAudio library under it."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Iterator
from typing import Any

from edge_runtime.errors import SerEdgeError
from edge_runtime.quiet import quiet_libraries


def load() -> Any:
    """Import sounddevice, which opens PortAudio.

    Returns
    -------
    module
        The sounddevice package.

    Raises
    ------
    SerEdgeError
        When the package or the library is missing, or the library cannot start.
    """
    try:
        # It does so itself, but not so that others can at the same time.
        with quiet_libraries():
            import sounddevice
    except ImportError as error:
        raise SerEdgeError(
            "the microphone needs the sounddevice package: pip install sounddevice"
        ) from error
    except OSError as error:
        raise SerEdgeError(
            "the microphone needs the PortAudio library, which is not installed: "
            "sudo apt-get install libportaudio2"
        ) from error
    except Exception as error:  # PortAudioError lives in the module that just failed to import
        raise SerEdgeError(f"the PortAudio library cannot start: {reason(error)}") from error
    return sounddevice


def rescan(sounddevice: Any) -> None:
    """Look for devices again: PortAudio lists only those present when it was opened.

    No stream may be open: they would all be closed.

    Parameters
    ----------
    sounddevice : module
        The sounddevice package.

    Raises
    ------
    SerEdgeError
        When the library cannot start again.
    """
    try:
        # sounddevice has no public names for this, its author recommends these.
        with quiet_libraries(), exit_not_held(sounddevice):
            if sounddevice._initialized:  # not when it could not start the last time
                sounddevice._terminate()
            sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise SerEdgeError(f"the PortAudio library cannot start: {reason(error)}") from error


@contextlib.contextmanager
def exit_not_held(sounddevice: Any) -> Iterator[None]:
    """Let the process end while this thread is inside PortAudio.

    A sound server that hangs keeps PortAudio waiting for ever, and sounddevice closes the library
    at exit, which would wait as well.

    Parameters
    ----------
    sounddevice : module
        The sounddevice package.
    """
    at_exit = sounddevice._exit_handler
    atexit.unregister(at_exit)
    try:
        yield
    finally:
        atexit.register(at_exit)


def reason(error: Exception) -> str:
    r"""Say in one line what PortAudio said.

    Parameters
    ----------
    error : Exception
        A PortAudioError, or another.

    Returns
    -------
    str
        Its text on one line, without a full stop.

    Examples
    --------
    >>> reason(ValueError("no\n such  device."))
    'no such device'
    """
    return " ".join(str(error).split()).rstrip(".")
