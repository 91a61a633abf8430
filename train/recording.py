"""What one recording is like: length, level, silence, clipping."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import AudioFile

FRAME_SECONDS = 0.02
SILENCE_DB = 40.0  # below the recording's loudest frame
SILENCE_DBFS = -70.0  # whatever the loudest frame is
LEVEL_FLOOR_DBFS = -120.0


@dataclass(frozen=True)
class Recording:
    """Measures of one sound file, at its own sample rate.

    Attributes
    ----------
    seconds : float
        Length.
    sample_rate : int
        Samples per second.
    channels : int
        Their number; levels are those of their average.
    level_dbfs : float
        Root mean square relative to a full-scale sine, -120 to about 3 dB.
    peak_dbfs : float
        Largest absolute sample relative to full scale, -120 to about 0 dB.
    clipped : float
        Share of samples at or beyond 0.999 of full scale, 0 to 1.
    silence : float
        Share of frames of 20 ms that are 40 dB below the loudest one, or below -70 dBFS; 0 to 1.
    sha256 : str
        Of the file's bytes.
    """

    seconds: float
    sample_rate: int
    channels: int
    level_dbfs: float
    peak_dbfs: float
    clipped: float
    silence: float
    sha256: str


def measure_recording(path: Path) -> Recording:
    """Measure a sound file.

    Parameters
    ----------
    path : Path
        The sound file.

    Returns
    -------
    Recording
        Its measures.

    Raises
    ------
    SerEdgeError
        When training could not read the file either.
    """
    rate = sample_rate_of(path)
    with AudioFile(path, rate) as source:
        audio = np.concatenate(list(source.chunks())).astype(np.float64)
        channels, clipped = source.channels, source.clipped_share
    return Recording(
        seconds=round(len(audio) / rate, 4),
        sample_rate=rate,
        channels=channels,
        level_dbfs=_sine_dbfs(np.array([np.mean(audio**2)]))[0].round(2).item(),
        peak_dbfs=_decibels(np.abs(audio).max() ** 2).round(2).item(),
        clipped=round(clipped, 6),
        silence=round(_silence(audio, rate), 4),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def sample_rate_of(path: Path) -> int:
    """Samples per second that a file's header states.

    Raises
    ------
    SerEdgeError
        When it has no header of a sound file.
    """
    try:
        return int(soundfile.info(str(path)).samplerate)
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError) as error:
        reason = getattr(error, "error_string", "") or str(error)
        raise SerEdgeError(f"{path}: is no sound file ({reason.strip()})") from error


def _silence(audio: NDArray[np.float64], rate: int) -> float:
    length = min(len(audio), max(1, round(FRAME_SECONDS * rate)))
    whole = len(audio) // length * length
    levels = _sine_dbfs((audio[:whole].reshape(-1, length) ** 2).mean(axis=1))
    return float(np.mean(levels < max(levels.max() - SILENCE_DB, SILENCE_DBFS)))


def _sine_dbfs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Level of a mean square; that of a full-scale sine is a half."""
    return np.asarray(_decibels(2.0 * power))


def _decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10.0 * np.log10(np.maximum(power, 10.0 ** (LEVEL_FLOOR_DBFS / 10.0))))
