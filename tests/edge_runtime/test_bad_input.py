"""Whatever file it is given, ser-edge answers, or says in one line what is wrong with it."""

from __future__ import annotations

import io
import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.metadata import LABELS, UNSURE

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ANSWER = None  # in place of what the line of an error says

# Name of the file -> what classify says about it, what listen says.
CASES: dict[str, tuple[str | None, str | None]] = {
    "good.wav": (ANSWER, ANSWER),
    "stereo.wav": (ANSWER, ANSWER),
    "quiet.wav": (ANSWER, ANSWER),
    "rate_96000.wav": (ANSWER, ANSWER),
    "rate_44100.wav": (ANSWER, ANSWER),
    "aiff.wav": (ANSWER, ANSWER),
    "flac.mp3": (ANSWER, ANSWER),
    "short.wav": (ANSWER, "shorter than the model's window"),
    "very_short.wav": ("too short to classify", "shorter than the model's window"),
    "one_sample.wav": ("is silent", "shorter than the model's window"),
    "silent.wav": ("is silent", "no speech"),
    "clipped.wav": ("is clipped", ANSWER),
    "offset.wav": ("is silent", "no speech"),
    "nan.wav": ("not numbers", "not numbers"),
    "infinite.wav": ("not numbers", "not numbers"),
    "integers_as_floats.wav": ("scale its samples", "scale its samples"),
    "rate_8000.wav": ("sampled at 8000 Hz", "sampled at 8000 Hz"),
    "truncated.wav": ("truncated", "truncated"),
    "header_only.wav": ("no samples", "no samples"),
    "empty.wav": ("empty", "empty"),
    "text.wav": ("not a sound file", "not a sound file"),
    "model.wav": ("not a sound file", "not a sound file"),
    "zip.wav": ("not a sound file", "not a sound file"),
    "folder.wav": ("is a folder", "is a folder"),
    "missing.wav": ("no such file", "no such file"),
}


def float_wav(samples: np.ndarray, rate: int = 16000) -> bytes:
    body = samples.astype("<f4").tobytes()
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", 16,
                         3, 1, rate, 4 * rate, 4, 32, b"data", len(body))  # fmt: skip
    return header + body


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    speech: Callable[..., np.ndarray],
    to_wav: Callable[..., bytes],
    default_model_bytes: bytes,
) -> Path:
    """Every file of `CASES` but the missing one."""
    soundfile = pytest.importorskip("soundfile", reason="it writes the odd formats")
    pytest.importorskip("soxr", reason="it converts the sample rates")
    voice = speech(3.0)
    bad = voice.copy()
    bad[20000] = np.nan
    infinite = voice.copy()
    infinite[30000] = -np.inf

    def encoded(kind: str) -> bytes:
        file = io.BytesIO()
        soundfile.write(file, voice, 16000, format=kind)
        return file.getvalue()

    contents = {
        "good.wav": to_wav(voice),
        "stereo.wav": to_wav(np.stack((voice, 0.5 * voice), axis=1)),
        "quiet.wav": to_wav(0.01 * voice),
        "rate_96000.wav": to_wav(speech(3.0, rate=96000), 96000),
        "rate_44100.wav": to_wav(speech(3.0, rate=44100), 44100),
        "aiff.wav": encoded("AIFF"),
        "flac.mp3": encoded("FLAC"),
        "short.wav": to_wav(voice[4000:9000]),
        "very_short.wav": to_wav(voice[4000:6000]),
        "one_sample.wav": to_wav(voice[4000:4001]),
        "silent.wav": to_wav(np.zeros(48000)),
        "clipped.wav": to_wav(np.sign(voice)),
        "offset.wav": to_wav(np.full(48000, 0.5)),
        "nan.wav": float_wav(bad),
        "infinite.wav": float_wav(infinite),
        "integers_as_floats.wav": float_wav(np.round(32767 * voice)),
        "rate_8000.wav": to_wav(speech(3.0, rate=8000), 8000),
        "truncated.wav": to_wav(voice)[:50000],
        "header_only.wav": to_wav(voice[:0]),
        "empty.wav": b"",
        "text.wav": b"An interview, 21 November, two voices.\n" * 100,
        "model.wav": default_model_bytes,
        "zip.wav": b"PK\x03\x04" + bytes(1000),
    }
    made = tmp_path_factory.mktemp("sounds")
    for name, content in contents.items():
        (made / name).write_bytes(content)
    (made / "folder.wav").mkdir()
    assert set(contents) == set(CASES) - {"folder.wav", "missing.wav"}
    return made


@pytest.fixture(scope="module")
def classified(ser_edge: Run, folder: Path) -> subprocess.CompletedProcess[str]:
    """All of them in one run, in the order of `CASES`."""
    return ser_edge("classify", "--format", "jsonl", *(folder / name for name in CASES))


@pytest.mark.parametrize("name", CASES)
def test_classify_answers_or_says_what_is_wrong(
    name: str, classified: subprocess.CompletedProcess[str], folder: Path
) -> None:
    wanted = CASES[name][0]
    path = str(folder / name)
    answers = [json.loads(line) for line in classified.stdout.splitlines()]
    answers = [answer for answer in answers if answer["file"] == path]
    errors = [line for line in classified.stderr.splitlines() if path in line]
    if wanted is ANSWER:
        assert errors == []
        (answer,) = answers
        assert answer["label"] in (*LABELS, UNSURE)
        assert sum(answer["scores"].values()) == pytest.approx(1.0, abs=1e-4)
    else:
        assert answers == []
        (error,) = errors
        assert error.startswith(f"ser-edge: {path}: ")
        assert wanted in error


def test_classify_fails_when_any_file_does_and_says_nothing_else(
    classified: subprocess.CompletedProcess[str],
) -> None:
    n_bad = sum(wanted is not ANSWER for wanted, _ in CASES.values())
    assert classified.returncode == 1
    assert len(classified.stderr.splitlines()) == n_bad
    assert len(classified.stdout.splitlines()) == len(CASES) - n_bad


@pytest.mark.parametrize("name", CASES)
def test_listen_answers_or_says_what_is_wrong(name: str, ser_edge: Run, folder: Path) -> None:
    wanted = CASES[name][1]
    path = str(folder / name)
    done = ser_edge("listen", "--source", path, "--format", "jsonl", "--gate", "off")
    said = [line for line in done.stderr.splitlines() if "listening to" not in line]
    if wanted is ANSWER:
        assert (done.returncode, said) == (0, [])
        labels = {json.loads(line)["label"] for line in done.stdout.splitlines()}
        assert labels <= {*LABELS, UNSURE}
        assert done.stdout != ""
    else:
        (line,) = said
        assert line.startswith(f"ser-edge: {path}: ")
        assert wanted in line
        # A file of silence was listened to, to its end.
        assert done.returncode == (0 if wanted == "no speech" else 1)


@pytest.mark.parametrize("corpus", ["TESS", "RAVDESS", "EmoDB"])
def test_files_as_the_corpora_distribute_them_have_an_answer(
    corpus: str, corpora: Path, ser_edge: Run
) -> None:
    """Among them 96 kHz, stereo at 48 kHz, and AIFF that is named .wav."""
    paths = sorted((corpora / "originals" / corpus).rglob("*.wav"))
    if not paths:
        pytest.skip(f"SER_EDGE_CORPORA holds no originals of {corpus}")
    done = ser_edge("classify", "--format", "jsonl", *paths)
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(paths)
