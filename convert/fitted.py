"""What conversion starts from: a fitted model's folder, as ser-train leaves it."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import ENTRY, ModelMetadata

REPRESENTATIVE = "representative.npz"
LEAST_WINDOWS = 20
# What numpy raises for files that are no .npz, or a damaged one. A .npy is a TypeError.
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class FittedModel:
    """A Keras model file and what stands beside it.

    Attributes
    ----------
    path : Path
        The .keras file.
    metadata : ModelMetadata
        Goes into the converted file.
    calibration, comparison : ndarray of float32, shape (n, T, D)
        Windows of training utterances: half of them to calibrate quantisation with, the others
        to compare the converted model with the original on.
    """

    path: Path
    metadata: ModelMetadata
    calibration: NDArray[np.float32]
    comparison: NDArray[np.float32]


def load_fitted(path: Path, representative: Path | None = None) -> FittedModel:
    """Read what is needed to convert a model.

    Parameters
    ----------
    path : Path
        The .keras file; ``ser_edge.json`` must stand beside it.
    representative : Path, optional
        An .npz with the array ``windows``; ``representative.npz`` beside the model by default.

    Raises
    ------
    SerEdgeError
        When a file is missing, damaged, or does not fit the model.
    """
    if path.suffix != ".keras" or not path.is_file():
        raise SerEdgeError(f"{path}: no such .keras file")
    described = path.with_name(ENTRY)
    try:
        metadata = ModelMetadata.from_json(described.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SerEdgeError(
            f"{path}: there is no {ENTRY} beside it to say what its features and labels are; "
            "ser-train writes one"
        ) from error
    except (SerEdgeError, UnicodeDecodeError, OSError) as error:
        raise SerEdgeError(f"{described}: {error}") from error
    windows = _load_windows(representative or path.with_name(REPRESENTATIVE), metadata)
    return FittedModel(path, metadata, windows[0::2], windows[1::2])


def _load_windows(path: Path, metadata: ModelMetadata) -> NDArray[np.float32]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            windows = np.asarray(archive["windows"], dtype=np.float32)
    except FileNotFoundError as error:
        raise SerEdgeError(f"{path}: no representative dataset; ser-train writes one") from error
    except UNREADABLE as error:
        raise SerEdgeError(f"{path}: is no .npz with an array 'windows' ({error})") from error
    if windows.shape[1:] != metadata.input_shape:
        raise SerEdgeError(
            f"{path}: its windows are {windows.shape[1:]}, the model reads {metadata.input_shape}"
        )
    if len(windows) < LEAST_WINDOWS:
        raise SerEdgeError(f"{path}: {len(windows)} windows; at least {LEAST_WINDOWS} are needed")
    if not np.all(np.isfinite(windows)):
        raise SerEdgeError(f"{path}: holds values that are not numbers")
    if not np.any(np.ptp(windows, axis=0)):
        raise SerEdgeError(f"{path}: all windows are alike, so they say nothing about ranges")
    return windows
