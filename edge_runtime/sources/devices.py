"""Which microphones there are, and which one is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources import portaudio

NO_MICROPHONE = (
    "no microphone: the sound system lists no input device; plug one in and see: ser-edge devices"
)

# ALSA's number of the card and of the device on it, which change like PortAudio's.
CARD_NUMBER = re.compile(r" \(hw:\d+,\d+\)$")


@dataclass(frozen=True)
class InputDevice:
    """A device that sound can be recorded from.

    Parameters
    ----------
    number : int
        Its place in PortAudio's list; changes when devices come and go.
    name : str
        Its name, which stays but for the number of ALSA's card, as in "(hw:1,0)".
    host_api : str
        The sound system that offers it, such as "ALSA".
    input_channels : int
        How many channels it records at most.
    default_sample_rate : float
        Samples per second that it prefers.
    is_default : bool
        Whether it is taken when no other is named.
    """

    number: int
    name: str
    host_api: str
    input_channels: int
    default_sample_rate: float
    is_default: bool


def list_devices() -> list[InputDevice]:
    """List the devices that sound can be recorded from.

    Returns
    -------
    list of InputDevice
        In the order of their numbers; empty when there is none.

    Raises
    ------
    SerEdgeError
        When sounddevice or the PortAudio library is missing.
    """
    return input_devices(portaudio.load())


def input_devices(sounddevice: Any) -> list[InputDevice]:
    """List the input devices that an opened PortAudio knows.

    Parameters
    ----------
    sounddevice : module
        The sounddevice package.

    Returns
    -------
    list of InputDevice
        In the order of their numbers.
    """
    try:
        entries = sounddevice.query_devices()
        host_apis = sounddevice.query_hostapis()
    except sounddevice.PortAudioError as error:
        raise SerEdgeError(f"the devices cannot be listed: {portaudio.reason(error)}") from error
    default = sounddevice.default.device[0]
    return [
        InputDevice(
            number=entry["index"],
            name=entry["name"],
            host_api=host_apis[entry["hostapi"]]["name"],
            input_channels=entry["max_input_channels"],
            default_sample_rate=entry["default_samplerate"],
            is_default=entry["index"] == default,
        )
        for entry in entries
        if entry["max_input_channels"] > 0
    ]


def find_device(wanted: int | str | None, devices: Sequence[InputDevice]) -> InputDevice:
    """Find the device that the user means.

    Parameters
    ----------
    wanted : int, str or None
        A number, a number in digits, the name or a part of it in any case; None for the default.
    devices : sequence of InputDevice
        Those there are.

    Returns
    -------
    InputDevice
        The one; a whole name wins over parts of names, and where only the number of ALSA's card
        in it, as in "(hw:1,0)", differs, it is the same device.

    Raises
    ------
    SerEdgeError
        When none or several match.

    Examples
    --------
    >>> usb = InputDevice(3, "USB Audio: - (hw:1,0)", "ALSA", 1, 44100.0, False)
    >>> find_device("usb", [usb]).number
    3
    >>> find_device("USB Audio: - (hw:0,0)", [usb]).number
    3
    """
    if not devices:
        raise SerEdgeError(NO_MICROPHONE)
    if wanted is None:
        return _default(devices)
    text = str(wanted).strip()
    if isinstance(wanted, int) or text.isdecimal():
        matches = [device for device in devices if device.number == int(wanted)]
        what = f"input device with number {int(wanted)}"
    else:
        matches = _named(text.casefold(), devices)
        what = f"input device with {text!r} in its name"
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise SerEdgeError(f"--device: there is no {what}; see: ser-edge devices")
    listed = ", ".join(f"{device.number} {device.name!r}" for device in matches)
    raise SerEdgeError(
        f"--device: {len(matches)} input devices have {text!r} in their name ({listed}); "
        "give the number or more of the name"
    )


def _default(devices: Sequence[InputDevice]) -> InputDevice:
    for device in devices:
        if device.is_default:
            return device
    raise SerEdgeError(
        "no microphone: the sound system has no default input device; "
        "name one with --device, see: ser-edge devices"
    )


def _named(text: str, devices: Sequence[InputDevice]) -> list[InputDevice]:
    exact = [device for device in devices if device.name.casefold() == text]
    if exact or not text:
        return exact
    part = [device for device in devices if text in device.name.casefold()]
    lasting = CARD_NUMBER.sub("", text)
    return part or [
        device for device in devices if CARD_NUMBER.sub("", device.name.casefold()) == lasting
    ]
