"""The guided recording: asks for one sentence after the other at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import Classifier
from edge_runtime.enrol.prompts import Prompt
from edge_runtime.enrol.session import Session
from edge_runtime.enrol.take import HANGOVER_SECONDS, Take, record_take
from edge_runtime.errors import SerEdgeError
from edge_runtime.gates import make_gate
from edge_runtime.profiles.clips import Clip
from edge_runtime.sources import Microphone
from edge_runtime.wave_file import write_wave

METER_WIDTH = 30
METER_FLOOR_DBFS = -60.0
Keep = Callable[[Prompt, NDArray[np.float32]], None]


class StoppedError(Exception):
    """The speaker wants to stop here."""


class Guide:
    """Leads a speaker through the prompts.

    Parameters
    ----------
    session : Session
        Takes the clips.
    classifier : Classifier
        The model.
    device : int, str or None
        The microphone.
    channel : int, optional
        Which of its channels to hear.
    gate : str
        What finds the end of an utterance.
    keep_audio : Path, optional
        Folder that gets every recording, as LABEL/FILE.wav; nothing is kept without it.
    """

    def __init__(
        self,
        session: Session,
        classifier: Classifier,
        device: int | str | None,
        channel: int | None,
        gate: str,
        keep_audio: Path | None,
    ) -> None:
        self._session = session
        self._classifier = classifier
        self._device = device
        self._channel = channel
        self._gate = gate
        self._keep_audio = keep_audio

    def lead(self, asked: Sequence[Prompt]) -> None:
        """Record all that are asked for and not there yet, and do over what the speaker names.

        Raises
        ------
        StoppedError
            When the speaker wants no more, or nothing more can be read from them.
        SerEdgeError
            When there is no microphone.
        """
        done = self._session.clips.sources
        number: int | None = 0
        while number is not None:
            while number < len(asked) and asked[number].source in done:
                number += 1
            if number < len(asked):
                number = self._turn(asked, number, done)
                continue
            number = _over_again(len(asked))
            if number is not None:
                done.discard(asked[number].source)

    def _turn(self, asked: Sequence[Prompt], number: int, done: set[str]) -> int:
        """Ask for a prompt, and say which is next."""
        prompt = asked[number]
        answer = _ask(prompt, number + 1, len(asked))
        if answer.lower() == "q":
            raise StoppedError
        if answer:
            wanted = _wanted(answer, number, len(asked))
            if wanted is None:
                return number
            done.discard(asked[wanted].source)
            return wanted
        if self._record(prompt):
            done.add(prompt.source)
        return number

    def _record(self, prompt: Prompt) -> bool:
        """Record a clip, and say whether it is good."""
        take = self._take()
        if take.fault:
            print(f"     not kept: {take.fault}", flush=True)
            return False
        try:
            scores, embedding = self._classifier.clip_outputs(take.samples)
        except SerEdgeError as error:
            print(f"     not kept: {error}", flush=True)
            return False
        self._until_done(lambda: self._write(prompt, take.samples))
        clip = Clip(embedding, scores, prompt.emotion, prompt.source)
        self._session.clips.add(clip)
        self._until_done(self._session.keep)
        print(f"     kept: {take.seconds:.1f} s, peak {take.peak_dbfs:.0f} dBFS", flush=True)
        return True

    def _take(self) -> Take:
        rate = self._classifier.metadata.features.sample_rate
        gate = make_gate(self._gate, rate, HANGOVER_SECONDS)
        with Microphone(self._device, rate, self._channel) as microphone:
            print("     speak now", flush=True)
            take = record_take(microphone.chunks(), gate, rate, _show)
        _clear()
        return take

    def _write(self, prompt: Prompt, samples: NDArray[np.float32]) -> None:
        if self._keep_audio is None:
            return
        path = self._keep_audio / prompt.emotion / f"{self._session.name}-{prompt.number:02d}.wav"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wave(path, samples, self._classifier.metadata.features.sample_rate)
        except OSError as error:
            raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error

    def _until_done(self, write: Callable[[], None]) -> None:
        """Write; where that fails, as on a full disk, try again as often as the speaker wants."""
        while True:
            try:
                return write()
            except SerEdgeError as error:
                print(f"     {error}", flush=True)
            if _read("     Enter to try again, q to stop: ").lower() == "q":
                raise StoppedError


def _ask(prompt: Prompt, number: int, total: int) -> str:
    print(f"\n{number:3d}/{total}  {prompt.emotion.upper()}, {prompt.manner}:")
    print(f"         {prompt.sentence}")
    return _read("     Enter to record, b for the one before, a number, q to stop: ")


def _over_again(total: int) -> int | None:
    """Which clip the speaker wants to do over, from 0; None for none."""
    while True:
        answer = _read(f"\nAll {total} are recorded. Enter to finish, or a number to do over: ")
        if not answer:
            return None
        wanted = _wanted(answer, total, total)
        if wanted is not None:
            return wanted


def _read(question: str) -> str:
    print(question, end="", flush=True)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        raise StoppedError
    if not sys.stdin.isatty():
        print(flush=True)  # a terminal shows the line that was typed
    return line.strip()


def _wanted(answer: str, number: int, total: int) -> int | None:
    """Which prompt, from 0, an answer asks for; None where it asks for none."""
    if answer.lower() == "b" and number > 0:
        return number - 1
    if answer.isdecimal() and 1 <= int(answer) <= total:
        return int(answer) - 1
    print(f"     {answer!r} is neither Enter, b, q nor a number from 1 to {total}", flush=True)
    return None


def _show(level_dbfs: float, is_open: bool) -> None:
    if not sys.stdout.isatty():
        return
    share = min(1.0, max(0.0, 1.0 - level_dbfs / METER_FLOOR_DBFS))
    bar = "#" * round(share * METER_WIDTH)
    state = "speech" if is_open else ""
    print(f"\r     [{bar:<{METER_WIDTH}}] {level_dbfs:5.0f} dBFS {state:<6}", end="", flush=True)


def _clear() -> None:
    if sys.stdout.isatty():
        print(f"\r{'':<{METER_WIDTH + 30}}\r", end="", flush=True)
