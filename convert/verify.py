"""Compares a converted file, run as the device runs it, with the model it came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from convert.fitted import FittedModel
from edge_runtime.backends import Backend, load_backend
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import ENTRY
from edge_runtime.quiet import quiet_libraries


@dataclass(frozen=True)
class Comparison:
    """How far a converted model departs from the float model.

    Attributes
    ----------
    backend : str
        Interpreter and version that ran the converted file.
    windows : int
        Number of windows compared; none of them calibrated the quantisation.
    agreement : float
        Share of windows with the same label, 0 to 1.
    mean_difference, largest_difference : float
        Of a probability, 0 to 1.
    size : int
        Of the file, in bytes.
    """

    backend: str
    windows: int
    agreement: float
    mean_difference: float
    largest_difference: float
    size: int

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.agreement:.1%} same label as the float model on {self.windows} windows of "
            f"training speakers; probabilities differ by {self.mean_difference:.4f} on average, "
            f"at most {self.largest_difference:.4f}; {self.size / 1024:.1f} KB; {self.backend}"
        )


def compare(fitted: FittedModel, converted: Path) -> Comparison:
    """Run the float model in Keras and the converted file in its back end, on the same windows.

    Parameters
    ----------
    fitted : FittedModel
        The original, with the windows to compare on.
    converted : Path
        The converted file.

    Returns
    -------
    Comparison
        How they differ.

    Raises
    ------
    SerEdgeError
        When no back end can run the file, or it does not fit its metadata.
    """
    backend = load_backend(converted)
    _check_fit(fitted, backend)
    got = np.stack([backend.run(window)[0] for window in fitted.comparison])
    wanted = _keras_scores(fitted)
    difference = np.abs(got - wanted)
    return Comparison(
        backend=f"{backend.name} {backend.version}",
        windows=len(wanted),
        agreement=round(float(np.mean(got.argmax(axis=1) == wanted.argmax(axis=1))), 4),
        mean_difference=round(float(difference.mean()), 5),
        largest_difference=round(float(difference.max()), 5),
        size=converted.stat().st_size,
    )


def _check_fit(fitted: FittedModel, backend: Backend) -> None:
    wanted, labels = fitted.metadata.input_shape, len(fitted.metadata.labels)
    if backend.input_shape != wanted:
        raise SerEdgeError(
            f"{fitted.path}: reads windows of {backend.input_shape}, but the {ENTRY} beside it "
            f"describes {wanted}"
        )
    if backend.output_sizes != (labels,):
        raise SerEdgeError(
            f"{fitted.path}: its outputs have {', '.join(map(str, backend.output_sizes))} values, "
            f"but the {ENTRY} beside it names {labels} labels; one output, the scores, can be "
            "converted"
        )


def _keras_scores(fitted: FittedModel) -> NDArray[np.float32]:
    # TensorFlow's start-up notes are of no use here.
    with quiet_libraries():
        model = keras.models.load_model(fitted.path, compile=False, safe_mode=True)
    return np.asarray(model.predict(fitted.comparison, batch_size=64, verbose=0))
