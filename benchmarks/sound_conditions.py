"""The conditions that models are judged in: noise at a signal-to-noise ratio, and rooms."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.nonspeech import JOIN_SECONDS, NOISE, looped
from edge_runtime.errors import SerEdgeError
from train.audio import read_utterance
from train.augment_audio import add_noise, reverberate
from train.gate_sounds import ACTIVE_RANGE_DB, ROOMS

Audio = NDArray[np.float32]

SNRS_DB = (20, 10, 5, 0)
# Where each noise is in the corpora's folder; one of several files is all of them in a row.
NOISES = {
    "babble": "JonBoley-noises/babble.*",
    "factory": "JonBoley-noises/factory1.*",
    "car": "JonBoley-noises/volvo.*",
    "rain": "ESC-10/*_Rain/*.*",
    "dishes": "speech_commands_background/doing_the_dishes.*",
}
FRAME_SECONDS = 0.032
CACHED_SOUNDS = 32
PROTOCOL = (
    "Noise ({noises}) at {snrs} dB: the mean power of the speech over its active part, the frames "
    "of {frame:.0f} ms within {reach:.0f} dB of the loudest, above the mean power of the noise, "
    "which lasts as long as the sound and begins at a moment drawn for each utterance and noise, "
    "the same at every ratio. Rooms: convolved with each impulse response, its direct path moved "
    "to time 0, at the mean power of before. What would pass full scale is scaled down as a whole"
)


@dataclass(frozen=True)
class Condition:
    """What is done to a sound before a model hears it.

    Attributes
    ----------
    name : str
        To stand beside figures.
    group : str
        What it is averaged with: "clean", the ratio of noises, or "rooms".
    files : tuple of Path
        The noise, clips in a row, or the one room impulse response; none where it is clean.
    snr_db : float or None
        Of a noise; None in a room.
    """

    name: str
    group: str
    files: tuple[Path, ...] = ()
    snr_db: float | None = None


CLEAN = Condition("clean", "clean")


def find_conditions(corpora: Path, kinds: Sequence[str]) -> list[Condition]:
    """Give the conditions of some kinds, clean first whether or not it is among them.

    Parameters
    ----------
    corpora : Path
        Folder that holds noise/ and rir/.
    kinds : sequence of {"clean", "noise", "rooms"}
        Which.

    Raises
    ------
    SerEdgeError
        When a noise or all impulse responses are missing.
    """
    found = [CLEAN]
    if "noise" in kinds:
        found += _noises(corpora / NOISE)
    if "rooms" in kinds:
        found += _rooms(corpora / ROOMS)
    return found


def _noises(folder: Path) -> list[Condition]:
    files = {name: tuple(sorted(folder.glob(pattern))) for name, pattern in NOISES.items()}
    for name, pattern in NOISES.items():
        if not files[name]:
            raise SerEdgeError(
                f"{folder}: no {name} ({pattern}); put it there, or leave noise out of --conditions"
            )
    return [
        Condition(f"{name} {snr} dB", f"{snr} dB", files[name], float(snr))
        for snr in SNRS_DB
        for name in NOISES
    ]


def _rooms(folder: Path) -> list[Condition]:
    files = sorted(path for path in folder.glob("*.*") if not path.name.startswith("."))
    if not files:
        raise SerEdgeError(
            f"{folder}: no room impulse responses; put sound files there, or leave rooms out of "
            "--conditions"
        )
    return [Condition(f"room {path.stem}", "rooms", (path,)) for path in files]


def protocol() -> str:
    """Say in words how the conditions are made."""
    return PROTOCOL.format(
        noises=", ".join(NOISES),
        snrs="/".join(map(str, SNRS_DB)),
        frame=FRAME_SECONDS * 1000.0,
        reach=ACTIVE_RANGE_DB,
    )


def active_part(speech: Audio, sample_rate: int) -> NDArray[np.bool_]:
    """Tell where in a clean recording there is speech.

    Parameters
    ----------
    speech : ndarray of float32, shape (n_samples,)
        The recording, with next to no noise.
    sample_rate : int
        Samples per second.

    Returns
    -------
    ndarray of bool, shape (n_samples,)
        True in every frame of 32 ms whose power is within 30 dB of the loudest frame's; nowhere
        in digital silence.
    """
    length = round(FRAME_SECONDS * sample_rate)
    frames = np.pad(speech, (0, -len(speech) % length)).reshape(-1, length)
    power = np.square(frames.astype(np.float64)).mean(axis=1)
    active = power > power.max(initial=0.0) * 10.0 ** (-ACTIVE_RANGE_DB / 10.0)
    return np.repeat(active, length)[: len(speech)]


def heard_in(
    condition: Condition,
    sound: Audio,
    active: NDArray[np.bool_],
    sample_rate: int,
    source: str,
) -> Audio:
    """Let a sound be heard in a condition.

    Parameters
    ----------
    condition : Condition
        Which.
    sound : ndarray of float32, shape (n_samples,)
        Clean speech, with or without silence around it.
    active : ndarray of bool, shape (n_samples,)
        Where there is speech: its level is that of this part.
    sample_rate : int
        Samples per second.
    source : str
        What the sound is: fixes, with the noise's name, the moment at which the noise begins.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        No later than it was, and no louder than full scale or than the sound itself.
    """
    if not condition.files or not active.any():
        return sound
    if condition.snr_db is None:
        changed = reverberate(sound, _recording(condition.files[0], sample_rate))
    else:
        power = np.square(sound.astype(np.float64))
        # `add_noise` counts silence in; here the level is that of the speech alone.
        share_db = 10.0 * math.log10(power.mean() / power[active].mean())
        rng = np.random.default_rng([_digest(source), _digest(condition.files[0].stem)])
        noise = _circle(condition.files, sample_rate)
        changed = add_noise(sound, noise, condition.snr_db + share_db, rng)
    limit = max(1.0, float(np.abs(sound).max()))
    scale = np.float32(min(1.0, limit / float(np.abs(changed).max())))
    return np.asarray(changed * scale, dtype=np.float32)


def _digest(text: str) -> int:
    return zlib.crc32(text.encode())


@lru_cache(maxsize=CACHED_SOUNDS)
def _recording(path: Path, sample_rate: int) -> Audio:
    return read_utterance(path, sample_rate)


@lru_cache(maxsize=CACHED_SOUNDS)
def _circle(files: tuple[Path, ...], sample_rate: int) -> Audio:
    """Clips in a row, each faded into the next and the last one into the first."""
    clips = [read_utterance(path, sample_rate) for path in files]
    n_samples = sum(len(clip) - round(JOIN_SECONDS * sample_rate) for clip in clips)
    return np.concatenate(list(looped(clips, sample_rate, n_samples / sample_rate / 60.0)))
