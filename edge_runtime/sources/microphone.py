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

BLOCK_SECONDS = 0.05  # what PortAudio hands over at a time
QUEUE_SECONDS = 10.0  # how far the reader may fall behind before sound is lost
STALL_SECONDS = 3.0  # silence of the device itself, not of the room
NOT_THESE_SETTINGS = (-9997, -9998)  # PortAudio: invalid sample rate, number of channels

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

    Attributes
    ----------
    device : InputDevice
        The one that was opened.
    device_rate, channels : int
        What it was opened with.
    overflows : int
        How often sound was lost: blocks of 0.05 s dropped, oldest first, because the reader was
        more than 10 s behind, and gaps that PortAudio reported. Chunks are not contiguous where
        it rises.

    Raises
    ------
    SerEdgeError
        When there is no such device, it cannot be opened, or a package or library is missing.
    """

    def __init__(self, device: int | str | None = None, sample_rate: int = 16000) -> None:
        self.sample_rate = sample_rate
        self.overflows = 0
        self._blocks: deque[NDArray[np.float32]] = deque(maxlen=int(QUEUE_SECONDS / BLOCK_SECONDS))
        self._arrived = threading.Event()
        self._n_read = 0
        self._stream: Any = None
        sounddevice = _acquire_portaudio()
        try:
            self.device = find_device(device, input_devices(sounddevice))
            self._stream, self.device_rate, self.channels = self._open(sounddevice)
        except BaseException:
            _release_portaudio()
            raise

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """Give what the microphone hears, from its opening on, until it is closed.

        Yields
        ------
        ndarray of float32, shape (n_samples,)
            Mono samples at `sample_rate`, nominally in [-1, 1], about 0.05 s of them.

        Raises
        ------
        SerEdgeError
            When the device delivers nothing for 3 s, as when it was unplugged.
        """
        resampler = Resampler(self.device_rate, self.sample_rate, self._name)
        while True:
            block = self._next_block()
            if block is None:
                return
            require_sound(block, self._n_read, self.device_rate, self._name)
            self._n_read += len(block)
            chunk = resampler.push(np.asarray(block.mean(axis=1), dtype=np.float32))
            if len(chunk):
                yield chunk

    def close(self) -> None:
        """Stop recording and release the device; may be called more than once."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        self._arrived.set()
        # An unplugged device cannot be stopped properly; there is nothing to do about it.
        with quiet_libraries():
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
        _release_portaudio()

    def __enter__(self) -> Microphone:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def _name(self) -> str:
        return f"microphone {self.device.name!r}"

    def _open(self, sounddevice: Any) -> tuple[Any, int, int]:
        """Open the stream, with its rate and channels: the first of the settings that works."""
        refusal: Any = None
        for rate, channels in _settings(self.device, self.sample_rate):
            # Before the device starts: a message about a missing package must not wait.
            Resampler(rate, self.sample_rate, self._name)
            stream, refusal = self._try(sounddevice, rate, channels)
            if stream is not None:
                return stream, rate, channels
            if refusal.args[1] not in NOT_THESE_SETTINGS:
                break
        raise SerEdgeError(
            f"{self._name}: cannot be opened: {portaudio.reason(refusal)}; "
            "is another program using it? See: ser-edge devices"
        ) from refusal

    def _try(self, sounddevice: Any, rate: int, channels: int) -> tuple[Any, Any]:
        """Open with these settings: a stream and None, or None and the refusal."""
        try:
            return self._start(sounddevice, rate, channels), None
        except sounddevice.PortAudioError as refusal:
            return None, refusal

    def _start(self, sounddevice: Any, rate: int, channels: int) -> Any:
        with quiet_libraries():
            stream = sounddevice.InputStream(
                device=self.device.number,
                samplerate=rate,
                channels=channels,
                dtype="float32",
                blocksize=int(rate * BLOCK_SECONDS),
                callback=self._on_block,
            )
            try:
                stream.start()
            except sounddevice.PortAudioError:
                stream.close(ignore_errors=True)
                raise
        return stream

    def _on_block(self, block: NDArray[np.float32], _frames: int, _time: Any, status: Any) -> None:
        # On PortAudio's own thread: copy, count, and be gone.
        self.overflows += bool(status.input_overflow) + (len(self._blocks) == self._blocks.maxlen)
        self._blocks.append(block.copy())
        self._arrived.set()

    def _next_block(self) -> NDArray[np.float32] | None:
        """Wait for a block, (n_frames, channels); None once closed."""
        while self._stream is not None:
            if self._blocks:
                return self._blocks.popleft()
            if not self._arrived.wait(STALL_SECONDS):
                raise SerEdgeError(
                    f"{self._name}: delivered no sound for {STALL_SECONDS:g} s: "
                    "is it still plugged in? See: ser-edge devices"
                )
            # Cleared before the check above: no block that arrives now is overlooked.
            self._arrived.clear()
        return None


def _settings(device: InputDevice, sample_rate: int) -> list[tuple[int, int]]:
    """Rates and channels to try, best first."""
    rates = dict.fromkeys((sample_rate, round(device.default_sample_rate)))
    channels = dict.fromkeys((1, min(2, device.input_channels), device.input_channels))
    return [(rate, count) for rate in rates for count in channels]


def _acquire_portaudio() -> Any:
    """PortAudio with a fresh list of devices where possible; counts one more stream."""
    global _open_count
    with _open_lock:
        first_use = "sounddevice" not in sys.modules
        sounddevice = portaudio.load()
        if _open_count == 0 and not first_use:
            portaudio.rescan(sounddevice)
        _open_count += 1
    return sounddevice


def _release_portaudio() -> None:
    global _open_count
    with _open_lock:
        _open_count -= 1
