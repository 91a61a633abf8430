"""``ser-edge listen`` on a real PortAudio stream: what is played is heard, classified, printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .virtual_microphone import VirtualMicrophone

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"time", "start", "end", "label", "score", "scores", "latency_ms", "model"}
PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="session")
def utterance(speech_file: Path) -> Path:
    """A real emotional utterance where the corpora are there, else synthesised speech."""
    corpora = os.environ.get("SER_EDGE_CORPORA")
    if not corpora:
        return speech_file
    return Path(corpora) / "originals" / "RAVDESS" / "03-01-05-02-01-01-12.wav"


@contextmanager
def listening(microphone: VirtualMicrophone, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``ser-edge listen`` on the virtual microphone until the block ends."""
    command = [sys.executable, "-m", "edge_runtime.cli", "listen", "--device", "pulse", *options]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=microphone.env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def play_until(
    microphone: VirtualMicrophone, path: Path, process: subprocess.Popen[str], n_lines: int
) -> list[str]:
    """Play a file again and again until the process has printed some lines, and give them."""
    lines: list[str] = []

    def read() -> None:
        for line in process.stdout:
            lines.append(line)
            if len(lines) == n_lines:
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while reader.is_alive() and time.monotonic() < deadline:
        assert microphone.play(path).wait() == 0
        reader.join(timeout=0.1)
    return lines


def test_events_come_out_while_an_utterance_is_played(
    virtual_microphone: VirtualMicrophone, utterance: Path
) -> None:
    with listening(virtual_microphone, "--format", "jsonl") as process:
        lines = play_until(virtual_microphone, utterance, process, n_lines=4)
    events = [json.loads(line) for line in lines]
    assert len(events) == 4
    for event in events:
        assert set(event) == KEYS
        assert sum(event["scores"].values()) == pytest.approx(1.0, abs=1e-4)
        assert event["end"] - event["start"] == pytest.approx(2.048)
    gaps = [later["start"] - earlier["start"] for earlier, later in zip(events, events[1:])]
    # A hop of 31 frames; where a window was silent, a whole number of them.
    assert all(gap / 0.496 == pytest.approx(round(gap / 0.496), abs=0.01) for gap in gaps)


def test_a_silent_microphone_gives_no_event(virtual_microphone: VirtualMicrophone) -> None:
    with listening(virtual_microphone, "--format", "jsonl") as process:
        assert "listening to microphone" in process.stderr.readline()
        time.sleep(4.0)
        assert process.poll() is None
        process.terminate()
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert output == ""


def test_an_interrupt_ends_it_at_once_and_in_order(virtual_microphone: VirtualMicrophone) -> None:
    with listening(virtual_microphone) as process:
        assert "listening to microphone" in process.stderr.readline()
        process.send_signal(2)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0
        assert "Traceback" not in errors


def test_an_unplugged_microphone_ends_with_one_line(
    virtual_microphone: VirtualMicrophone,
) -> None:
    with listening(virtual_microphone) as process:
        assert "listening to microphone" in process.stderr.readline()
        virtual_microphone.unplug()
        try:
            _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            virtual_microphone.plug_in()
        assert process.returncode == 1
        ours = [line for line in errors.splitlines() if line.startswith("ser-edge:")]
        assert len(ours) == 1
        assert "delivered no sound for 3 s" in ours[0]
        assert "Traceback" not in errors
