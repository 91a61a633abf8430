"""The microphone through real PortAudio, ALSA and PulseAudio; only the sound card is missing.

Everything runs in child processes: PortAudio reads the environment when it is loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.sources import AudioFile

ROOT = Path(__file__).parents[2]
RATE = 16000
RECORD = """
import sys
from edge_runtime.sources import Microphone
wanted = int(sys.argv[1])
with Microphone("pulse") as microphone:
    for chunk in microphone.chunks():
        sys.stdout.buffer.write(chunk.tobytes())
        sys.stdout.buffer.flush()
        wanted -= len(chunk)
        if wanted <= 0:
            break
    print(microphone.device_rate, microphone.channels, microphone.overflows, file=sys.stderr)
"""
# The virtual device takes any setting; this one is as choosy as some hardware.
CHOOSY = """
import sounddevice
Real = sounddevice.InputStream
def choosy(**settings):
    if settings["samplerate"] == 16000:
        raise sounddevice.PortAudioError("Invalid sample rate", -9997)
    if settings["channels"] == 1:
        raise sounddevice.PortAudioError("Invalid number of channels", -9998)
    return Real(**settings)
sounddevice.InputStream = choosy
"""
REFUSED = """
import sys
from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import Microphone
try:
    Microphone(*map(eval, sys.argv[1:]))
except SerEdgeError as error:
    print(error)
"""


def run(script: str, *arguments: str, env: dict[str, str]) -> str:
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def record(microphone, path: Path, seconds: float, script: str = RECORD) -> tuple[np.ndarray, str]:
    """Samples that a child recorded while the file was played, and what it said at the end."""
    command = [sys.executable, "-c", script, str(int(seconds * RATE))]
    child = subprocess.Popen(
        command,
        bufsize=0,  # what a buffer held, communicate() would lose
        env=microphone.env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    first = child.stdout.read(4)  # the stream runs
    player = microphone.play(path)
    rest, said = child.communicate(timeout=60)
    player.wait(timeout=60)
    assert child.returncode == 0, said
    return np.frombuffer(first + rest, dtype=np.float32), said.decode()


@pytest.fixture
def tone_file(tmp_path) -> Path:
    path = tmp_path / "tone.wav"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(5 * RATE) / RATE)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((32767 * tone).astype("<i2").tobytes())
    return path


def assert_is_the_tone(samples: np.ndarray) -> None:
    middle = samples[2 * RATE : 3 * RATE]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(RATE)))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_devices_are_listed(virtual_microphone):
    script = """
import dataclasses, json
from edge_runtime.sources import list_devices
print(json.dumps([dataclasses.asdict(device) for device in list_devices()]))
"""
    devices = json.loads(run(script, env=virtual_microphone.env))
    assert {"pulse", "default"} <= {device["name"] for device in devices}
    assert [device["name"] for device in devices if device["is_default"]] == ["default"]
    assert all(device["input_channels"] > 0 for device in devices)
    assert {device["host_api"] for device in devices} == {"ALSA"}


def test_records_a_tone_with_its_frequency_and_level(virtual_microphone, tone_file):
    samples, said = record(virtual_microphone, tone_file, 4.0)
    assert_is_the_tone(samples)
    assert said.split() == ["16000", "1", "0"]


def test_a_device_that_refuses_is_resampled_and_averaged(virtual_microphone, tone_file):
    pytest.importorskip("soxr")
    samples, said = record(virtual_microphone, tone_file, 4.0, CHOOSY + RECORD)
    assert_is_the_tone(samples)
    assert said.split() == ["44100", "2", "0"]


def test_a_device_that_refuses_needs_soxr(virtual_microphone):
    script = "import sys\nsys.modules['soxr'] = None\n" + CHOOSY + REFUSED
    line = run(script, "'pulse'", env=virtual_microphone.env)
    assert line.startswith("microphone 'pulse': is sampled at 44100 Hz; converting it to 16000 Hz")
    assert line.count("\n") == 1


def test_records_speech_as_it_was_played(virtual_microphone, speech_file):
    with AudioFile(speech_file, RATE) as file:
        played = np.concatenate(list(file.chunks()))
    recorded, _ = record(virtual_microphone, speech_file, len(played) / RATE + 1.0)
    size = 1 << (len(played) + len(recorded)).bit_length()
    product = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(played, size))
    lag = int(np.fft.irfft(product, size)[: len(recorded)].argmax())
    heard = recorded[lag : lag + len(played)]
    assert np.corrcoef(heard, played[: len(heard)])[0, 1] > 0.95
    assert heard.std() == pytest.approx(played.std(), rel=0.1)


@pytest.mark.parametrize("wanted", ["'default'", "'DEFAULT'", "'pul'", "0", "'0'", "None"])
def test_a_device_is_found_by_number_name_or_part_of_it(virtual_microphone, wanted):
    script = "import sys\nfrom edge_runtime.sources import Microphone\n"
    script += "with Microphone(eval(sys.argv[1])) as m: print(len(next(m.chunks())))"
    assert run(script, wanted, env=virtual_microphone.env) == "1600\n"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("'no such thing'", "there is no input device with 'no such thing' in its name"),
        ("99", "there is no input device with number 99"),
        ("'99'", "there is no input device with number 99"),
        ("-1", "there is no input device with number -1"),
        ("''", "there is no input device with '' in its name"),
        ("'u'", "2 input devices have 'u' in their name (0 'pulse', 1 'default')"),
    ],
)
def test_a_device_that_is_not_one_is_one_line(virtual_microphone, wanted, expected):
    line = run(REFUSED, wanted, env=virtual_microphone.env)
    assert expected in line
    assert line.count("\n") == 1
    assert "ser-edge devices" in line or "give the number" in line


def test_a_reader_that_falls_behind_loses_the_oldest_sound_and_knows(virtual_microphone):
    script = """
import time
from edge_runtime.sources import microphone
microphone.QUEUE_SECONDS = 0.5
with microphone.Microphone("pulse") as source:
    chunks = source.chunks()
    next(chunks)
    while source.overflows < 10:
        time.sleep(0.05)
    print(source.overflows, source.gaps)
    next(chunks)
    next(chunks)
    print(source.gaps)
"""
    before, after = run(script, env=virtual_microphone.env).splitlines()
    assert before.split()[1] == "0"
    assert int(after) >= 1


def test_a_pulled_plug_is_one_line_and_a_replug_works(virtual_microphone):
    script = """
import time
from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import Microphone
with Microphone("pulse") as microphone:
    try:
        for n, chunk in enumerate(microphone.chunks()):
            if n == 0:
                print("hears", flush=True)
    except SerEdgeError as error:
        print(error, flush=True)
input()
try:
    Microphone("pulse")
except SerEdgeError as error:
    print(error, flush=True)
input()
with Microphone("pulse") as microphone:
    print(len(next(microphone.chunks())), flush=True)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        env=virtual_microphone.env,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout.readline() == "hears\n"
    virtual_microphone.unplug()
    try:
        stalled = child.stdout.readline()
        child.stdin.write("\n")
        child.stdin.flush()
        refused = child.stdout.readline()
    finally:
        virtual_microphone.plug_in()
    again, _ = child.communicate("\n", timeout=60)
    assert stalled.startswith("microphone 'pulse': delivered no sound for 3 s: ")
    assert refused.startswith(("microphone 'pulse': cannot be opened: ", "no microphone", "--dev"))
    assert again == "1600\n"


def test_no_microphone_at_all_is_one_line(tmp_path):
    if find_library("portaudio") is None:
        pytest.skip("PortAudio is not installed")
    pytest.importorskip("sounddevice")
    config = tmp_path / "asound.conf"
    config.write_text("pcm.absent { type hw card 31 }\n")
    line = run(REFUSED, env={**os.environ, "ALSA_CONFIG_PATH": str(config)})
    assert line.startswith("no microphone: the sound system lists no input device")
    assert line.count("\n") == 1


def test_without_portaudio_the_package_is_named():
    pytest.importorskip("sounddevice")
    script = "import ctypes.util\nctypes.util.find_library = lambda name: None\n" + REFUSED
    line = run(script, env=dict(os.environ))
    assert "sudo apt-get install libportaudio2" in line
    assert line.count("\n") == 1


def test_without_sounddevice_the_package_is_named():
    script = "import sys\nsys.modules['sounddevice'] = None\n" + REFUSED
    line = run(script, env=dict(os.environ))
    assert "pip install sounddevice" in line
    assert line.count("\n") == 1
