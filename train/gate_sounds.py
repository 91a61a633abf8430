"""The sounds that the speech gate is fitted on: speech as a room hears it, and all that is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from train.audio import read_utterance
from train.augment_audio import reverberate
from train.corpora import read_corpora
from train.corpora.utterance import Utterance

Audio = NDArray[np.float32]
Stream = tuple[Audio, NDArray[np.bool_]]

SAMPLE_RATE = 16000
FRAME = round(0.032 * SAMPLE_RATE)
ESC10 = Path("noise") / "ESC-10"
ROOMS = "rir"
# What may go on behind speech; the others are mixed into each other alone.
BACKGROUNDS = ("Rain", "Sea_waves", "Clock_tick", "Helicopter", "Fire_crackling")

# Utterances drawn from each corpus, of the speakers that may be fitted on: of all where none are
# named, of whom some are test speakers of today's recipes; figures of what hears them through the
# gate say so.
UTTERANCES = {"RAVDESS": 960, "TESS": 500, "EMOVO": 588, "CASIA": 500, "ASED": 800}
SPEAKERS = {
    "RAVDESS": {f"RAVDESS-{actor:02}" for actor in range(1, 17)},
    "TESS": {"TESS-OAF"},
}

CLIP_VERSIONS = 16
SYNTHETIC_NOISES = 600
NOISE_SECONDS = 5.0
ACTIVE_RANGE_DB = 30.0


def streams(corpora: Path, folds: list[int], rng: np.random.Generator) -> Iterator[Stream]:
    """Draw sounds to fit the gate on.

    Parameters
    ----------
    corpora : Path
        Folder of the corpora, with ESC-10 in noise/ and room impulse responses in rir/.
    folds : list of int
        Of ESC-10, that may be fitted on.
    rng : numpy Generator
        Fixes what is drawn.

    Yields
    ------
    sound : ndarray of float32, shape (n_samples,)
        At 16 kHz.
    active : ndarray of bool, shape (n_samples // 512,)
        Whether there is speech, for every 32 ms.

    Raises
    ------
    SerEdgeError
        When a corpus, the clips of ESC-10 or the impulse responses are missing.
    """
    sounds = [(name, read_utterance(path, SAMPLE_RATE)) for name, path in esc10(corpora, folds)]
    rooms = [read_utterance(path, SAMPLE_RATE) for path in sorted((corpora / ROOMS).glob("*"))]
    for found, folder, what in (
        (sounds, ESC10, f"clips of ESC-10's folds {folds}"),
        (rooms, ROOMS, "room impulse responses"),
    ):
        if not found:
            raise SerEdgeError(f"{corpora / folder}: holds no {what}; put them there")
    backgrounds = [sound for name, sound in sounds if name in BACKGROUNDS]
    for utterance in _utterances(corpora, rng):
        speech = read_utterance(utterance.path, SAMPLE_RATE)
        yield _with_noise(speech, backgrounds, rooms, rng)
    noises = [sound for _, sound in sounds]
    for noise in noises:
        for _ in range(CLIP_VERSIONS):
            yield _without_speech(_varied(noise, noises, rooms, rng), rng)
    for _ in range(SYNTHETIC_NOISES):
        yield _without_speech(_synthetic(rng), rng)


def esc10(corpora: Path, folds: list[int]) -> list[tuple[str, Path]]:
    """Class and file of the clips of some folds: the number that a file's name begins with."""
    return [
        (path.parent.name.split("_-_")[-1], path)
        for path in sorted((corpora / ESC10).glob("*/*"))
        if path.name.partition("-")[0] in map(str, folds)
    ]


def _utterances(corpora: Path, rng: np.random.Generator) -> Iterator[Utterance]:
    for corpus, number in UTTERANCES.items():
        speakers = SPEAKERS.get(corpus)
        of_corpus = [
            one
            for one in read_corpora(corpora, [corpus])
            if speakers is None or one.speaker in speakers
        ]
        yield from (of_corpus[index] for index in rng.permutation(len(of_corpus))[:number])


def _with_noise(
    speech: Audio, backgrounds: list[Audio], rooms: list[Audio], rng: np.random.Generator
) -> Stream:
    """An utterance between pauses, at some distance, at some level, above some noise."""
    before, after = (_pause(rng.uniform(0.3, 1.5)) for _ in range(2))
    speech = np.concatenate((before, speech, after))
    power = np.square(_frames(speech)).mean(axis=1)
    active = power > power.max() * 10.0 ** (-ACTIVE_RANGE_DB / 10.0)
    if rng.random() < 0.4:
        speech = reverberate(speech, rooms[rng.integers(len(rooms))])
    level = rng.uniform(-48.0, -12.0)
    snr = rng.uniform(25.0, 60.0) if rng.random() < 0.4 else rng.uniform(4.0, 25.0)
    noise = coloured_noise(rng) if rng.random() < 0.5 else _any_of(backgrounds, rng)
    noise = np.resize(np.roll(noise, rng.integers(len(noise))), len(speech))
    return at_level(speech, level) + at_level(noise, level - snr), active


def _without_speech(sound: Audio, rng: np.random.Generator) -> Stream:
    sound = at_level(sound, rng.uniform(-48.0, -8.0))
    return sound, np.zeros(len(sound) // FRAME, dtype=np.bool_)


def _varied(
    sound: Audio, others: list[Audio], rooms: list[Audio], rng: np.random.Generator
) -> Audio:
    """A clip from another moment on; at times in a room, at another speed, with another clip."""
    sound = np.roll(sound, rng.integers(len(sound)))
    if rng.random() < 0.5:
        places = np.arange(0.0, len(sound) - 1.0, rng.uniform(0.75, 1.33))
        sound = np.interp(places, np.arange(len(sound)), sound).astype(np.float32)
    if rng.random() < 0.2:
        sound = reverberate(sound, rooms[rng.integers(len(rooms))])
    if rng.random() < 0.3:
        other = np.resize(_any_of(others, rng), len(sound))
        sound = sound + at_level(other, level_of(sound) - rng.uniform(0.0, 20.0))
    return sound


def _synthetic(rng: np.random.Generator) -> Audio:
    make = (coloured_noise, _modulated_noise, _chords, _engine, _crackle)[rng.integers(5)]
    return make(rng)


def coloured_noise(rng: np.random.Generator) -> Audio:
    """Noise with a spectrum that falls or rises steadily: hiss, wind, a distant road."""
    n_samples = int(NOISE_SECONDS * SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.normal(size=n_samples))
    hz = np.fft.rfftfreq(n_samples, 1.0 / SAMPLE_RATE) + 20.0
    noise = np.fft.irfft(spectrum * hz ** rng.uniform(-1.5, 0.3), n_samples)
    return np.asarray(noise / noise.std(), dtype=np.float32)


def _modulated_noise(rng: np.random.Generator) -> Audio:
    noise = coloured_noise(rng)
    envelope = np.sin(2.0 * np.pi * rng.uniform(0.2, 8.0) * _time(len(noise)))
    envelope = np.maximum(envelope, rng.uniform(-1.0, 0.5))
    return np.asarray(noise * (envelope - envelope.min() + 0.02), dtype=np.float32)


def _chords(rng: np.random.Generator) -> Audio:
    """Notes and chords that ring, as of instruments, bells and signals."""
    noise = coloured_noise(rng)
    tone = np.zeros(len(noise))
    length, decay = rng.uniform(0.1, 1.5), rng.uniform(0.0, 8.0)
    note = int(length * SAMPLE_RATE)
    for start in range(0, len(tone), note):
        here = _time(min(note, len(tone) - start))
        for _ in range(rng.integers(1, 4)):
            pitch = 55.0 * 2.0 ** (rng.integers(0, 60) / 12.0)
            slope = rng.uniform(1.0, 2.0)
            for order in range(1, min(12, int(7500.0 / pitch) + 1)):
                partial = np.sin(2.0 * np.pi * order * pitch * here + rng.uniform(0.0, 6.3))
                tone[start : start + len(here)] += np.exp(-decay * here) * partial / order**slope
    mixed = tone / tone.std() + noise * 10.0 ** rng.uniform(-3.0, -0.5)
    return np.asarray(mixed, dtype=np.float32)


def _engine(rng: np.random.Generator) -> Audio:
    """Pulses at a rate that wanders, through two fixed resonances, with noise."""
    noise = coloured_noise(rng)
    time = _time(len(noise))
    wander = 1.0 + rng.uniform(0.0, 0.4) * np.sin(2.0 * np.pi * rng.uniform(0.1, 1.5) * time)
    phase = np.cumsum(rng.uniform(30.0, 250.0) * wander) / SAMPLE_RATE
    pulses = np.diff(np.floor(phase), prepend=0.0) * rng.uniform(0.6, 1.4, len(phase))
    spectrum = np.fft.rfft(pulses)
    hz = np.fft.rfftfreq(len(pulses), 1.0 / SAMPLE_RATE)
    gain = sum(
        1.0 / (1.0 + ((hz - rng.uniform(100.0, 4000.0)) / rng.uniform(50.0, 800.0)) ** 2)
        for _ in range(3)
    )
    sound = np.fft.irfft(spectrum * gain, len(pulses))
    return np.asarray(sound / sound.std() + noise * rng.uniform(0.03, 1.0), dtype=np.float32)


def _crackle(rng: np.random.Generator) -> Audio:
    """Clicks and knocks at random times, each ringing out at its own frequency, over noise."""
    noise = coloured_noise(rng)
    sound = noise * 10.0 ** rng.uniform(-2.5, -1.0)
    highest, decay = rng.uniform(500.0, 6000.0), rng.uniform(30.0, 400.0)
    for _ in range(rng.integers(5, 150)):
        start = rng.integers(len(sound))
        here = _time(min(SAMPLE_RATE // 4, len(sound) - start))
        ring = np.sin(2.0 * np.pi * rng.uniform(80.0, highest) * here)
        ring = 0.5 * ring + 0.5 * rng.normal(size=len(here))
        sound[start : start + len(here)] += rng.exponential() * np.exp(-decay * here) * ring
    return np.asarray(sound, dtype=np.float32)


def level_of(sound: Audio) -> float:
    """Level of the loudest tenth of the sound's frames, at its lower end, in dBFS."""
    power = 2.0 * np.square(_frames(sound)).mean(axis=1)
    return float(10.0 * np.log10(np.percentile(power, 90) + 1e-12))


def at_level(sound: Audio, dbfs: float) -> Audio:
    """The sound at another level, clipped at full scale as a converter does."""
    scaled = sound * np.float32(10.0 ** ((dbfs - level_of(sound)) / 20.0))
    return np.asarray(np.clip(scaled, -1.0, 1.0), dtype=np.float32)


def _frames(sound: Audio) -> Audio:
    return sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)


def _time(n_samples: int) -> NDArray[np.float64]:
    return np.arange(n_samples) / SAMPLE_RATE


def _pause(seconds: float) -> Audio:
    return np.zeros(int(seconds * SAMPLE_RATE), dtype=np.float32)


def _any_of(sounds: list[Audio], rng: np.random.Generator) -> Audio:
    return sounds[rng.integers(len(sounds))]
