"""One utterance is cut out of what is heard, and what is wrong with it is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.enrol.take import HANGOVER_SECONDS, LONGEST_SECONDS, Take, record_take
from edge_runtime.gates import make_gate
from edge_runtime.sources import read_clip
from edge_runtime.wave_file import as_stored, write_wave

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000
CHUNK = 1600


def heard(*parts: np.ndarray) -> tuple[Take, int]:
    """What is made of sound, and how many samples were taken."""
    sound = np.concatenate(parts).astype(np.float32)
    taken = 0

    def chunks() -> Iterator[np.ndarray]:
        nonlocal taken
        for first in range(0, len(sound), CHUNK):
            taken += CHUNK
            yield sound[first : first + CHUNK]

    gate = make_gate("energy", RATE, HANGOVER_SECONDS)
    return record_take(chunks(), gate, RATE, lambda _level, _is_open: None), taken


@pytest.fixture(scope="module")
def utterance() -> np.ndarray:
    """The second utterance of the bundled recording; its peak is half of full scale."""
    sound = read_clip(ROOT / "examples" / "demo.wav", RATE)[int(2.3 * RATE) : 5 * RATE]
    return 0.5 * sound / np.abs(sound).max()


def room(seconds: float, level: float = 0.001) -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, level, int(seconds * RATE))


def test_an_utterance_is_cut_out_and_its_pause_ends_it(utterance: np.ndarray) -> None:
    take, taken = heard(room(2.0), utterance, room(20.0))
    assert take.fault == ""
    assert 1.5 < take.seconds < 3.5
    # From a moment before the first word to a moment after the last.
    assert 2.0 < len(take.samples) / RATE < 4.5
    assert np.abs(take.samples).max() == pytest.approx(np.abs(utterance).max(), abs=0.01)
    # Soon after its end no more was listened to.
    assert taken < 8.0 * RATE


@pytest.mark.parametrize(
    ("sound", "fault"),
    [
        ("nothing", "silent: nothing but zeros"),
        ("nearly nothing", "silent: its peak is"),
        ("a room", "no speech in 10 s"),
        ("clipped", "clipped: "),
        ("quiet", "too quiet: its peak is"),
        ("endless", f"longer than {LONGEST_SECONDS:g} s"),
    ],
)
def test_what_is_no_good_is_said(sound: str, fault: str, utterance: np.ndarray) -> None:
    quiet_room = room(2.0, 1e-5)
    sounds = {
        "nothing": (np.zeros(12 * RATE),),
        "nearly nothing": (room(12.0, 1e-4),),
        "a room": (room(12.0, 0.01),),
        "clipped": (room(2.0), np.clip(6.0 * utterance, -1.0, 1.0), room(5.0)),
        "quiet": (quiet_room, 0.005 * utterance, quiet_room, quiet_room),
        "endless": (room(2.0), np.tile(utterance, 10)),
    }
    take, _ = heard(*sounds[sound])
    assert take.fault.startswith(fault)


def test_samples_as_stored_are_those_that_a_file_gives_back(
    speech: Callable[..., np.ndarray], tmp_path
) -> None:
    samples = 1.2 * speech(1.0) / 0.5
    write_wave(tmp_path / "one.wav", samples, RATE, 0o600)
    np.testing.assert_array_equal(read_clip(tmp_path / "one.wav", RATE), as_stored(samples))
