"""A profile as a file, together with the clips that it was made of, so that more can be added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.array_file import Arrays, damaged, read_arrays, write_arrays
from edge_runtime.profiles.clips import Clips
from edge_runtime.profiles.profile import Gain, Profile

FORMAT_VERSION = 1
SUFFIX = ".profile"
LARGEST = 1e6


def write_profile(path: Path, profile: Profile, clips: Clips) -> None:
    """Write a profile and its clips.

    Raises
    ------
    SerEdgeError
        When the file cannot be written.
    """
    about = {"format": FORMAT_VERSION, **profile.to_dict()}
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
    check_format(path, about)
    try:
        profile, clips = _profile(about, arrays), Clips.from_arrays(arrays)
        clips.check_widths(len(profile.weights), profile.labels)
    except (SerEdgeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(path, error) from error
    return profile, clips


def check_format(path: Path, about: dict[str, Any]) -> None:
    """Refuse a file that is newer than this runtime understands, or that tells no format.

    Raises
    ------
    SerEdgeError
        When it is.
    """
    version = about.get("format")
    if type(version) is not int or version < 1:
        raise damaged(path, "it tells no format")
    if version > FORMAT_VERSION:
        raise SerEdgeError(
            f"{path}: format {version} is newer than this ser-edge understands "
            f"({FORMAT_VERSION}); upgrade with: pip install --upgrade ser-edge"
        )


def _profile(about: dict[str, Any], arrays: Arrays) -> Profile:
    gain = about["gain"]
    profile = Profile(
        name=_text(about["name"]),
        model=_text(about["model"]),
        model_id=_text(about["model_id"]),
        labels=tuple(map(_text, about["labels"])),
        emotions=tuple(map(_text, about["emotions"])),
        weights=_numbers(arrays["weights"]),
        bias=_numbers(arrays["bias"]),
        prior_weight=float(_numbers(np.array(about["prior_weight"], np.float64))),
        created=_text(about["created"]),
        clips={_text(label): int(count) for label, count in about["clips"].items()},
        gain=None if gain is None else _gain(gain),
    )
    emotions, n_emotions = set(profile.emotions), len(profile.emotions)
    if not emotions or len(emotions) < n_emotions or not emotions <= set(profile.labels):
        raise SerEdgeError("its emotions are no labels")
    if profile.weights.shape != (len(profile.weights), n_emotions):
        raise SerEdgeError("its weights do not fit together")
    if profile.bias.shape != (n_emotions,) or not 0.0 <= profile.prior_weight <= 1.0:
        raise SerEdgeError("its weights do not fit together")
    return profile


def _gain(fields: dict[str, Any]) -> Gain:
    return Gain(
        clips=int(fields["clips"]),
        emotions=int(fields["emotions"]),
        **{
            name: float(_numbers(np.array(fields[name], np.float64)))
            for name in ("before", "after", "deviation")
        },
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise SerEdgeError("what should be text is none")
    return value


def _numbers(values: NDArray[Any]) -> NDArray[np.float32]:
    # Larger ones leave no number when they are summed.
    if values.dtype.kind != "f" or not (np.abs(values) <= LARGEST).all():
        raise SerEdgeError("its weights are no numbers")
    return values.astype(np.float32)
