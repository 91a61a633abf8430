"""Keeps recordings as files, when the user asks for it by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.array_file import MODE, belong_to_folder
from edge_runtime.wave_file import write_wave

FOLDER_MODE = 0o700


class Recordings:
    """A folder that gets LABEL/FILE.wav, which its owner alone can read.

    Parameters
    ----------
    folder : Path
        Where.
    sample_rate : int
        Of the samples.

    Raises
    ------
    SerEdgeError
        When nothing can be written there.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self._folder = folder
        self._sample_rate = sample_rate
        try:
            _make(folder)
            probe = folder / ".probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise SerEdgeError(
                f"--keep-audio {folder}: cannot be written to ({error.strerror or error})"
            ) from error

    def write(self, label: str, name: str, samples: NDArray[np.float32]) -> None:
        """Write a recording, in place of an earlier one, which stays when writing fails.

        Raises
        ------
        SerEdgeError
            When it cannot be written.
        """
        path = self._folder / label / f"{name}.wav"
        try:
            _make(path.parent)
            with replacing(path) as temporary:
                write_wave(temporary, samples, self._sample_rate, MODE)
                belong_to_folder(temporary)
        except OSError as error:
            raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(FOLDER_MODE, parents=True)
        belong_to_folder(folder)
