"""A microphone as a source."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.quiet import quiet_libraries
from edge_runtime.sources import portaudio
from edge_runtime.sources.devices import InputDevice, find_device, input_devices
from edge_runtime.sources.resample import Resampler
from edge_runtime.sources.sample_checks import require_sound

BLOCK_SECONDS = 0.1  # what PortAudio hands over at a time
LONGEST_BLOCK_SECONDS = 1.0
QUEUE_SECONDS = 10.0  # how far the reader may fall behind before sound is lost
STALL_SECONDS = 3.0  # silence of the device itself, not of the room
NOT_THESE_SETTINGS = ((-9997,), (-9998,))  # PortAudio: invalid sample rate, number of channels

# PortAudio's list of devices is of the process, and may only be renewed while no stream is open.
_open_lock = threading.Lock()
_open_count = 0


class Microphone:
    """Records mono sound at the model's rate.

    Opens the device at that rate with one channel; a device that refuses is opened at its own
    rate (and resampled) or with more channels (and averaged).

    Parameters
    ----------
    device : int, str or None
        A number, or a name or part of one, as `list_devices` gives them; None for the default.
    sample_rate : int
        Samples per second of the chunks.
    channel : int, optional
        Which channel to record, counted from 0; the mean of all by default.
    block_seconds : float
        What the device hands over at a time, up to 1 s; longer blocks cost less and come later.
    rescan : bool
        Look for devices again before, where no other microphone is open. Takes about 0.1 s.

    Attributes
    ----------
    device : InputDevice
        The one that was opened.
    name : str
        What it is called in messages.
    device_rate, channels : int
        What it was opened with.
    overflows : int
        How often sound was lost: blocks dropped, oldest first, because the reader was more than
        10 s behind, and gaps that PortAudio reported.
    gaps : int
        Rises by one when the chunk that was just given does not follow on from the one before.

    Raises
    ------
    SerEdgeError
        When there is no such device or channel, the device cannot be opened, or a package or
        library is missing.
    """

    def __init__(
        self,
        device: int | str | None = None,
        sample_rate: int = 16000,
        channel: int | None = None,
        block_seconds: float = BLOCK_SECONDS,
        rescan: bool = True,
    ) -> None:
        if not 0.0 < block_seconds <= LONGEST_BLOCK_SECONDS:
            raise SerEdgeError(
                "the microphone's blocks must be above 0 and at most "
                f"{LONGEST_BLOCK_SECONDS:g} seconds, not {block_seconds:g}"
            )
        self.sample_rate = sample_rate
        self.overflows = 0
        self.gaps = 0
        self._channel = channel
        self._block_seconds = block_seconds
        # Numbered: a number left out is a gap.
        self._blocks: deque[tuple[int, NDArray[np.float32]]] = deque(
            maxlen=max(1, round(QUEUE_SECONDS / block_seconds))
        )
        self._last_number = self._number_read = 0
        self._arrived = threading.Event()
        self._n_read = 0
        self._ended = False
        self._stream: Any = None
        self._sounddevice = _acquire_portaudio(rescan)
        try:
            self.device = find_device(device, input_devices(self._sounddevice))
            self.name = f"microphone {self.device.name!r}"
            self._require_channel()
            self._stream, self.device_rate, self.channels = self._open()
        except BaseException:
            _release_portaudio()
            raise

    @property
    def ended(self) -> bool:
        """Whether the sound system has ended the recording by itself, as after an unplug."""
        return self._ended

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Give what the microphone hears, from its opening on, until it is closed.

        Yields
        ------
        ndarray of float32, shape (n_samples,)
            Mono samples at `sample_rate`, nominally in [-1, 1], about one block of them.

        Raises
        ------
        SerEdgeError
            When the device delivers nothing for 3 s, as when it was unplugged.
        """
        resampler = Resampler(self.device_rate, self.sample_rate, self.name)
        while True:
            block = self.read(STALL_SECONDS)
            if block is None and self._stream is None:
                return
            if block is None:
                raise SerEdgeError(
                    f"{self.name}: delivered no sound for {STALL_SECONDS:g} s: "
                    "is it still plugged in? See: ser-edge devices"
                )
            chunk = resampler.push(block)
            if len(chunk):
                yield chunk

    def read(self, timeout: float) -> NDArray[np.float32] | None:
        """Wait for the next block.

        Parameters
        ----------
        timeout : float
            How long, in seconds.

        Returns
        -------
        ndarray of float32, shape (n_samples,), or None
            Mono samples at `device_rate`; None when nothing came, or it was closed.

        Raises
        ------
        SerEdgeError
            When the device delivers what is no sound.
        """
        while self._stream is not None:
            if self._blocks:
                return self._next_block()
            if not self._arrived.wait(timeout):
                return None
            # Cleared before the check above: no block that arrives now is overlooked.
            self._arrived.clear()
        return None

    def close(self) -> None:
        """Stop recording and release the device; may be called more than once."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        self._arrived.set()
        # An unplugged device cannot be stopped properly; there is nothing to do about it. Nor is
        # standard error hushed: a sound server that hangs would keep it so.
        with portaudio.exit_not_held(self._sounddevice):
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
        _release_portaudio()

    def __enter__(self) -> Microphone:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _require_channel(self) -> None:
        if self._channel is None or 0 <= self._channel < self.device.input_channels:
            return
        raise SerEdgeError(
            f"{self.name}: channel {self._channel} was asked for, but it has "
            f"{self.device.input_channels}, counted from 0; leave the channel out for their mean"
        )

    def _open(self) -> tuple[Any, int, int]:
        """Open the stream, with its rate and channels: the first of the settings that works."""
        refusal: Any = None
        for rate, channels in _settings(self.device, self.sample_rate, self._channel):
            # Before the device starts: a message about a missing package must not wait.
            Resampler(rate, self.sample_rate, self.name)
            stream, refusal = self._try(rate, channels)
            if stream is not None:
                return stream, rate, channels
            # Some refusals carry no number.
            if refusal.args[1:2] not in NOT_THESE_SETTINGS:
                break
        raise SerEdgeError(
            f"{self.name}: cannot be opened: {portaudio.reason(refusal)}; "
            "is another program using it? See: ser-edge devices"
        ) from refusal

    def _try(self, rate: int, channels: int) -> tuple[Any, Any]:
        """Open with these settings: a stream and None, or None and the refusal."""
        try:
            return self._start(rate, channels), None
        except self._sounddevice.PortAudioError as refusal:
            return None, refusal

    def _start(self, rate: int, channels: int) -> Any:
        with quiet_libraries(), portaudio.exit_not_held(self._sounddevice):
            stream = self._sounddevice.InputStream(
                device=self.device.number,
                samplerate=rate,
                channels=channels,
                dtype="float32",
                blocksize=max(1, round(rate * self._block_seconds)),
                callback=self._on_block,
                finished_callback=self._on_end,
            )
            try:
                stream.start()
            except self._sounddevice.PortAudioError:
                stream.close(ignore_errors=True)
                raise
        return stream

    def _on_block(self, block: NDArray[np.float32], _frames: int, _time: Any, status: Any) -> None:
        # On PortAudio's own thread: copy, count, and be gone.
        overflowed = bool(status.input_overflow)
        self.overflows += overflowed + (len(self._blocks) == self._blocks.maxlen)
        self._last_number += 1 + overflowed
        self._blocks.append((self._last_number, self._mono(block)))
        self._arrived.set()

    def _on_end(self) -> None:
        self._ended = True

    def _mono(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Copy the wanted channel of a block, (n_frames, channels), that PortAudio will reuse."""
        if self._channel is not None or block.shape[1] == 1:
            return np.array(block[:, self._channel or 0])
        return np.asarray(block.mean(axis=1), dtype=np.float32)

    def _next_block(self) -> NDArray[np.float32]:
        number, block = self._blocks.popleft()
        self.gaps += number != self._number_read + 1
        self._number_read = number
        require_sound(block, self._n_read, self.device_rate, self.name)
        self._n_read += len(block)
        return block


def _settings(device: InputDevice, sample_rate: int, channel: int | None) -> list[tuple[int, int]]:
    """Rates and numbers of channels to try, best first."""
    most = device.input_channels
    rates = dict.fromkeys((sample_rate, round(device.default_sample_rate)))
    if channel is None:
        channels = dict.fromkeys((1, min(2, most), most))
    else:
        # Two at least: the one channel of a sound server is the mean of its channels.
        channels = dict.fromkeys((min(max(2, channel + 1), most), most))
    return [(rate, count) for rate in rates for count in channels]


def _acquire_portaudio(rescan: bool) -> Any:
    """PortAudio, with a fresh list of devices where wanted and possible; counts a stream more."""
    global _open_count
    with _open_lock:
        first_use = "sounddevice" not in sys.modules
        sounddevice = portaudio.load()
        if rescan and _open_count == 0 and not first_use:
            portaudio.rescan(sounddevice)
        _open_count += 1
    return sounddevice


def _release_portaudio() -> None:
    global _open_count
    with _open_lock:
        _open_count -= 1
