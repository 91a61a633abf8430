"""The doctor with a microphone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .virtual_microphone import VirtualMicrophone


def checks(microphone: VirtualMicrophone) -> tuple[int, dict[str, dict[str, str]]]:
    command = [sys.executable, "-m", "edge_runtime.cli", "doctor", "--format", "jsonl"]
    done = subprocess.run(
        [*command, "--device", "pulse"], env=microphone.env, capture_output=True, text=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {check["name"]: check for check in found}


def test_doctor_hears_a_muted_microphone(virtual_microphone: VirtualMicrophone) -> None:
    status, found = checks(virtual_microphone)
    assert status == 0
    assert "pulse" in found["microphone"]["found"]
    assert "16000 Hz" in found["sample rates"]["found"]
    assert "PulseAudio at" in found["sound system"]["found"]
    assert found["level"]["outcome"] == "warn"
    assert "muted" in found["level"]["found"]


def test_doctor_hears_speech(virtual_microphone: VirtualMicrophone, speech_file: Path) -> None:
    playing = virtual_microphone.play(speech_file)
    try:
        status, found = checks(virtual_microphone)
    finally:
        playing.kill()
        playing.wait()
    assert status == 0
    assert found["level"]["outcome"] == "ok"
    assert "dBFS" in found["level"]["found"]
