"""Keeps a training under way on disk, so that a killed one goes on where it was."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from train.progress import say

Weights = list[NDArray[Any]]
# What numpy raises for an archive that is cut short, damaged or none.
DAMAGED = (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error)


class Checkpoint:
    """One file with everything that the next round of a training depends on.

    Parameters
    ----------
    path : Path or None
        Where it is kept; None keeps nothing.
    fingerprint : str
        Names recipe, split and seed; a file of another training is not used.
    """

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint
        self._can_write = path is not None

    def save(self, model: keras.Model, best: Weights, state: dict[str, Any]) -> None:
        """Write the model, its optimizer, the best weights and the loop's state, whole or not.

        A disk that takes no more is said once; training goes on without.
        """
        if self.path is None or not self._can_write:
            return
        described = json.dumps({"fingerprint": self._fingerprint, **state})
        arrays: dict[str, Any] = {
            "state": np.array(described),
            **_numbered("model", _values(model.variables)),
            **_numbered("optimizer", _values(model.optimizer.variables)),
            **_numbered("best", best),
        }
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                np.savez(file, **arrays)
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            self._can_write = False
            say(
                f"{self.path}: cannot be written ({error.strerror}); training goes on, but "
                "could not be resumed from here"
            )
        finally:
            temporary.unlink(missing_ok=True)

    def load(self, model: keras.Model) -> tuple[Weights, dict[str, Any]] | None:
        """Bring a compiled model to where the file left it; None when there is no such file."""
        if self.path is None:
            return None
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            state = json.loads(str(arrays["state"]))
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            say(f"{self.path}: is damaged ({error}); training begins anew")
            return None
        if state.pop("fingerprint", None) != self._fingerprint:
            return None
        model.optimizer.build(model.trainable_variables)
        _assign(model.variables, _listed("model", arrays))
        _assign(model.optimizer.variables, _listed("optimizer", arrays))
        return _listed("best", arrays), state

    def remove(self) -> None:
        """Delete the file: the training is done."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _values(variables: list[Any]) -> Weights:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _numbered(name: str, arrays: Weights) -> dict[str, NDArray[Any]]:
    return {f"{name}.{number}": array for number, array in enumerate(arrays)}


def _listed(name: str, arrays: dict[str, NDArray[Any]]) -> Weights:
    count = sum(key.startswith(f"{name}.") for key in arrays)
    return [arrays[f"{name}.{number}"] for number in range(count)]


def _assign(variables: list[Any], values: Weights) -> None:
    for variable, value in zip(variables, values):
        variable.assign(value)
