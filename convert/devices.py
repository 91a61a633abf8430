"""The devices that a file is made for: which interpreters must load and run it there."""

from __future__ import annotations

from dataclasses import dataclass

# The last release, and the only interpreter for 32-bit ARM.
NEWEST_TFLITE_RUNTIME = "2.14.0"


@dataclass(frozen=True)
class Device:
    """A family of devices.

    Attributes
    ----------
    name : str
        On the command line (``--target pi-trixie``).
    described : str
        In a few words, for ``--help``.
    backends : dict of str to tuple of str
        For each suffix of a model file the back ends that must run it; empty where none can.
    """

    name: str
    described: str
    backends: dict[str, tuple[str, ...]]

    @property
    def per_channel_dense(self) -> bool:
        """Whether dense layers may have a scale per output.

        That is FULLY_CONNECTED version 12, which tflite-runtime 2.14 does not know.
        """
        return "tflite-runtime" not in self.backends[".tflite"]


DEVICES = {
    device.name: device
    for device in (
        Device(
            "any",
            "every interpreter that ser-edge knows",
            {".tflite": ("litert", "tflite-runtime"), ".onnx": ("onnxruntime",)},
        ),
        Device(
            "pi-bookworm",
            "64-bit Raspberry Pi OS 12, Python 3.11, with either TFLite interpreter",
            {".tflite": ("litert", "tflite-runtime"), ".onnx": ("onnxruntime",)},
        ),
        Device(
            "pi-trixie",
            "64-bit Raspberry Pi OS 13, Python 3.13, with LiteRT",
            {".tflite": ("litert",), ".onnx": ("onnxruntime",)},
        ),
        Device(
            "pi-32bit",
            "32-bit Raspberry Pi OS, with tflite-runtime",
            {".tflite": ("tflite-runtime",), ".onnx": ()},
        ),
    )
}
