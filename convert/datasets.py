"""The sound that a conversion is calibrated and judged with, as a model's inputs."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.classifier import calibrate, clip_windows, pad_clip
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureExtractor, window_features
from edge_runtime.metadata import ModelMetadata
from edge_runtime.sources import read_clip

LEAST_WINDOWS = 20
MOST_UTTERANCES = 500
N_RANDOM_WINDOWS = 64
# A window is an outlier when its largest value lies that many times further out than is usual.
OUTLIER_REACH = 3.0
SOUND_SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"}
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
Windows = NDArray[np.float32]


@dataclass(frozen=True)
class Representative:
    """The representative dataset: one input each of training utterances.

    Attributes
    ----------
    source : str
        Where it comes from.
    windows : ndarray of float32, shape (n, T, D) or (n, D)
        Standardised inputs, in random order.
    utterances, speakers : tuple of str
        Of each; empty where they are not known.
    targets : tuple of int
        Index of each one's label; empty where it is not known.
    lowest, highest : ndarray of float32, shape (D,), or None
        Range of every feature over all that the model was trained on.
    """

    source: str
    windows: Windows
    utterances: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    targets: tuple[int, ...] = ()
    lowest: Windows | None = None
    highest: Windows | None = None

    def report(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """What it covers, as JSON types."""
        by_label = Counter(labels[target] for target in self.targets)
        return {
            "source": self.source,
            "utterances": len(self.windows),
            "speakers": len(set(self.speakers)),
            "by_label": {name: by_label[name] for name in labels if self.targets},
            "coverage": self.coverage(),
            "outliers": self.outliers(),
        }

    def coverage(self) -> dict[str, Any]:
        """Share of each feature's range in training that occurs here, by its index; {} unknown."""
        if self.lowest is None or self.highest is None:
            return {}
        rows = self.windows.reshape(-1, self.windows.shape[-1])
        inside_low = np.maximum(rows.min(axis=0), self.lowest)
        inside_high = np.minimum(rows.max(axis=0), self.highest)
        span = np.maximum(self.highest - self.lowest, np.finfo(np.float32).tiny)
        shares = np.clip((inside_high - inside_low) / span, 0.0, 1.0)
        return {
            "least": round(float(shares.min()), 4),
            "median": round(float(np.median(shares)), 4),
            "by_feature": [round(float(share), 4) for share in shares],
        }

    def outliers(self) -> list[dict[str, Any]]:
        """Utterances whose largest value lies far beyond the others', the furthest first."""
        peaks = np.abs(self.windows).reshape(len(self.windows), -1).max(axis=1)
        usual = float(np.median(peaks))
        found = np.flatnonzero(peaks > OUTLIER_REACH * usual)
        return [
            {
                "utterance": self.utterances[i] if self.utterances else f"number {i}",
                "peak": round(float(peaks[i]), 2),
                "usual": round(usual, 2),
            }
            for i in found[np.argsort(-peaks[found])]
        ]


@dataclass(frozen=True)
class Recordings:
    """Labelled recordings as the device looks at them: windows that each count for a share.

    Attributes
    ----------
    part : str
        What they are, as "validation" or "test".
    windows : ndarray of float32, shape (n_windows, T, D) or (n_windows, D)
        Standardised inputs.
    weights : ndarray of float32, shape (n_windows,)
        What each counts in its recording; they sum to 1 there.
    owners : ndarray of int, shape (n_windows,)
        Index of each one's recording, ascending.
    targets : ndarray of int, shape (n,)
        Index of each recording's label.
    utterances : tuple of str
        Name of each; empty where they are not known.
    """

    part: str
    windows: Windows
    weights: Windows
    owners: NDArray[np.int64]
    targets: NDArray[np.int64]
    utterances: tuple[str, ...] = field(default=())

    def scores(self, of_windows: Windows, temperature: float = 1.0) -> Windows:
        """Score of each recording, (n, n_labels), from those of its windows."""
        calibrated = np.stack([calibrate(row, temperature) for row in of_windows])
        weighted = calibrated * self.weights[:, None]
        starts = np.searchsorted(self.owners, np.arange(len(self.targets)))
        return np.asarray(np.add.reduceat(weighted, starts, axis=0), dtype=np.float32)


def load_representative(path: Path, metadata: ModelMetadata) -> Representative:
    """Read a representative dataset.

    Parameters
    ----------
    path : Path
        An .npz file with the array ``windows``, as ser-train leaves it, or a folder of sound
        files, of which as many as 500 are drawn.
    metadata : ModelMetadata
        Says what the model reads.

    Raises
    ------
    SerEdgeError
        When it is missing, damaged, too small, constant, or does not fit the model.
    """
    read = _of_folder(path, metadata) if path.is_dir() else _of_npz(path)
    windows = read.windows
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
    return read


def random_windows(metadata: ModelMetadata) -> Representative:
    """Standardised inputs drawn at random, to compare two networks where there is no sound."""
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(N_RANDOM_WINDOWS, *metadata.input_shape)).astype(np.float32)
    return Representative("random numbers", windows)


def load_held_out(path: Path, metadata: ModelMetadata) -> dict[str, Recordings]:
    """Read the recordings that a conversion is judged on.

    Parameters
    ----------
    path : Path
        ``held_out.npz``, as ser-train leaves it, or a folder with a subfolder of sound files for
        each label, and in it one for each speaker where they are known. Half of the speakers are
        "validation", so that nothing is calibrated on a voice of "test"; where they are not known,
        half of the recordings, drawn evenly over the labels.
    metadata : ModelMetadata
        Says what the model reads, and its labels.

    Returns
    -------
    dict of str to Recordings
        "validation" and "test".

    Raises
    ------
    SerEdgeError
        When it is missing, damaged, or does not fit the model.
    """
    if path.is_dir():
        return _of_labelled_folder(path, metadata)
    arrays = _arrays(path, "is no held_out.npz")
    try:
        parts = {part: _recordings(part, arrays, metadata) for part in ("validation", "test")}
    except (KeyError, ValueError, IndexError) as error:
        raise SerEdgeError(f"{path}: is no held_out.npz of this model ({error})") from error
    for recordings in parts.values():
        if not np.all(np.isfinite(recordings.windows)):
            raise SerEdgeError(f"{path}: holds values that are not numbers")
        if recordings.targets.max() >= len(metadata.labels) or recordings.targets.min() < 0:
            raise SerEdgeError(f"{path}: its recordings have labels that the model does not name")
    return parts


def _recordings(part: str, arrays: dict[str, Any], metadata: ModelMetadata) -> Recordings:
    frames = np.asarray(arrays[f"{part}_frames"], dtype=np.float32)
    lengths = np.asarray(arrays[f"{part}_lengths"])
    targets = np.asarray(arrays[f"{part}_targets"]).astype(np.int64)
    width = metadata.features.frame_dim + 1
    if frames.ndim != 2 or frames.shape[1] != width:
        raise ValueError(f"its frames are {frames.shape[1:]}, the model's features {(width,)}")
    if lengths.sum() != len(frames) or len(lengths) != len(targets) or not len(targets):
        raise ValueError("its lengths do not fit its frames")
    clips = np.split(frames, np.cumsum(lengths)[:-1])
    names = tuple(str(name) for name in arrays[f"{part}_utterances"])
    return as_recordings(part, clips, targets, names, metadata)


def as_recordings(
    part: str,
    clips: Iterable[Windows],
    targets: NDArray[np.int64],
    utterances: tuple[str, ...],
    metadata: ModelMetadata,
) -> Recordings:
    """Cut recordings, each given as frames with their level last, into windows."""
    extractor = FeatureExtractor(metadata.features)
    cut = [_inputs(frames, extractor, metadata) for frames in clips]
    return Recordings(
        part=part,
        windows=np.concatenate([inputs for inputs, _ in cut]),
        weights=np.concatenate([weights for _, weights in cut]),
        owners=np.repeat(np.arange(len(cut)), [len(inputs) for inputs, _ in cut]),
        targets=targets,
        utterances=utterances,
    )


def _inputs(
    frames: Windows, extractor: FeatureExtractor, metadata: ModelMetadata
) -> tuple[Windows, Windows]:
    """Inputs of a recording and what each counts; features averaged over time need no padding."""
    windows, weights = [frames], np.ones(1, dtype=np.float32)
    if len(frames) > metadata.window_frames:
        level = extractor.level_dbfs(frames)
        windows, weights = clip_windows(frames, level, metadata.window_frames)
    features = np.stack([window_features(metadata.features, window) for window in windows])
    return metadata.standardise(features), weights


def _of_npz(path: Path) -> Representative:
    arrays = _arrays(path, "is no .npz with an array 'windows'")
    try:
        windows = np.asarray(arrays["windows"], dtype=np.float32)
        known = {
            "utterances": tuple(str(name) for name in arrays.get("utterances", ())),
            "speakers": tuple(str(name) for name in arrays.get("speakers", ())),
            "targets": tuple(int(target) for target in arrays.get("targets", ())),
            "lowest": arrays.get("lowest"),
            "highest": arrays.get("highest"),
        }
    except UNREADABLE as error:
        raise SerEdgeError(f"{path}: is no .npz with an array 'windows' ({error})") from error
    return Representative(str(path), windows, **known)  # type: ignore[arg-type]


def _arrays(path: Path, otherwise: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except FileNotFoundError as error:
        raise SerEdgeError(
            f"{path}: no such file; ser-train leaves one beside every model"
        ) from error
    except UNREADABLE as error:
        raise SerEdgeError(
            f"{path}: {otherwise} ({error}); one of ser-train's is written anew, without training, "
            "when it is deleted and the training called again"
        ) from error


def _of_folder(folder: Path, metadata: ModelMetadata) -> Representative:
    files = _drawn(_sounds(folder))
    rng = np.random.default_rng(0)
    windows = []
    for frames in _frames_of(files, metadata):
        inputs, weights = _inputs(frames, FeatureExtractor(metadata.features), metadata)
        windows.append(inputs[rng.choice(len(inputs), p=weights / weights.sum())])
    names = tuple(str(path.relative_to(folder)) for path in files)
    return Representative(str(folder), np.stack(windows), names)


def _of_labelled_folder(folder: Path, metadata: ModelMetadata) -> dict[str, Recordings]:
    files = [
        [(path, index) for path in _drawn(_sounds(folder / label, missing_is_empty=True))]
        for index, label in enumerate(metadata.labels)
    ]
    parts = _by_speakers(files, folder) or {
        "validation": [one for of_label in files for one in of_label[0::2]],
        "test": [one for of_label in files for one in of_label[1::2]],
    }
    if not parts["test"]:
        raise SerEdgeError(
            f"{folder}: holds no two sound files in a subfolder named as a label "
            f"({', '.join(metadata.labels)})"
        )
    return {
        part: as_recordings(
            part,
            _frames_of([path for path, _ in chosen], metadata),
            np.array([index for _, index in chosen]),
            tuple(str(path.relative_to(folder)) for path, _ in chosen),
            metadata,
        )
        for part, chosen in parts.items()
    }


def _by_speakers(
    files: list[list[tuple[Path, int]]], folder: Path
) -> dict[str, list[tuple[Path, int]]] | None:
    """Part LABEL/SPEAKER/FILE by speakers, or None where a file has no such folder or all one."""
    spoken = [(one, one[0].relative_to(folder).parts) for of_label in files for one in of_label]
    speakers = sorted({parts[1] for _, parts in spoken if len(parts) > 2})
    if len(speakers) < 2 or any(len(parts) < 3 for _, parts in spoken):
        return None
    drawn = np.random.default_rng(0).permutation(speakers)[: len(speakers) // 2].tolist()
    return {
        "validation": [one for one, parts in spoken if parts[1] in drawn],
        "test": [one for one, parts in spoken if parts[1] not in drawn],
    }


def _sounds(folder: Path, missing_is_empty: bool = False) -> list[Path]:
    found = sorted(
        path
        for path in folder.rglob("*")
        # As macOS leaves them in archives, "._NAME.wav" holds no sound.
        if path.suffix.lower() in SOUND_SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
    )
    if not found and not missing_is_empty:
        raise SerEdgeError(f"{folder}: holds no sound file")
    return found


def _drawn(files: list[Path]) -> list[Path]:
    order = np.random.default_rng(0).permutation(len(files))
    return [files[index] for index in order[:MOST_UTTERANCES]]


def _frames_of(files: list[Path], metadata: ModelMetadata) -> Iterator[Windows]:
    extractor = FeatureExtractor(metadata.features)
    for path in tqdm(files, desc="sound files", unit="file", disable=None):
        samples = read_clip(os.fspath(path), metadata.features.sample_rate)
        yield extractor.frames(pad_clip(samples, metadata.features, metadata.window_frames))
