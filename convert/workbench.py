"""What several conversions of one network share: its float forms and its scores, made once."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.child import Child
from convert.datasets import Recordings, Representative
from convert.devices import Device
from convert.original import Original
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import EMBEDDING, SCORES

TFLITE_PYTHON = "SER_EDGE_TFLITE_PYTHON"
PARTS = ("validation", "test")
EQUALISING_WINDOWS = 200
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """How to convert.

    Attributes
    ----------
    device : Device
        What must run the file.
    is_device_chosen : bool
        Whether the user named it: then each of its back ends must be at hand.
    max_uar_drop : float
        In points (hundredths), on validation.
    ranges : str or None
        Of activations, see `convert.ranges`; None tries one after the other.
    tflite_python : str or None
        A Python that has tflite-runtime.
    """

    device: Device
    is_device_chosen: bool = False
    max_uar_drop: float = 0.5
    ranges: str | None = None
    tflite_python: str | None = None

    def python_for(self, backend: str) -> str | None:
        """The Python that runs a back end, or None where there is none."""
        if backend != "tflite-runtime":
            return sys.executable
        # Its numpy is another, so it may not be in this process's Python.
        named = self.tflite_python or os.environ.get(TFLITE_PYTHON)
        return named or (sys.executable if find_spec("tflite_runtime") else None)


class Workbench:
    """A network on its way to the device.

    Parameters
    ----------
    original : Original
        The network.
    representative : Representative
        To calibrate with.
    held_out : dict of str to Recordings, or None
        "validation" and "test" recordings; None where there are none. Then every other
        representative window is kept from calibration, to compare labels on.
    settings : Settings
        How to convert.
    folder : Path
        For intermediate files; the caller removes it.
    """

    def __init__(
        self,
        original: Original,
        representative: Representative,
        held_out: dict[str, Recordings] | None,
        settings: Settings,
        folder: Path,
    ) -> None:
        self.original = original
        self.representative = representative
        self.held_out = held_out
        self.settings = settings
        self.folder = folder
        self._outputs: dict[str, dict[str, Scores]] = {}
        self._n_equalised: int | None = None
        # TensorFlow takes seconds to import: one process does all of it.
        self._worker = Child("convert.worker")

    def close(self) -> None:
        """End the process that works on it."""
        self._worker.close()

    @property
    def calibration_windows(self) -> Scores:
        """What quantisation is calibrated with."""
        windows = self.representative.windows
        return windows if self.held_out else windows[0::2]

    def windows(self, part: str) -> Scores:
        """The windows of "validation" or "test"; the same spare windows where none are held out."""
        if self.held_out:
            return self.held_out[part].windows
        return self.representative.windows[1::2]

    def original_scores(self, part: str) -> Scores:
        """The original network's scores of the windows of a part, (n, n_labels)."""
        return self._original_outputs(part)[SCORES]

    def original_embedding(self, part: str) -> Scores | None:
        """Its embedding of them, (n, size), where it has one."""
        return self._original_outputs(part).get(EMBEDDING)

    def _original_outputs(self, part: str) -> dict[str, Scores]:
        if part not in self._outputs:
            given = self._run_original(np.concatenate([self.windows(name) for name in PARTS]))
            labels = len(self.original.metadata.labels)
            if given[SCORES].shape[1:] != (labels,):
                raise SerEdgeError(
                    f"{self.original.path}: gives {given[SCORES].shape[1]} scores, but its "
                    f"metadata names {labels} labels"
                )
            if not all(np.isfinite(values).all() for values in given.values()):
                raise SerEdgeError(f"{self.original.path}: gives scores that are not numbers")
            first = len(self.windows(PARTS[0]))
            self._outputs = {
                PARTS[0]: {name: values[:first] for name, values in given.items()},
                PARTS[1]: {name: values[first:] for name, values in given.items()},
            }
        return self._outputs[part]

    def _run_original(self, windows: Scores) -> dict[str, Scores]:
        path = self.original.path
        if self.original.kind in ("keras", "saved-model"):
            return self.work("scores", {}, {"windows": windows}, "loading it")[1]
        task = {"model": str(path.resolve()), "backend": "auto"}
        with closing(Child("convert.judge")) as judge:
            result, arrays = judge.run(task, {"windows": windows}, f"{path}: running it")
        if not len(arrays[SCORES]):
            raise SerEdgeError(
                f"{path}: reads windows of {tuple(result['input_shape'])}, but its metadata "
                f"describes {self.original.metadata.input_shape}"
            )
        return arrays

    def work(
        self, task: str, options: dict[str, Any], arrays: dict[str, Any], what: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Have `convert.worker` do a task on the original."""
        return self._worker.run(
            {
                "task": task,
                "original": self.original.to_task(),
                "shape": list(self.original.metadata.input_shape),
                **options,
            },
            arrays,
            f"{self.original.path}: {what}",
        )

    def float_tflite(self) -> Path:
        """A float .tflite file of the network, its recurrent layers written out step by step."""
        path = self.folder / "network.tflite"
        if not path.exists():
            if self.original.kind == "tflite":
                shutil.copy(self.original.path, path)
            else:
                options = {
                    "kind": "float32",
                    "unrolled": True,
                    "per_channel_dense": False,
                    "output": str(path),
                }
                self.work("tflite", options, {}, "conversion to TFLite")
        return path

    def equalised_tflite(self) -> Path | None:
        """`float_tflite` with its channels equalised; None where there is nothing to equalise."""
        path = self.folder / "equalised.tflite"
        if self._n_equalised is None:
            options = {"network": str(self.float_tflite()), "output": str(path)}
            windows = self.calibration_windows[:EQUALISING_WINDOWS]
            result, _ = self.work("equalise", options, {"windows": windows}, "equalising it")
            self._n_equalised = int(result["pairs"])
        return path if self._n_equalised else None

    def float_onnx(self, unrolled: bool) -> Path:
        """A float .onnx file of the network."""
        path = self.folder / f"network{'-unrolled' if unrolled else ''}.onnx"
        if not path.exists():
            if self.original.kind == "onnx":
                shutil.copy(self.original.path, path)
            else:
                options = {"unrolled": unrolled, "output": str(path)}
                self.work("onnx", options, {}, "conversion to ONNX")
        return path
