"""Random variation of recordings before features: other speeds, voices, rooms and noises.

Every function takes and gives mono samples, (n_samples,), and draws from the generator that it
is given, so that a seed fixes a whole training run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from train.audio import read_utterance
from train.numbers import number_from

Audio = NDArray[np.float32]

SUFFIXES = {".wav", ".flac", ".opus", ".ogg", ".mp3"}
PITCH_FFT_SECONDS = 0.064  # long enough for a low voice's harmonics, short enough for its plosives
KEPT_FILES = 64  # 20 MB, if they are of 5 s at 16 kHz


@dataclass(frozen=True)
class AudioAugmentation:
    """How many varied copies of a recording, and how far they vary; the defaults vary nothing.

    Attributes
    ----------
    copies : int
        Varied copies of each training recording, beside the recording itself.
    speed : float
        Largest relative change of speed, and with it of pitch, 0 to below 1.
    pitch_semitones : float
        Largest change of pitch at the same speed, in semitones.
    gain_db : float
        Largest change of level, in dB.
    noise : str
        Folder of noise recordings, in the corpora's folder or absolute; empty for none.
    noise_snr_db : tuple of two floats
        Range of the speech's level above the noise's, in dB.
    noise_share : float
        Share of the copies that get noise, 0 to 1.
    rir : str
        Folder of room impulse responses, in the corpora's folder or absolute; empty for none.
    rir_share : float
        Share of the copies that are put into a room, 0 to 1.
    """

    copies: int = 0
    speed: float = 0.0
    pitch_semitones: float = 0.0
    gain_db: float = 0.0
    noise: str = ""
    noise_snr_db: tuple[float, float] = (5.0, 25.0)
    noise_share: float = 0.5
    rir: str = ""
    rir_share: float = 0.5


def augment_audio(
    audio: Audio,
    sample_rate: int,
    augmentation: AudioAugmentation,
    rng: np.random.Generator,
    corpora: Path | None,
) -> Audio:
    """Vary a recording: the voice first, then the room it is in, then the noise there.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    sample_rate : int
        Samples per second.
    augmentation : AudioAugmentation
        How far to vary.
    rng : numpy.random.Generator
        Where chance comes from.
    corpora : Path or None
        Folder in which the folders of noise and impulse responses are.

    Returns
    -------
    ndarray of float32, shape (m,)
        The varied recording; m differs from n_samples when the speed does. Its peak is above 1
        only if the recording's was: it is scaled down, not clipped.

    Raises
    ------
    SerEdgeError
        When a folder of noise or impulse responses is not there or holds no sound file.
    """
    limit = max(1.0, float(np.abs(audio).max()))
    # Drawn even when unused, so that one field of the recipe leaves the others' chance alone.
    speed, pitch, gain = rng.uniform(-1.0, 1.0, 3)
    audio = change_speed(audio, 1.0 + augmentation.speed * speed)
    audio = shift_pitch(audio, sample_rate, augmentation.pitch_semitones * pitch)
    in_room, in_noise = rng.uniform(0.0, 1.0, 2) < (
        augmentation.rir_share,
        augmentation.noise_share,
    )
    if augmentation.rir and in_room:
        audio = reverberate(audio, _draw("rir", augmentation.rir, corpora, sample_rate, rng))
    if augmentation.noise and in_noise:
        noise = _draw("noise", augmentation.noise, corpora, sample_rate, rng)
        audio = add_noise(audio, noise, rng.uniform(*augmentation.noise_snr_db), rng)
    return _below(change_gain(audio, augmentation.gain_db * gain), limit)


def sources_of(augmentation: AudioAugmentation, corpora: Path | None) -> list[tuple[str, str, int]]:
    """List the recordings that an augmentation draws from: which folder, name and bytes.

    Raises
    ------
    SerEdgeError
        When a folder holds none.
    """
    folders = {field: getattr(augmentation, field) for field in ("noise", "rir")}
    return [
        (field, path.name, path.stat().st_size)
        for field, folder in folders.items()
        if folder
        for path in _sound_files(field, _folder(folder, corpora))
    ]


def _folder(folder: str, corpora: Path | None) -> Path:
    return Path(folder) if corpora is None else corpora / folder


def change_speed(audio: Audio, factor: float) -> Audio:
    """Play a recording faster or slower by resampling; its pitch follows.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    factor : float
        Above 1 is faster, and higher.

    Returns
    -------
    ndarray of float32, shape (about n_samples / factor,)
        The recording.

    References
    ----------
    T. Ko et al., "Audio augmentation for speech recognition", Interspeech 2015.
    """
    if factor == 1.0:
        return audio
    import soxr

    faster = soxr.resample(audio, factor, 1.0)
    # Of a handful of samples the resampler leaves none.
    return np.asarray(faster, dtype=np.float32) if len(faster) else audio


def shift_pitch(audio: Audio, sample_rate: int, semitones: float) -> Audio:
    """Raise or lower the pitch at constant speed: a phase vocoder, then resampling.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    sample_rate : int
        Samples per second.
    semitones : float
        Above 0 is higher; 12 are an octave.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        The recording.

    Raises
    ------
    SerEdgeError
        When the librosa package is not installed.
    """
    if semitones == 0.0:
        return audio
    try:
        import librosa
    except ImportError as error:
        raise SerEdgeError(
            "audio_augmentation pitch_semitones needs the librosa package: pip install librosa, "
            "or set it to 0"
        ) from error
    n_fft = 2 ** round(math.log2(PITCH_FFT_SECONDS * sample_rate))
    padded = np.pad(audio, (0, max(0, n_fft - len(audio))))
    shifted = librosa.effects.pitch_shift(padded, sr=sample_rate, n_steps=semitones, n_fft=n_fft)
    return np.asarray(shifted[: len(audio)], dtype=np.float32)


def change_gain(audio: Audio, gain_db: float) -> Audio:
    """Change a recording's level.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    gain_db : float
        By how much, in dB.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        The recording.
    """
    return np.asarray(audio * np.float32(10.0 ** (gain_db / 20.0)))


def add_noise(audio: Audio, noise: Audio, snr_db: float, rng: np.random.Generator) -> Audio:
    """Mix a noise into a recording, from a random moment of the noise on.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    noise : ndarray of float32, shape (m,)
        The noise; it starts again where it ends.
    snr_db : float
        Power of the recording above that of the noise mixed in, both as means over the
        recording's length, in dB.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        The sum; the recording itself when it or that part of the noise is digital silence.
    """
    moment = int(rng.integers(len(noise)))
    part = np.resize(np.roll(noise, -moment), len(audio))
    speech_power, noise_power = _power(audio), _power(part)
    if speech_power == 0.0 or noise_power == 0.0:
        return audio
    scale = math.sqrt(speech_power / noise_power / 10.0 ** (snr_db / 10.0))
    return np.asarray(audio + scale * part.astype(np.float64), dtype=np.float32)


def reverberate(audio: Audio, rir: Audio) -> Audio:
    """Put a recording into a room by convolution with the room's impulse response.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    rir : ndarray of float32, shape (m,)
        The room's impulse response; its largest sample is taken for the direct path.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        The recording in the room, no later and no louder than it was: the direct path is moved
        to time 0, what rings on after the end is cut, and the mean power is that of before.

    References
    ----------
    T. Ko et al., "A study on data augmentation of reverberant speech for robust speech
    recognition", ICASSP 2017.
    """
    from scipy.signal import fftconvolve

    direct = int(np.argmax(np.abs(rir)))
    # In double precision the FFT's rounding stays below the faintest float32 of the speech.
    wet = fftconvolve(audio.astype(np.float64), rir.astype(np.float64))
    wet = wet[direct : direct + len(audio)]
    power = _power(wet)
    if power == 0.0:
        return audio
    return np.asarray(wet * math.sqrt(_power(audio) / power), dtype=np.float32)


def check_audio_augmentation(augmentation: AudioAugmentation) -> None:
    """Say which field of an augmentation makes no sense.

    Raises
    ------
    SerEdgeError
        When a value is of the wrong type or out of range.
    """
    for field, (wanted, fits) in FIELDS.items():
        value = getattr(augmentation, field)
        if not fits(value):
            raise SerEdgeError(f"audio_augmentation: {field} must be {wanted}, not {value!r}")


def _draw(
    field: str, folder: str, corpora: Path | None, sample_rate: int, rng: np.random.Generator
) -> Audio:
    """Read one of a folder's sound files, each equally likely."""
    if corpora is None and not Path(folder).is_absolute():
        raise SerEdgeError(
            f"audio_augmentation: {field} is {folder!r}, a folder in the corpora's folder, "
            "which is not known; give an absolute path"
        )
    files = _sound_files(field, _folder(folder, corpora))
    return _read(files[int(rng.integers(len(files)))], sample_rate)


@lru_cache(maxsize=8)
def _sound_files(field: str, folder: Path) -> tuple[Path, ...]:
    """All sound files below a folder, in the same order on every machine."""
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not found:
        content = {"noise": "recordings of noise", "rir": "room impulse responses"}[field]
        raise SerEdgeError(
            f"{folder}: no sound files; put {content} ({', '.join(sorted(SUFFIXES))}) there, "
            f"or take {field} out of the recipe's audio_augmentation"
        )
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


@lru_cache(maxsize=KEPT_FILES)
def _read(path: Path, sample_rate: int) -> Audio:
    audio = read_utterance(path, sample_rate)
    audio.setflags(write=False)
    return audio


def _below(audio: Audio, limit: float) -> Audio:
    peak = float(np.abs(audio).max())
    return audio * np.float32(limit / peak) if peak > limit else audio


def _power(audio: NDArray[Any]) -> float:
    return float(np.mean(audio.astype(np.float64) ** 2))


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(map(number_from(-100.0, 100.0), value))
        and value[0] <= value[1]
    )


FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "copies": ("a whole number from 0 to 100", lambda v: type(v) is int and 0 <= v <= 100),
    "speed": ("a number from 0 to 0.9", number_from(0.0, 0.9)),
    "pitch_semitones": ("a number of semitones from 0 to 24", number_from(0.0, 24.0)),
    "gain_db": ("a number of dB from 0 to 100", number_from(0.0, 100.0)),
    "noise": ("a folder's name, or empty", lambda v: isinstance(v, str)),
    "noise_snr_db": ("two numbers of dB from -100 to 100, the smaller first", _is_range),
    "noise_share": ("a number from 0 to 1", number_from(0.0, 1.0)),
    "rir": ("a folder's name, or empty", lambda v: isinstance(v, str)),
    "rir_share": ("a number from 0 to 1", number_from(0.0, 1.0)),
}
