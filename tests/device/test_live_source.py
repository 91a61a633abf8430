"""A microphone that is pulled, plugged in, muted, stuck: through real PortAudio and PulseAudio.

Everything runs in child processes: PortAudio reads the environment when it is loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.sources.vital_signs import VitalSigns

from .virtual_microphone import VirtualMicrophone, pipewire_missing

ROOT = Path(__file__).parents[2]
RATE = 16000
PATIENCE_SECONDS = 40.0
# Prints a line of JSON for each report, each gap and each change between sound and quiet, and at
# the end. Its standard input ends it.
CHILD = """
import json, sys, threading, time
import numpy as np
from pathlib import Path
from edge_runtime.errors import SerEdgeError
from edge_runtime.reader import Reader
from edge_runtime.sources import LiveMicrophone, live

settings, tweaks = map(json.loads, sys.argv[1:])
if "cards" in tweaks:
    live.SOUND_CARDS = Path(tweaks["cards"])
    live.RETRY_SECONDS = dict.fromkeys(live.RETRY_SECONDS, (60.0, 60.0))

def say(**what):
    print(json.dumps({"at": time.monotonic(), **what}), flush=True)

source = LiveMicrophone("pulse", report=lambda state, line: say(state=state, line=line), **settings)
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
with Reader(source) as reader:
    reader.start()
    loud, first = False, True
    while not stop.is_set():
        chunk = reader.take(0.1)
        if chunk is None:
            continue
        if first:
            say(first=len(chunk.samples), rate=source._microphone.device_rate)
        first = False
        if chunk.gap:
            say(gap=source.gaps)
        now_loud = bool(np.abs(chunk.samples).max() > 0.05)
        if now_loud != loud:
            say(loud=now_loud)
        loud = now_loud
    asked = time.monotonic()
say(closed_in=time.monotonic() - asked, overflows=source.overflows, name=source.device_name)
"""


class Live:
    """A child that listens to the virtual microphone, and what it has said."""

    def __init__(self, env: dict[str, str], settings: dict[str, Any], tweaks: dict[str, Any]):
        self.said: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps(settings), json.dumps(tweaks)],
            env=env,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def states(self) -> list[str]:
        return [line["state"] for line in self.said if "state" in line]

    def expect(self, after: int = 0, **what: Any) -> int:
        """Wait for a line that says this, from a place in `said` on; the place behind it."""

        def place() -> int | None:
            for n, line in enumerate(self.said[after:], after):
                if what.items() <= line.items():
                    return n + 1
            return None

        with self._news:
            self._news.wait_for(place, PATIENCE_SECONDS)
        found = place()
        assert found is not None, f"never said {what}: {self.said}"
        return found

    def stop(self) -> dict[str, Any]:
        """End it in order; its last line."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.wait(timeout=PATIENCE_SECONDS) == 0
        self.expect(name="pulse")
        return self.said[-1]

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._news:
                self.said.append(json.loads(line))
                self._news.notify_all()


@contextmanager
def live(
    microphone: VirtualMicrophone, tweaks: dict[str, Any] | None = None, **settings: Any
) -> Iterator[Live]:
    child = Live(microphone.env, settings, tweaks or {})
    try:
        yield child
    finally:
        child.process.kill()
        child.process.communicate()


@pytest.fixture
def plugged(virtual_microphone: VirtualMicrophone) -> Iterator[VirtualMicrophone]:
    """The virtual microphone, which is whole again after the test."""
    yield virtual_microphone
    virtual_microphone.restore()


@pytest.fixture
def pipewire() -> Iterator[VirtualMicrophone]:
    """A virtual microphone of PipeWire's."""
    lacking = pipewire_missing()
    if lacking:
        pytest.skip(f"no virtual microphone of PipeWire's: {lacking}")
    with tempfile.TemporaryDirectory(prefix="ser-edge-mic-") as folder:
        microphone = VirtualMicrophone(Path(folder), pipewire=True)
        try:
            yield microphone
        finally:
            microphone.close()


@pytest.fixture
def play(virtual_microphone: VirtualMicrophone, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start to play samples, (n,) or (n, channels), into the microphone."""
    players = []

    def start(samples: np.ndarray, rate: int = RATE) -> subprocess.Popen[bytes]:
        path = write_wav(tmp_path / f"{len(players)}.wav", samples, rate)
        players.append(virtual_microphone.play(path))
        return players[-1]

    yield start
    for player in players:
        player.kill()
        player.wait()


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.round(32767 * samples).astype("<i2").tobytes())
    return path


def noise(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, int(seconds * rate))


def test_a_pulled_microphone_is_lost_and_found_when_it_is_back(plugged, play):
    with live(plugged) as child:
        place = child.expect(state="listening")
        play(noise(120.0))
        place = child.expect(place, loud=True)
        plugged.unplug()
        place = child.expect(place, state="lost")
        assert "is it still plugged in?" in child.said[place - 1]["line"]
        plugged.plug_in()
        place = child.expect(place, state="listening")
        gap = child.expect(gap=1)
        play(noise(120.0))
        child.expect(max(place, gap), loud=True)
        # Quiet before the noise may have been "silent".
        states = [state for state in child.states if state != "silent"]
        assert states[:3] == ["listening", "lost", "listening"]
        assert child.stop()["closed_in"] < 1.0


def test_a_microphone_that_is_missing_at_the_start_is_waited_for(plugged):
    plugged.unplug()
    with live(plugged, wait=True) as child:
        place = child.expect(state="lost")
        plugged.plug_in()
        child.expect(place, state="listening")
        child.expect(first=1600)
        assert child.states[:2] == ["lost", "listening"]
        assert all("gap" not in line for line in child.said)


def test_a_microphone_that_is_missing_at_the_start_is_an_error_without_wait(plugged):
    plugged.unplug()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from edge_runtime.errors import SerEdgeError\n"
            "from edge_runtime.sources import LiveMicrophone\n"
            "try:\n    LiveMicrophone('pulse')\n"
            "except SerEdgeError as error:\n    print(error)",
        ],
        env=plugged.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be opened" in done.stdout
    assert done.stdout.count("\n") == 1


def test_a_sound_server_that_is_restarted_is_found_again(plugged):
    with live(plugged) as child:
        place = child.expect(state="listening")
        plugged.kill_server()
        place = child.expect(place, state="lost")
        plugged.start_server()
        child.expect(place, state="listening")
        child.expect(gap=1)


def test_a_sound_server_that_hangs_is_noticed_and_does_not_hold_the_process(plugged):
    with live(plugged) as child:
        place = child.expect(state="listening")
        plugged.hang()
        try:
            place = child.expect(place, state="lost")
            assert "delivered no sound for 2.5 s" in child.said[place - 1]["line"]
            # PortAudio now waits for the server, for ever.
            assert child.stop()["closed_in"] < 1.5
        finally:
            plugged.go_on()


def test_a_sound_server_that_hung_is_heard_again(plugged):
    with live(plugged) as child:
        place = child.expect(state="listening")
        plugged.hang()
        try:
            place = child.expect(place, state="lost")
        finally:
            plugged.go_on()
        child.expect(place, state="listening")
        child.expect(gap=1)


def test_exact_zeros_are_silent_and_passed_on_and_the_device_opened_anew(plugged, play):
    with live(plugged) as child:
        child.expect(first=1600)
        place = child.expect(state="silent")
        assert "zeros" in child.said[place - 1]["line"]
        # The device was opened anew: the zeros before and after do not follow on.
        place = child.expect(place, gap=1)
        play(noise(60.0))
        place = child.expect(place, state="listening")
        child.expect(place, loud=True)
        assert child.states == ["listening", "silent", "listening"]


@pytest.mark.parametrize("kind", ["constant", "loop"])
def test_a_frozen_microphone_is_noticed_and_held_back(plugged, play, kind):
    stuck = np.full(60 * RATE, 0.25) if kind == "constant" else np.resize(noise(0.3), 60 * RATE)
    with live(plugged) as child:
        child.expect(state="listening")
        player = play(stuck)
        place = child.expect(state="frozen")
        child.expect(loud=True)
        player.kill()
        play(noise(60.0, seed=1))
        child.expect(place, state="listening")
        child.expect(gap=1)


def test_pipewire_moves_to_another_source_and_back(pipewire, tmp_path):
    sound = write_wav(tmp_path / "noise.wav", noise(60.0))
    with live(pipewire) as child:
        child.expect(state="listening")
        player = pipewire.play(sound)
        place = child.expect(loud=True)
        player.kill()
        # Its session manager moves the stream to a source that is left, which gives zeros.
        pipewire.unplug()
        place = child.expect(place, state="silent")
        pipewire.plug_in()
        player = pipewire.play(sound)
        place = child.expect(place, state="listening")
        child.expect(place, loud=True)
        player.kill()


def test_pipewire_that_is_restarted_is_found_again(pipewire):
    with live(pipewire) as child:
        place = child.expect(state="listening")
        pipewire.kill_server()
        place = child.expect(place, state="lost")
        pipewire.start_server()
        child.expect(place, state="listening")
        child.expect(gap=1)


def test_another_rate_and_the_wanted_channel(plugged, play):
    plugged.unplug()
    plugged.plug_in(rate=44100, channels=2)
    right_only = np.stack([np.zeros(60 * 44100), noise(60.0, rate=44100)], axis=1)
    with live(plugged, channel=1) as right, live(plugged, channel=0) as left:
        right.expect(state="listening")
        left.expect(state="listening")
        play(right_only, rate=44100)
        right.expect(loud=True)
        left.expect(state="silent")
        assert all("loud" not in line for line in left.said)


def test_a_channel_that_the_device_has_not_is_one_line(plugged):
    script = """
from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import Microphone
try:
    Microphone("pulse", channel=99)
except SerEdgeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=plugged.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "channel 99 was asked for, but it has 32, counted from 0" in done.stdout
    assert done.stdout.count("\n") == 1


def test_a_reader_that_was_stopped_counts_what_was_lost(plugged):
    script = """
import time
from edge_runtime.sources import LiveMicrophone, microphone
microphone.QUEUE_SECONDS = 0.5
with LiveMicrophone("pulse") as source:
    chunks = (chunk for chunk in source.chunks() if len(chunk))
    next(chunks)
    while source.overflows < 10:
        time.sleep(0.05)
    print(source.gaps)
    next(chunks)
    print(source.gaps)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=plugged.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0", "1"]


CLOSE = """
import json, sys, threading, time
from edge_runtime.sources import LiveMicrophone
reached = threading.Event()
source = LiveMicrophone(
    "pulse", report=lambda state, _: state == sys.argv[1] and reached.set(), wait=True
)
ended = []
def read():
    for chunk in source.chunks():
        pass
    ended.append(time.monotonic())
thread = threading.Thread(target=read)
thread.start()
print("started", flush=True)
assert reached.wait(30.0)
asked = time.monotonic()
source.close()
thread.join(30.0)
print(ended[0] - asked)
"""


@pytest.mark.parametrize("state", ["listening", "silent", "frozen", "lost"])
def test_close_from_another_thread_ends_the_chunks_in_every_state(plugged, play, state):
    if state == "lost":
        plugged.unplug()
    if state == "frozen":
        play(np.full(60 * RATE, 0.25))
    done = subprocess.run(
        [sys.executable, "-c", CLOSE, state],
        env=plugged.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # The wait between two attempts to open is 1 s and more.
    assert float(done.stdout.split()[1]) < 0.9


def test_a_sound_card_that_comes_ends_a_long_wait(plugged, tmp_path):
    assert PATIENCE_SECONDS < 60.0
    cards = tmp_path / "snd"
    cards.mkdir()
    plugged.unplug()
    with live(plugged, {"cards": str(cards)}, wait=True) as child:
        place = child.expect(state="lost")
        plugged.plug_in()
        (cards / "pcmC1D0c").touch()
        # The next attempt would come after 60 s, when nobody waits for it any more.
        child.expect(place, state="listening")


def test_a_sound_card_that_comes_opens_a_silent_device_anew(plugged, tmp_path):
    cards = tmp_path / "snd"
    cards.mkdir()
    with live(plugged, {"cards": str(cards)}) as child:
        child.expect(state="silent")
        assert all("gap" not in line for line in child.said)
        (cards / "pcmC1D0c").touch()
        child.expect(gap=1)


def test_a_missing_package_is_not_waited_for():
    script = """
import sys
sys.modules["sounddevice"] = None
del sys.modules["sounddevice"]
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "sounddevice":
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import LiveMicrophone
try:
    next(LiveMicrophone(wait=True).chunks())
except SerEdgeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=dict(os.environ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "the microphone needs the sounddevice package: pip install sounddevice\n"


def verdicts(sound: np.ndarray, block: int = 1600, rate: int = RATE) -> list[str | None]:
    signs = VitalSigns(rate)
    sound = np.asarray(sound, dtype=np.float32)
    return [signs.push(sound[n : n + block]) for n in range(0, len(sound) - block + 1, block)]


@pytest.mark.parametrize("block", [800, 1600, 4000])
@pytest.mark.parametrize("period", [1, 7, 1024, 1600, 4096, 16000])
def test_a_sound_that_begins_to_repeat_is_found_within_three_seconds(period, block):
    living = noise(5.0, seed=3)
    stuck = np.resize(noise(1.0, seed=4)[:period], 3 * RATE)
    said = verdicts(np.concatenate([living, stuck]), block)
    n_living = 5 * RATE // block
    assert {verdict for verdict in said[:n_living] if verdict} == {"alive"}
    assert said[n_living:].count("frozen") >= 1


def test_zeros_are_silent_and_one_sample_that_is_not_is_alive():
    sound = np.zeros(6 * RATE)
    assert {verdict for verdict in verdicts(sound) if verdict} == {"silent"}
    sound[5 * RATE] = 1.0 / 32768
    assert [verdict for verdict in verdicts(sound) if verdict][-1] == "alive"


def test_a_quiet_room_and_a_clipped_voice_are_alive():
    rng = np.random.default_rng(5)
    room = np.round(rng.normal(scale=0.6, size=8 * RATE)) / 32768  # a bit or none
    voice = np.clip(5.0 * np.sin(np.cumsum(rng.normal(0.06, 0.03, size=8 * RATE))), -1.0, 1.0)
    for sound in (room, voice):
        assert {verdict for verdict in verdicts(sound) if verdict} == {"alive"}
