"""A whole guided enrolment: real utterances are played at the prompts, and then recognised."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.profiles.folder import ProfileFolder

from ..daemon import ROOT, Lines
from ..disks import fill, small_disk
from .test_listen_to_microphone import listening, played
from .virtual_microphone import VirtualMicrophone

EMOTIONS = {"neutral": "01", "happy": "03", "angry": "05"}
ACTOR = "05"
RATE = 16000


class Enrolment:
    """A running ``ser-edge enrol``, answered by the test."""

    def __init__(self, microphone: VirtualMicrophone, *arguments: object) -> None:
        self._microphone = microphone
        command = [sys.executable, "-m", "edge_runtime.cli", "enrol", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=microphone.env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.output, self.log = Lines(self.process.stdout), Lines(self.process.stderr)

    def answer(self, text: str = "") -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def say(self, path: Path | None) -> str:
        """Press Enter, play a file at the prompt (none: stay silent), and give the verdict."""
        so_far = len(self.output)
        self.answer()
        self._wait(so_far, "speak now")
        if path is not None:
            self._microphone.play(path).wait()
        return self._wait(so_far, "kept: ").strip()

    def say_and_fail(self, path: Path, reason: str) -> None:
        """Press Enter, play a file at the prompt, and hear why it cannot be kept."""
        so_far = len(self.output)
        self.answer()
        self._wait(so_far, "speak now")
        self._microphone.play(path).wait()
        assert reason in self._wait(so_far, "cannot be written")
        assert not any("kept: " in line for line in list(self.output)[so_far:])

    def retry(self) -> None:
        """Press Enter: what could not be kept is."""
        so_far = len(self.output)
        self.answer()
        self._wait(so_far, "kept: ")

    def asked_for(self) -> str:
        """The emotion that is asked for now: after the last verdict."""
        verdicts = [number for number, line in enumerate(self.output) if "kept: " in line]
        heading = self._wait(verdicts[-1] + 1 if verdicts else 0, ", as ")
        return heading.split()[1].rstrip(",").lower()

    def _wait(self, so_far: int, text: str) -> str:
        found: str = self.output.wait_for(lambda line: text in line and self._is_new(line, so_far))
        return found

    def _is_new(self, line: str, so_far: int) -> bool:
        return any(one is line for one in list(self.output)[so_far:])


@contextmanager
def enrolling(microphone: VirtualMicrophone, *arguments: object) -> Iterator[Enrolment]:
    options = ("--device", "pulse", "--emotions", ",".join(EMOTIONS))
    enrolment = Enrolment(microphone, *arguments, *options)
    try:
        yield enrolment
    finally:
        enrolment.process.kill()
        enrolment.process.wait()


@pytest.fixture(scope="module")
def utterances(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Three real utterances of each emotion by one actor, as WAV files."""
    import soundfile

    folder = tmp_path_factory.mktemp("utterances")
    found: dict[str, list[Path]] = {}
    for emotion, code in EMOTIONS.items():
        # The second intensity is the louder; neutral has the first alone.
        intensity = "01" if emotion == "neutral" else "02"
        names = f"03-01-{code}-{intensity}-*-{ACTOR}.flac"
        found[emotion] = []
        for path in sorted((corpora / "RAVDESS").rglob(names))[:3]:
            samples, rate = soundfile.read(path, dtype="float32")
            copy = folder / f"{path.stem}.wav"
            _write(copy, 0.7 * samples / np.abs(samples).max(), rate)
            found[emotion].append(copy)
    return found


def _write(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.rint(32767 * samples).astype("<i2").tobytes())


def test_a_guided_enrolment_is_used_by_listen(
    virtual_microphone: VirtualMicrophone, utterances: dict[str, list[Path]], tmp_path: Path
) -> None:
    folder, kept = tmp_path / "profiles", tmp_path / "kept"
    arguments = ("anna", "--clips", 2, "--profile-dir", folder, "--keep-audio", kept)
    with enrolling(virtual_microphone, *arguments, "--activate") as enrolment:
        for number in range(2):
            for emotion, files in utterances.items():
                assert enrolment.asked_for() == emotion
                assert enrolment.say(files[number]).startswith("kept: ")
        enrolment.answer()  # all are recorded: finish
        assert enrolment.process.wait(30) == 0
        told = "\n".join(enrolment.output.all())
    assert "anna: 6 clips (neutral 2, happy 2, angry 2)" in told
    assert "UAR" in told
    assert "Active" in told
    assert sorted(path.relative_to(kept).as_posix() for path in kept.rglob("*.wav")) == [
        f"{emotion}/anna-0{number}.wav" for emotion in sorted(EMOTIONS) for number in (1, 2)
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["active", "anna.profile"]

    options = ("--profile", "anna", "--profile-dir", str(folder), "--threshold", "0")
    with listening(virtual_microphone, *options) as daemon:
        with played(virtual_microphone, utterances["angry"][2]):
            event = daemon.wait_for_event(kind="start")
        assert event["profile"] == "anna"
        assert {label for label, score in event["scores"].items() if score > 0.0} <= set(EMOTIONS)
        assert event["label"] == "angry"


def test_bad_takes_are_refused_and_asked_for_again(
    virtual_microphone: VirtualMicrophone, utterances: dict[str, list[Path]], tmp_path: Path
) -> None:
    import soundfile

    clipped = tmp_path / "clipped.wav"
    samples, rate = soundfile.read(utterances["angry"][0], dtype="float32")
    _write(clipped, np.clip(20.0 * samples, -1.0, 1.0), rate)
    with enrolling(virtual_microphone, "anna", "--profile-dir", tmp_path / "profiles") as enrolment:
        assert enrolment.say(clipped).startswith("not kept: clipped")
        assert enrolment.say(None).startswith("not kept: silent")
        assert enrolment.asked_for() == "neutral"
        assert enrolment.say(utterances["neutral"][0]).startswith("kept: ")


def test_stopped_in_the_middle_it_goes_on_where_it_was(
    virtual_microphone: VirtualMicrophone, utterances: dict[str, list[Path]], tmp_path: Path
) -> None:
    folder = tmp_path / "profiles"
    arguments = ("anna", "--clips", 1, "--profile-dir", folder)
    with enrolling(virtual_microphone, *arguments) as enrolment:
        assert enrolment.say(utterances["neutral"][0]).startswith("kept: ")
        so_far = len(enrolment.output)
        enrolment.answer()
        enrolment._wait(so_far, "speak now")
        enrolment.process.send_signal(signal.SIGINT)  # in the middle of a recording
        assert enrolment.process.wait(30) == 130
        (line,) = enrolment.log.all()
        assert "what was recorded of anna is kept, 1 in all; the same command goes on" in line
    assert ProfileFolder(folder).names() == []
    (unfinished,) = folder.iterdir()
    assert unfinished.stat().st_mode & 0o777 == 0o600
    assert unfinished.stat().st_size < 10_000

    with enrolling(virtual_microphone, *arguments, "--format", "jsonl") as enrolment:
        assert enrolment.asked_for() == "happy"
        assert enrolment.say(utterances["happy"][0]).startswith("kept: ")
        enrolment.answer("1")  # neutral once more, or rather not
        enrolment.answer("k")
        enrolment.answer("b")
        enrolment.answer("k")
        enrolment.answer("1")  # well, yes
        assert enrolment.say(utterances["neutral"][1]).startswith("kept: ")
        assert enrolment.asked_for() == "angry"
        assert enrolment.say(utterances["angry"][0]).startswith("kept: ")
        enrolment.answer("q?")
        enrolment.answer()
        assert enrolment.process.wait(30) == 0
        lines = enrolment.output.all()
    told: dict[str, Any] = json.loads(lines[-1])
    assert told["clips"] == dict.fromkeys(EMOTIONS, 1)
    assert any("'q?' is neither" in line for line in lines)
    assert [path.name for path in folder.iterdir()] == ["anna.profile"]


def wav_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.wav")}


def test_a_disk_that_fills_under_the_recordings_loses_none(
    virtual_microphone: VirtualMicrophone, utterances: dict[str, list[Path]], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", kib=1000) as kept:
        filler = kept / "filler"
        arguments = ("anna", "--clips", 1, "--profile-dir", tmp_path / "profiles")
        with enrolling(virtual_microphone, *arguments, "--keep-audio", kept) as enrolment:
            assert enrolment.say(utterances["neutral"][0]).startswith("kept: ")
            first = wav_files(kept)
            fill(filler)
            enrolment.say_and_fail(utterances["happy"][0], "happy/anna-01.wav: cannot be written")
            assert wav_files(kept) == first
            filler.unlink()
            enrolment.retry()
            assert set(wav_files(kept)) == {*first, "happy/anna-01.wav"}
            fill(filler)
            enrolment.answer("1")
            enrolment.say_and_fail(utterances["neutral"][1], "No space left on device")
            enrolment.answer("q")
            assert enrolment.process.wait(30) == 1
            (line,) = enrolment.log.all()
        assert "is kept, 2 in all, but not the last, which could not be written" in line
        assert first.items() <= wav_files(kept).items()  # what was to be replaced is there still


def test_a_disk_that_is_full_at_the_end_loses_no_recording(
    virtual_microphone: VirtualMicrophone, utterances: dict[str, list[Path]], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", kib=200) as disk:
        filler, folder = disk / "filler", disk / "profiles"
        arguments = ("anna", "--clips", 1, "--profile-dir", folder)
        with enrolling(virtual_microphone, *arguments, "--again") as enrolment:
            assert enrolment.say(utterances["neutral"][0]).startswith("kept: ")
            assert enrolment.say(utterances["happy"][0]).startswith("kept: ")
            fill(filler)
            enrolment.say_and_fail(utterances["angry"][0], ".anna.unfinished: cannot be written")
            filler.unlink()
            enrolment.retry()
            fill(filler)
            enrolment.answer()  # finish
            assert enrolment.process.wait(30) == 1
            (line,) = enrolment.log.all()
        assert "anna.profile: cannot be written (No space left on device); what was rec" in line
        assert "3 in all; the same command without --again goes on" in line
        filler.unlink()
        with enrolling(virtual_microphone, *arguments) as enrolment:
            enrolment.answer()
            assert enrolment.process.wait(30) == 0
        assert ProfileFolder(folder).names() == ["anna"]


def test_without_the_microphone_it_says_so_in_one_line(
    virtual_microphone: VirtualMicrophone, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "edge_runtime.cli", "enrol", "anna", "--device", "absent"]
    done = subprocess.run(
        [*command, "--profile-dir", str(tmp_path)],
        cwd=ROOT,
        env=virtual_microphone.env,
        input="\n",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("ser-edge: ")
    assert "absent" in line
