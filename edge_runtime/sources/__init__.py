"""Where sound comes from: a microphone, a file or a pipe, all as chunks of mono samples."""

from __future__ import annotations

from edge_runtime.sources.audio_file import AudioFile
from edge_runtime.sources.clip import read_clip
from edge_runtime.sources.devices import InputDevice, list_devices
from edge_runtime.sources.live import LiveMicrophone
from edge_runtime.sources.microphone import Microphone
from edge_runtime.sources.pcm_stream import PcmStream
from edge_runtime.sources.source import Source

__all__ = [
    "AudioFile",
    "InputDevice",
    "LiveMicrophone",
    "Microphone",
    "PcmStream",
    "Source",
    "list_devices",
    "read_clip",
]
