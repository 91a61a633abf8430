"""Keeps a training under way on disk, so that a killed one goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.atomic import replacing, temporary_of
from train.progress import say

CHECKPOINT = "checkpoint.npz"
CHECKPOINT_VERSION = 2  # raise it when the file changes its form or the loop its state

Weights = list[NDArray[Any]]
Arrays = dict[str, NDArray[Any]]


class Checkpoint:
    """One file with everything that the next round of a training depends on.

    Parameters
    ----------
    folder : Path or None
        Where it is kept, by one process at a time; None keeps nothing.
    fingerprint : str
        Names recipe, split and seed; a file of another training is not used.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self._path = None if folder is None else folder / CHECKPOINT
        self._fingerprint = fingerprint
        self._can_write = folder is not None

    def save(self, model: keras.Model, kept: dict[str, Weights], state: dict[str, Any]) -> None:
        """Write the model, its optimizer, other weights of it and the loop's state, whole or not.

        A disk that takes no more is said once; training goes on without.
        """
        if self._path is None or not self._can_write:
            return
        described = {
            "version": CHECKPOINT_VERSION,
            "fingerprint": self._fingerprint,
            "state": state,
        }
        arrays: Arrays = {
            "described": np.array(json.dumps(described)),
            **_arrays(model, kept),
        }
        try:
            with replacing(self._path) as temporary:
                np.savez(temporary, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            self._can_write = False
            say(
                f"{self._path}: cannot be written ({error.strerror or error}); training goes on, "
                "but could not be resumed from here"
            )

    def load(
        self, model: keras.Model, names: Collection[str], keys: Collection[str]
    ) -> tuple[dict[str, Weights], dict[str, Any]] | None:
        """Bring a compiled model to where the file left it.

        Parameters
        ----------
        model : keras.Model
            Left as it is where there is nothing to go on with.
        names : collection of str
            What of other weights must be there, each list of them whole or empty.
        keys : collection of str
            What the loop's state must have, and nothing else.

        Returns
        -------
        kept : dict of str to list of ndarray
            The other weights.
        state : dict
            The loop's state.

        None where there is no file of this training; a damaged one is said, and one of another
        version.
        """
        if self._path is None or not self._path.exists():
            return None
        try:
            arrays = _read(self._path)
            described = json.loads(str(arrays.pop("described", "{}")))
            version, of = described.get("version"), described.get("fingerprint")
            state = dict(described.get("state", {}))
        except Exception as error:  # a damaged archive fails in any way
            reason = str(error).partition("\n")[0]
            say(f"{self._path}: is damaged ({reason}); training begins anew")
            return None
        if version == CHECKPOINT_VERSION and of != self._fingerprint:
            return None
        same_form = version == CHECKPOINT_VERSION and set(state) == set(keys)
        if not same_form or not _fit(arrays, model, names):
            say(f"{self._path}: is of another version; training begins anew")
            return None
        _assign(model.variables, _listed("model", arrays))
        _assign(model.optimizer.variables, _listed("optimizer", arrays))
        return {name: _listed(name, arrays) for name in names}, state


def remove_checkpoint(folder: Path) -> None:
    """Delete what a training that is done has kept in a folder; it is of no use any more."""
    path = folder / CHECKPOINT
    try:
        path.unlink(missing_ok=True)
        temporary_of(path).unlink(missing_ok=True)
    except OSError as error:
        say(f"{path}: cannot be deleted ({error.strerror or error})")


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _arrays(model: keras.Model, kept: dict[str, Weights]) -> Arrays:
    lists = {
        "model": _values(model.variables),
        "optimizer": _values(model.optimizer.variables),
        **kept,
    }
    return {key: array for name in lists for key, array in _numbered(name, lists[name]).items()}


def _values(variables: list[Any]) -> Weights:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _numbered(name: str, arrays: Weights) -> Arrays:
    return {f"{name}.{number}": array for number, array in enumerate(arrays)}


def _listed(name: str, arrays: Arrays) -> Weights:
    count = sum(key.startswith(f"{name}.") for key in arrays)
    return [arrays[f"{name}.{number}"] for number in range(count)]


def _fit(arrays: Arrays, model: keras.Model, names: Collection[str]) -> bool:
    """Whether arrays can take the place of those of a compiled model."""
    model.optimizer.build(model.trainable_variables)
    weights = model.get_weights()
    known = _arrays(model, {name: weights if _listed(name, arrays) else [] for name in names})
    return {name: (array.shape, array.dtype) for name, array in arrays.items()} == {
        name: (array.shape, array.dtype) for name, array in known.items()
    }


def _assign(variables: list[Any], values: Weights) -> None:
    for variable, value in zip(variables, values):
        variable.assign(value)
