"""Fuzzes the readers of sound files: whatever the bytes, samples or one line."""

from __future__ import annotations

import os
import sys

import atheris

from tests.fuzz.one_line import require_one_line

with atheris.instrument_imports(include=["edge_runtime"]):
    from edge_runtime.errors import SerEdgeError
    from edge_runtime.sources import AudioFile

RATE = 16000
LONGEST_SECONDS = 120.0  # of what a few bytes may claim to be


def read(data: bytes) -> None:
    """Read the bytes as a sound file, in memory."""
    descriptor = os.memfd_create("fuzz")
    try:
        os.write(descriptor, data)
        with AudioFile(f"/proc/self/fd/{descriptor}", RATE) as file:
            n_samples = 0
            for chunk in file.chunks():
                n_samples += len(chunk)
                assert chunk.ndim == 1
                if n_samples > LONGEST_SECONDS * RATE:
                    break
    except SerEdgeError as error:
        require_one_line(error)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
