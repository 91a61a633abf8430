"""The daemon: reads, classifies, tells; reloads at SIGHUP and ends in order at SIGTERM.

A terminal that is closed ends it, too.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Union

from edge_runtime import notify
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.engine import Engine
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import read_metadata
from edge_runtime.reader import Reader
from edge_runtime.settings import Settings
from edge_runtime.sources import AudioFile, LiveMicrophone, PcmStream, Source
from edge_runtime.status import Status

TAKE_SECONDS = 0.25  # how long a signal may wait when no sound comes
WATCHDOG_SECONDS = 1.0
# What a microphone hands over at a time: long blocks cost less, short ones come sooner.
SHORTEST_BLOCK_SECONDS, LONGEST_BLOCK_SECONDS = 0.02, 0.25
NO_SOUND = ("lost", "frozen")
# Opening a device takes seconds at worst. A thread that the sound system keeps for longer is lost.
HUNG_SECONDS = 60.0
SIGNALLED_CLOSE_SECONDS = 0.8  # a signalled end is to take less than two
CLOSE_SECONDS = 30.0  # where the source ended by itself, outputs may take their time
Loader = Callable[[], Settings]
Handler = Callable[[int, Union[FrameType, None]], None]


class Service:
    """Listens until its source ends or a signal says so.

    Parameters
    ----------
    load : callable
        Gives the settings, anew at each reload.
    say : callable
        Takes one line for the log.

    Raises
    ------
    SerEdgeError
        When the settings, the model, an output or the source are not usable at the start.
    """

    def __init__(self, load: Loader, say: Callable[[str], None]) -> None:
        self._load = load
        self._say = say
        self._settings = load()
        self._stop = False
        self._reload = False
        self._next_watchdog = 0.0
        self._n_seconds = 0.0
        self._terminals = [number for number in (0, 1, 2) if os.isatty(number)]
        self._n_signs = self._turns_without_sign = 0
        self._losses_before = (0, 0.0)  # under microphones that a reload has replaced
        self._engine = Engine(self._settings, say)
        try:
            self._microphone, self._reader = self._open(self._settings, self._engine.sample_rate)
        except BaseException:
            self._engine.close(0.0)
            raise

    @property
    def status(self) -> Status:
        """What it is doing."""
        return self._engine.status

    def run(self) -> None:
        """Listen to the end.

        Raises
        ------
        SerEdgeError
            When the source fails for good.
        OSError
            When standard output is gone.
        """
        handlers = self._take_signals()
        try:
            self._run()
        finally:
            notify.stopping()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _run(self) -> None:
        seconds = SIGNALLED_CLOSE_SECONDS
        self._reader.start()
        try:
            self._say(f"listening to {self._describe()} with {self._engine}")
            notify.ready()
            while not self._stop:
                self._turn()
                if self._reader.ended:
                    seconds = CLOSE_SECONDS
                    self._reader.take(0.0)  # raises what ended it, if not its end
                    break
        finally:
            self._reader.close()
            self._engine.close(seconds)
        self._explain_no_event()

    def _turn(self) -> None:
        """One round: what a signal asked for, then the next chunk."""
        self._feed_watchdog()
        if self._reload:
            self._reload = False
            self._renew()
        chunk = self._reader.take(TAKE_SECONDS)
        if chunk is not None:
            self._n_seconds += len(chunk.samples) / self._engine.sample_rate
            self._engine.hear(chunk)
        elif self._microphone is not None:
            self._require_life(self._microphone)
            if self._microphone.state in NO_SOUND:
                self._engine.pause()
        if self._microphone is not None:
            self._engine.note_losses(*self._losses(self._microphone))

    def _require_life(self, microphone: LiveMicrophone) -> None:
        """End where the sound system hangs for good: a new process can open it anew, this cannot.

        Counted in turns: while this process was stopped, time passed for nobody in it.
        """
        if self._reader.n_signs != self._n_signs:
            self._n_signs, self._turns_without_sign = self._reader.n_signs, 0
        self._turns_without_sign += 1
        if self._turns_without_sign * TAKE_SECONDS >= HUNG_SECONDS:
            raise SerEdgeError(
                f"microphone {microphone.device_name!r}: the sound system has hung for "
                f"{HUNG_SECONDS:g} s and keeps ser-edge from it; start ser-edge again, as the "
                "service does, and if that does not help, the sound server or the machine"
            )

    def _losses(self, microphone: LiveMicrophone) -> tuple[int, float]:
        """Overflows and seconds dropped since the start, under earlier microphones too."""
        overflows, dropped_seconds = self._losses_before
        return overflows + microphone.overflows, dropped_seconds + self._reader.dropped_seconds

    def _open(self, settings: Settings, sample_rate: int) -> tuple[LiveMicrophone | None, Reader]:
        source = open_source(settings, sample_rate, self._note_source)
        microphone = source if isinstance(source, LiveMicrophone) else None
        return microphone, Reader(source, waits=microphone is None)

    def _note_source(self, state: str, detail: str) -> None:
        """Take the state of the source, on whichever thread reads it."""
        self._engine.note_source(state, detail)
        notify.status(f"{state}: {detail}")

    def _describe(self) -> str:
        if self._microphone is not None:
            return f"microphone {self._microphone.device_name!r}"
        source = self._settings.source.source
        return "standard input" if source == "-" else source

    def _renew(self) -> None:
        """Take new settings, all of them; where one is no good, the old ones stay."""
        notify.reloading()
        try:
            self._take(self._load())
        except SerEdgeError as error:
            self._say(f"not reloaded, what was stays: {error}")
        else:
            self._say(f"reloaded: {self._engine}")
        notify.ready()

    def _take(self, settings: Settings) -> None:
        metadata = read_metadata(settings.model.file or DEFAULT_MODEL)
        sample_rate = metadata.features.sample_rate
        is_same_rate = sample_rate == self._engine.sample_rate
        is_same_block = self._microphone is None or _block_seconds(settings) == _block_seconds(
            self._settings
        )
        if settings.source == self._settings.source and is_same_rate and is_same_block:
            self._engine.renew(settings)
            self._settings = settings
            return
        # Opened before anything is given up; a microphone that is not there is waited for.
        waiting = dataclasses.replace(settings.source, wait=True)
        opened = self._open(dataclasses.replace(settings, source=waiting), sample_rate)
        try:
            self._engine.renew(settings)
        except SerEdgeError:
            opened[1].close()
            raise
        self._reader.close()
        if self._microphone is not None:
            self._losses_before = self._losses(self._microphone)
        self._engine.pause()
        self._settings = settings
        self._microphone, self._reader = opened
        self._turns_without_sign = 0
        self._reader.start()
        self._say(f"listening to {self._describe()}")

    def _feed_watchdog(self) -> None:
        now = time.monotonic()
        if now >= self._next_watchdog:
            self._next_watchdog = now + WATCHDOG_SECONDS
            notify.watchdog()

    def _take_signals(self) -> dict[int, Any]:
        wanted: dict[int, Handler] = {
            signal.SIGTERM: self._on_stop,
            signal.SIGINT: self._on_stop,
        }
        if hasattr(signal, "SIGHUP"):
            wanted[signal.SIGHUP] = self._on_reload
        return {number: signal.signal(number, handler) for number, handler in wanted.items()}

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop:  # asked a second time: at once
            raise KeyboardInterrupt
        self._stop = True
        self._engine.stop_waiting()

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        # The same signal says that the terminal is gone: nobody sees any more that it listens.
        if self._terminals and not any(map(os.isatty, self._terminals)):
            self._on_stop(number, frame)
        else:
            self._reload = True

    def _explain_no_event(self) -> None:
        if self._stop or self._microphone is not None or self.status.counts["events"]:
            return
        source = self._describe()
        window = self._engine.window_seconds
        if self._n_seconds < window:
            raise SerEdgeError(
                f"{source}: {self._n_seconds:.2f} s are shorter than the model's window of "
                f"{window:.2f} s; for one answer use: ser-edge classify FILE"
            )
        self._say(f"{source}: no speech in {self._n_seconds:.2f} s")


def _block_seconds(settings: Settings) -> float:
    """What a microphone hands over at a time: half a hop, so that a decision is not late."""
    half_hop = (settings.model.hop or 2.0 * LONGEST_BLOCK_SECONDS) / 2.0
    return min(LONGEST_BLOCK_SECONDS, max(SHORTEST_BLOCK_SECONDS, half_hop))


def open_source(settings: Settings, sample_rate: int, report: Callable[[str, str], None]) -> Source:
    """Open where the sound comes from.

    Parameters
    ----------
    settings : Settings
        All settings.
    sample_rate : int
        Samples per second that the model asks for.
    report : callable
        Told the state of a microphone, and what is to be said about it.
    """
    chosen = settings.source
    if chosen.source == "mic":
        block = _block_seconds(settings)
        return LiveMicrophone(
            chosen.device, sample_rate, report, chosen.channel, block, wait=chosen.wait
        )
    if chosen.source == "-":
        if sys.stdin is None:
            raise SerEdgeError("standard input: is closed; pipe raw PCM into it")
        report("listening", "standard input")
        # Unbuffered: a thread that waits within a buffered reader at the end aborts Python.
        pipe = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
        return PcmStream(pipe, sample_rate, chosen.pcm_format)
    source = AudioFile(chosen.source, sample_rate, chosen.realtime, chosen.channel)
    report("listening", chosen.source)
    return source
