"""Runs the fuzzers for a moment, from good files and on; SER_EDGE_FUZZ_SECONDS makes it longer."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.metadata import read_metadata

from ..edge_runtime.conftest import synthesise_speech

ROOT = Path(__file__).resolve().parents[2]
SECONDS = int(os.environ.get("SER_EDGE_FUZZ_SECONDS", "5"))
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed; it is published for Linux on x86-64 and CPython 3.11 to 3.13",
)


def fuzz(target: str, seeds: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    found = folder / "found"
    found.mkdir()
    limits = [f"-max_total_time={SECONDS}", "-timeout=10", "-max_len=65536"]
    # Not of resident memory, whose peak a process takes over from the one that started it.
    limits += ["-rss_limit_mb=0", "-malloc_limit_mb=1000"]
    command = [sys.executable, "-m", f"tests.fuzz.{target}", *limits, "-seed=1"]
    command += [f"-artifact_prefix={folder}/", str(found), str(seeds)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    import soundfile

    folder = tmp_path / "sounds"
    folder.mkdir()
    samples = synthesise_speech(0.3)
    for name, subtype in [("a.wav", "PCM_16"), ("b.wav", "PCM_24"), ("c.wav", "FLOAT")]:
        soundfile.write(folder / name, samples, 16000, subtype=subtype)
    soundfile.write(folder / "d.wav", np.stack([samples, samples], axis=1), 44100)
    for name in ("e.flac", "f.aiff", "g.ogg"):
        soundfile.write(folder / name, samples, 16000)
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    model = DEFAULT_MODEL.read_bytes()
    # The metadata is at the end, and a zip file is read from there.
    (folder / "tail").write_bytes(b"t" + model[:64] + model[-6000:])
    (folder / "text").write_bytes(b"j" + read_metadata(DEFAULT_MODEL).to_json().encode())
    (folder / "onnx").write_bytes(b"o" + bytes(64))
    return folder


def test_any_bytes_as_a_sound_file_are_samples_or_one_line(sounds: Path, tmp_path: Path) -> None:
    done = fuzz("sound_file", sounds, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DONE" in done.stderr


def test_any_bytes_as_a_model_file_are_metadata_or_one_line(models: Path, tmp_path: Path) -> None:
    done = fuzz("metadata", models, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DONE" in done.stderr
