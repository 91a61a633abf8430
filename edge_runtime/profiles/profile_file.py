"""A profile as a file, together with the clips that it was made of, so that more can be added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.array_file import Arrays, read_arrays, write_arrays
from edge_runtime.profiles.clips import Clips
from edge_runtime.profiles.profile import Gain, Profile

FORMAT_VERSION = 1
SUFFIX = ".profile"


def write_profile(path: Path, profile: Profile, clips: Clips) -> None:
    """Write a profile and its clips.

    Raises
    ------
    SerEdgeError
        When the file cannot be written.
    """
    about = {
        "format": FORMAT_VERSION,
        "name": profile.name,
        "model": profile.model,
        "model_id": profile.model_id,
        "labels": profile.labels,
        "emotions": profile.emotions,
        "prior_weight": profile.prior_weight,
        "created": profile.created,
        "clips": profile.clips,
        "gain": None if profile.gain is None else profile.gain.to_dict(),
    }
    arrays = {"weights": profile.weights, "bias": profile.bias, **clips.to_arrays()}
    write_arrays(path, about, arrays)


def read_profile(path: Path) -> tuple[Profile, Clips]:
    """Read what `write_profile` wrote.

    Raises
    ------
    SerEdgeError
        When it cannot be read, is damaged, or newer than this runtime understands.
    """
    about, arrays = read_arrays(path)
    version = about.get("format")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise SerEdgeError(
            f"{path}: format {version} is newer than this ser-edge understands "
            f"({FORMAT_VERSION}); upgrade with: pip install --upgrade ser-edge"
        )
    try:
        return _profile(about, arrays), Clips.from_arrays(arrays)
    except (SerEdgeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise SerEdgeError(f"{path}: is damaged ({error}); remove it and enrol again") from error


def _profile(about: dict[str, Any], arrays: Arrays) -> Profile:
    gain = about["gain"]
    weights, bias = arrays["weights"].astype(np.float32), arrays["bias"].astype(np.float32)
    profile = Profile(
        name=str(about["name"]),
        model=str(about["model"]),
        model_id=str(about["model_id"]),
        labels=tuple(map(str, about["labels"])),
        emotions=tuple(map(str, about["emotions"])),
        weights=weights,
        bias=bias,
        prior_weight=float(about["prior_weight"]),
        created=str(about["created"]),
        clips={str(label): int(count) for label, count in about["clips"].items()},
        gain=None if gain is None else Gain(**gain),
    )
    if not set(profile.emotions) <= set(profile.labels):
        raise SerEdgeError("has emotions that are no labels")
    if weights.ndim != 2 or weights.shape[1:] != bias.shape or len(profile.emotions) != len(bias):
        raise SerEdgeError("has weights that do not fit together")
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise SerEdgeError("has weights that are no numbers")
    return profile
