"""What a model can be converted to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A kind of model file.

    Attributes
    ----------
    name : str
        On the command line (``--int8``) and in the file's provenance.
    ending : str
        Of the file's default name.
    described : str
        In a few words, for ``--help``.
    is_calibrated : bool
        Whether the ranges of its activations come from representative data.
    """

    name: str
    ending: str
    described: str
    is_calibrated: bool = False

    @property
    def suffix(self) -> str:
        """The suffix that its files must have."""
        return self.ending[self.ending.rindex(".") :]


TARGETS = {
    target.name: target
    for target in (
        Target("float32", ".float32.tflite", "TFLite in float32"),
        Target("float16", ".float16.tflite", "TFLite, weights in float16"),
        Target("dynamic", ".dynamic.tflite", "TFLite, weights in int8, activations in float32"),
        Target(
            "int8",
            ".int8.tflite",
            "TFLite, weights, activations, input and output in int8",
            is_calibrated=True,
        ),
        Target(
            "int16",
            ".int16.tflite",
            "TFLite, weights in int8, activations, input and output in int16",
            is_calibrated=True,
        ),
        Target("onnx", ".onnx", "ONNX in float32"),
        Target(
            "onnx-int8",
            ".int8.onnx",
            "ONNX, weights and activations in int8 (QDQ), input and output in float32",
            is_calibrated=True,
        ),
    )
}
