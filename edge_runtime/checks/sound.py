"""Checks of the sound: servers, cards and rights, the microphone and what it hears."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime import hardware
from edge_runtime.checks.check import Check, fail, ok, warn
from edge_runtime.errors import SerEdgeError
from edge_runtime.quiet import quiet_libraries
from edge_runtime.sources import InputDevice, Microphone, portaudio
from edge_runtime.sources import devices as device_list

RATES = (16000, 44100, 48000)
LISTEN_SECONDS = 0.5
CLIPPED = 0.99
SERVERS = {"PipeWire": "pipewire-0", "PulseAudio": "pulse/native"}


def checks(wanted: str | None, root: Path = hardware.MACHINE) -> list[Check]:
    """Look at the sound.

    Parameters
    ----------
    wanted : str, optional
        The microphone's number or a part of its name; the default one when not given.
    root : Path
        The folder that holds ``proc`` and ``dev``.

    Returns
    -------
    list of Check
        The microphone is opened for half a second; nothing of what it hears is kept.
    """
    servers = sound_servers(root)
    found = [
        ok("sound system", ", ".join(servers) or "none seen"),
        *permissions(root, bool(servers)),
        *holders(root),
    ]
    try:
        with quiet_libraries():
            sounddevice = portaudio.load()
            devices = device_list.input_devices(sounddevice)
        device = device_list.find_device(wanted, devices)
    except SerEdgeError as error:
        return [*found, fail("microphone", str(error))]
    listed = "; ".join(f"{one.number} {one.name!r}" for one in devices)
    found.append(ok("microphones", listed))
    found.append(ok("microphone", f"{device.number} {device.name!r} ({device.host_api})"))
    found.append(_rates(sounddevice, device))
    found.append(_level(device))
    return found


def sound_servers(root: Path = hardware.MACHINE) -> list[str]:
    """Name the sound servers that this user can reach, and ALSA where the kernel has it."""
    folder = os.environ.get("XDG_RUNTIME_DIR")
    found = [
        name for name, socket in SERVERS.items() if folder and (Path(folder) / socket).exists()
    ]
    if os.environ.get("PULSE_SERVER"):
        found.append(f"PulseAudio at {os.environ['PULSE_SERVER']}")
    if (root / "proc/asound").is_dir():
        found.append("ALSA")
    return found


def permissions(root: Path, has_server: bool) -> list[Check]:
    """Say whether this user may record from the sound cards.

    Parameters
    ----------
    root : Path
        The folder that holds ``dev``.
    has_server : bool
        Whether a sound server may stand between.
    """
    nodes = sorted((root / "dev/snd").glob("pcmC*c"))
    if not nodes:
        return []
    closed = [node.name for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if not closed:
        return [ok("sound cards", f"{', '.join(node.name for node in nodes)} may be opened")]
    make = warn if has_server else fail
    advice = "sudo usermod -aG audio $USER, then log in again"
    return [make("sound cards", f"{', '.join(closed)} may not be opened by this user", advice)]


def holders(root: Path) -> list[Check]:
    """Name the programs that record from a sound card now."""
    return [
        warn(
            "sound card in use",
            f"{holder.program or 'a program'} (process {holder.pid}) records from {holder.stream}",
            "end it, or hear through its sound server: --device pulse or --device default",
        )
        for holder in hardware.capture_holders(root)
        if holder.pid != os.getpid()
    ]


def judge_level(samples: NDArray[np.float32]) -> Check:
    """Say what a microphone's level tells.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        In [-1, 1], at least one.
    """
    peak = float(np.abs(samples).max())
    if peak == 0.0:
        return warn(
            "level",
            "nothing but zeros: is it muted?",
            "unmute it: alsamixer (F4, then M), or pactl set-source-mute @DEFAULT_SOURCE@ 0",
        )
    level = 20.0 * math.log10(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))))
    found = f"{level:.0f} dBFS, peak {20.0 * math.log10(peak):.0f} dBFS"
    if peak >= CLIPPED:
        return warn("level", f"{found}: too loud", "turn its gain down: alsamixer (F4)")
    return ok("level", found)


def _rates(sounddevice: Any, device: InputDevice) -> Check:
    taken = [rate for rate in RATES if _takes(sounddevice, device, rate)]
    found = ", ".join(f"{rate} Hz" for rate in taken) or f"{device.default_sample_rate:.0f} Hz"
    return ok("sample rates", found)


def _takes(sounddevice: Any, device: InputDevice, rate: int) -> bool:
    try:
        with quiet_libraries():
            sounddevice.check_input_settings(
                device=device.number, channels=1, dtype="float32", samplerate=rate
            )
    except sounddevice.PortAudioError:
        return False
    return True


def _level(device: InputDevice) -> Check:
    blocks, n_missing = [], 0
    try:
        with Microphone(device.number) as microphone:
            n_missing = int(LISTEN_SECONDS * microphone.sample_rate)
            for chunk in microphone.chunks():
                blocks.append(chunk)
                n_missing -= len(chunk)
                if n_missing <= 0:
                    break
    except SerEdgeError as error:
        return fail("level", str(error))
    return judge_level(np.concatenate(blocks))
