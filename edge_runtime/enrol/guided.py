"""The guided recording: asks for one sentence after the other at the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import Classifier
from edge_runtime.enrol.prompts import Prompt
from edge_runtime.enrol.recordings import Recordings
from edge_runtime.enrol.session import Session
from edge_runtime.enrol.take import HANGOVER_SECONDS, Take, record_take
from edge_runtime.enrol.terminal import ask, clear_level, show_level
from edge_runtime.errors import SerEdgeError
from edge_runtime.gates import make_gate
from edge_runtime.profiles.clips import Clip
from edge_runtime.sources import Microphone
from edge_runtime.wave_file import as_stored

QUESTION = "     Enter to record, b for the one before, a number, q to stop: "
OVER_AGAIN = "     Enter to record over it, k to keep it, b, a number, q to stop: "


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
    recordings : Recordings, optional
        Gets every recording; no sound is kept without it.
    """

    def __init__(
        self,
        session: Session,
        classifier: Classifier,
        device: int | str | None,
        channel: int | None,
        gate: str,
        recordings: Recordings | None,
    ) -> None:
        self._session = session
        self._classifier = classifier
        self._device = device
        self._channel = channel
        self._gate = gate
        self._recordings = recordings

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
        is_there = prompt.source in self._session.clips.sources
        print(f"\n{number + 1:3d}/{len(asked)}  {prompt.emotion.upper()}, {prompt.manner}:")
        print(f"         {prompt.sentence}")
        answer = _answer(OVER_AGAIN if is_there else QUESTION)
        if answer == "q":
            raise StoppedError
        if answer == "k" and is_there:
            done.add(prompt.source)
        elif answer:
            wanted = _wanted(answer, number, len(asked))
            if wanted is not None:
                done.discard(asked[wanted].source)
                return wanted
        elif self._record(prompt):
            done.add(prompt.source)
        return number

    def _record(self, prompt: Prompt) -> bool:
        """Record a clip, and say whether it is good."""
        take = self._take()
        if take.fault:
            print(f"     not kept: {take.fault}", flush=True)
            return False
        samples = as_stored(take.samples)  # or a recording that is kept would be another clip
        try:
            scores, embedding = self._classifier.clip_outputs(samples)
        except SerEdgeError as error:
            print(f"     not kept: {error}", flush=True)
            return False
        self._session.add(Clip(embedding, scores, prompt.emotion, prompt.source))
        # The sound first: a clip that is kept is not asked for again.
        _until_done(lambda: self._write(prompt, samples))
        _until_done(self._session.keep)
        print(f"     kept: {take.seconds:.1f} s, peak {take.peak_dbfs:.0f} dBFS", flush=True)
        return True

    def _take(self) -> Take:
        rate = self._classifier.metadata.features.sample_rate
        gate = make_gate(self._gate, rate, HANGOVER_SECONDS)
        with Microphone(self._device, rate, self._channel) as microphone:
            print("     speak now", flush=True)
            take = record_take(microphone.chunks(), gate, rate, show_level)
        clear_level()
        return take

    def _write(self, prompt: Prompt, samples: NDArray[np.float32]) -> None:
        if self._recordings is not None:
            name = f"{self._session.name}-{prompt.number:02d}"
            self._recordings.write(prompt.emotion, name, samples)


def _until_done(write: Callable[[], None]) -> None:
    """Write; where that fails, as on a full disk, try again as often as the speaker wants."""
    while True:
        try:
            return write()
        except SerEdgeError as error:
            print(f"     {error}", flush=True)
        if _answer("     Enter to try again, q to stop: ") == "q":
            raise StoppedError


def _answer(question: str) -> str:
    answer = ask(question)
    if answer is None:
        raise StoppedError
    return answer.lower()


def _over_again(total: int) -> int | None:
    """Which clip the speaker wants to do over, from 0; None for none."""
    while True:
        answer = _answer(f"\nAll {total} are recorded. Enter to finish, or a number to do over: ")
        if not answer:
            return None
        wanted = _wanted(answer, total, total)
        if wanted is not None:
            return wanted


def _wanted(answer: str, number: int, total: int) -> int | None:
    """Which prompt, from 0, an answer asks for; None where it asks for none."""
    if answer == "b" and number > 0:
        return number - 1
    if answer.isdecimal() and len(answer) <= len(str(total)) and 1 <= int(answer) <= total:
        return int(answer) - 1
    shown = answer if len(answer) < 20 else f"{answer[:20]}..."
    print(f"     {shown!r} is neither Enter, b, q nor a number from 1 to {total}", flush=True)
    return None
