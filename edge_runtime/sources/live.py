"""A microphone that is kept: lost and found again, for as long as a service runs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.backoff import Backoff
from edge_runtime.sources.devices import InputDevice
from edge_runtime.sources.microphone import BLOCK_SECONDS, Microphone
from edge_runtime.sources.resample import Resampler
from edge_runtime.sources.vital_signs import Verdict, VitalSigns

HEARTBEAT_SECONDS = 0.5
STALL_SECONDS = 2.5  # less than 3 s with a heartbeat on top
RETRY_SECONDS = {  # the first wait before an attempt to open, and the longest
    "lost": (1.0, 30.0),
    "frozen": (1.0, 30.0),
    # A muted microphone is well, and each attempt costs a moment of sound and of the processor.
    "silent": (8.0, 300.0),
}
STEADY_SECONDS = 10.0  # of listening, after which the waits begin anew
CLOSE_SECONDS = 0.5
# Linux has a node in it for every device of a card that is plugged in.
SOUND_CARDS = Path("/dev/snd")
SETTLE_SECONDS = 0.5  # from a new node to its permissions and the sound server's notice
NOTHING: NDArray[np.float32] = np.empty(0, dtype=np.float32)

State = Literal["opening", "listening", "silent", "frozen", "lost"]


class LiveMicrophone:
    """Records mono sound like `Microphone`, and recovers what can be recovered.

    A device that ends, is refused, or delivers nothing for 2.5 s is "lost": it is looked for
    after 1, 2, 4 ... 30 s. One that delivers exact zeros for 2.25 s is "silent": muted, or broken;
    its zeros are passed on. One that is constant, or repeats a piece of at most 1 s, is "frozen":
    what it delivers is held back. Both are opened anew, for a driver may recover by that: after
    8, 16, 32 ... 300 s and after 1, 2, 4 ... 30 s. When a sound card comes or goes, all of this is
    done at once.

    Parameters
    ----------
    device : int, str or None
        A number, or a name or part of one, as `list_devices` gives them; None for the default.
        A device that was given by its number is found again by its name.
    sample_rate : int
        Samples per second of the chunks.
    report : callable, optional
        Called with a new state ("listening", "silent", "frozen" or "lost") and a line that says
        more, once for each change, on the thread that iterates over `chunks`.
    channel : int, optional
        Which channel to record, counted from 0; the mean of all by default.
    block_seconds : float
        What the device hands over at a time, up to 1 s; longer blocks cost less and come later.
    wait : bool
        Open the device only when `chunks` begins, and wait for one that is not there, as for one
        that was lost.

    Attributes
    ----------
    state : {"opening", "listening", "silent", "frozen", "lost"}
        The one reported last; "opening" before the first.
    device : InputDevice or None
        The one that was opened last.
    gaps : int
        Rises by one when the chunk that was just given does not follow on from the one before.

    Raises
    ------
    SerEdgeError
        Without `wait`, when the device cannot be opened; see `Microphone`.
    """

    def __init__(
        self,
        device: int | str | None = None,
        sample_rate: int = 16000,
        report: Callable[[str, str], None] | None = None,
        channel: int | None = None,
        block_seconds: float = BLOCK_SECONDS,
        wait: bool = False,
    ) -> None:
        self.sample_rate = sample_rate
        self.state: State = "opening"
        self.device: InputDevice | None = None
        self.gaps = 0
        self._wanted = device
        self._channel = channel
        self._block_seconds = block_seconds
        self._report = report
        self._closed = threading.Event()
        self._lock = threading.Lock()  # around the change of _microphone, which close() may make
        self._microphone: Microphone | None = None
        self._overflows_before = 0  # of the microphones that are closed
        self._given = False
        self._follows_on = True
        self._retry = {state: Backoff(*seconds) for state, seconds in RETRY_SECONDS.items()}
        self._state_since = time.monotonic()
        self._reopen_at: float | None = None
        self._cards = 0
        if not wait:
            self._open()

    @property
    def device_name(self) -> str:
        """Name of the device that was opened last, or else what was asked for."""
        if self.device is not None:
            return self.device.name
        return "default" if self._wanted is None else str(self._wanted)

    @property
    def overflows(self) -> int:
        """How often sound was lost because the reader or the machine was too busy."""
        microphone = self._microphone
        return self._overflows_before + (microphone.overflows if microphone else 0)

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Give what the microphone hears until it is closed.

        Yields
        ------
        ndarray of float32, shape (n_samples,)
            Mono samples at `sample_rate`, nominally in [-1, 1], about one block of them; an empty
            one about every 0.5 s while there is none.

        Raises
        ------
        SerEdgeError
            When sounddevice or the PortAudio library is missing.
        """
        try:
            while not self._closed.is_set():
                yield from self._listen_until_lost()
        finally:
            self._release()

    def close(self) -> None:
        """End the chunks at once and release the device; may be called from any thread.

        Returns within 0.5 s even if the sound system hangs.
        """
        self._closed.set()
        # On a thread of its own, which a sound server that hangs may keep.
        closer = threading.Thread(target=self._release, name="close microphone", daemon=True)
        closer.start()
        closer.join(CLOSE_SECONDS)

    def __enter__(self) -> LiveMicrophone:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _open(self) -> Microphone | None:
        """Open the device, unless that is done; None when closed meanwhile."""
        if self._microphone is not None:
            return self._microphone
        microphone = Microphone(
            self._wanted,
            self.sample_rate,
            self._channel,
            self._block_seconds,
            # A device that delivers is in the list: no need to pay for a new one.
            rescan=self.state not in ("silent", "frozen"),
        )
        self.device = microphone.device
        if str(self._wanted).strip().isdecimal():
            self._wanted = microphone.device.name
        with self._lock:
            if not self._closed.is_set():
                self._microphone = microphone
                return microphone
        microphone.close()
        return None

    def _release(self) -> None:
        with self._lock:
            microphone, self._microphone = self._microphone, None
        if microphone is not None:
            self._follows_on = False
            self._overflows_before += microphone.overflows
            microphone.close()

    def _listen_until_lost(self) -> Iterator[NDArray[np.float32]]:
        try:
            yield from self._listen()
        except SerEdgeError as error:
            if "sounddevice" not in sys.modules:
                raise  # waiting does not install it
            self._lose(str(error))
            yield from self._pause()

    def _listen(self) -> Iterator[NDArray[np.float32]]:
        """Give chunks until the device should be opened anew, or is closed.

        Raises SerEdgeError when it is lost.
        """
        microphone = self._open()
        if microphone is None:
            return
        vital_signs = VitalSigns(microphone.device_rate)
        resampler = Resampler(microphone.device_rate, self.sample_rate, microphone.name)
        for block in self._blocks(microphone):
            if not len(block):
                yield NOTHING
                continue
            verdict = vital_signs.push(block)
            self._judge(microphone, block, verdict)
            if self._should_reopen(verdict):
                break
            if self.state == "frozen":
                self._follows_on = False
                yield NOTHING
                continue
            chunk = resampler.push(block)
            if len(chunk):
                self._count_gap()
                yield chunk
        self._release()

    def _blocks(self, microphone: Microphone) -> Iterator[NDArray[np.float32]]:
        """Give blocks until closed, empty ones as heartbeats.

        Raises SerEdgeError when no more come.
        """
        gaps = microphone.gaps
        last_arrival = time.monotonic()
        while True:
            block = microphone.read(HEARTBEAT_SECONDS)
            if self._closed.is_set():
                return
            if block is not None:
                last_arrival = time.monotonic()
                if microphone.gaps != gaps:
                    gaps, self._follows_on = microphone.gaps, False
                yield block
                continue
            if microphone.ended:
                raise SerEdgeError(
                    f"{microphone.name}: the sound system ended the recording: is it still "
                    "plugged in?"
                )
            if time.monotonic() - last_arrival >= STALL_SECONDS:
                raise SerEdgeError(
                    f"{microphone.name}: delivered no sound for {STALL_SECONDS:g} s: is it still "
                    "plugged in?"
                )
            yield NOTHING

    def _count_gap(self) -> None:
        """Before a chunk is given: note whether it follows on from the one before."""
        self.gaps += self._given and not self._follows_on
        self._given = self._follows_on = True

    def _judge(
        self, microphone: Microphone, block: NDArray[np.float32], verdict: Verdict | None
    ) -> None:
        """Draw from a block and the verdict on the newest sound what is to be reported."""
        name = microphone.name
        if self.state in ("opening", "lost"):
            self._hears(microphone)
        if verdict == "silent":
            self._enter("silent", f"{name}: gives nothing but zeros: is it muted, or broken?")
        elif verdict == "frozen":
            self._enter("frozen", f"{name}: repeats the same sound: unplug it and plug it in again")
        elif (self.state == "silent" and block.any()) or (
            self.state == "frozen" and verdict == "alive"
        ):
            self._hears(microphone)

    def _should_reopen(self, verdict: Verdict | None) -> bool:
        """Whether a dead microphone is due to be opened anew; at most once for each verdict."""
        if self._reopen_at is None or verdict not in ("silent", "frozen"):
            return False
        now = time.monotonic()
        if self._cards_changed():
            self._retry[verdict].reset()
            self._reopen_at = now + SETTLE_SECONDS
        if now < self._reopen_at:
            return False
        self._reopen_at = now + self._retry[verdict].next()
        return True

    def _hears(self, microphone: Microphone) -> None:
        rate, channels = microphone.device_rate, microphone.channels
        self._reopen_at = None
        self._enter("listening", f"{microphone.name}, {rate} Hz, {channels} ch")

    def _lose(self, detail: str) -> None:
        self._reopen_at = None
        self._enter("lost", detail)
        # After the report: the sound system may hang in it.
        self._release()

    def _enter(self, state: State, detail: str) -> None:
        if state == self.state:
            return
        now = time.monotonic()
        if self.state == "listening" and now - self._state_since >= STEADY_SECONDS:
            for retry in self._retry.values():
                retry.reset()
        self._cards = _change_of_cards()
        if state in ("silent", "frozen"):
            self._reopen_at = now + self._retry[state].next()
        self.state, self._state_since = state, now
        if self._report is not None:
            self._report(state, detail)

    def _pause(self) -> Iterator[NDArray[np.float32]]:
        """Wait before the next attempt to open, with a heartbeat."""
        end = time.monotonic() + self._retry["lost"].next()
        while True:
            left = end - time.monotonic()
            if left <= 0.0 or self._closed.wait(min(left, HEARTBEAT_SECONDS)):
                return
            yield NOTHING
            if self._cards_changed():
                self._retry["lost"].reset()
                end = time.monotonic() + SETTLE_SECONDS

    def _cards_changed(self) -> bool:
        """Whether a sound card came or went since the state was entered or this was last asked."""
        before, self._cards = self._cards, _change_of_cards()
        return self._cards != before


def _change_of_cards() -> int:
    """When a sound card last came or went, as the system counts time; 0 where it does not say."""
    try:
        return SOUND_CARDS.stat().st_mtime_ns
    except OSError:
        return 0
