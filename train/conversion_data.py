"""What a run leaves for conversion: a representative dataset, and recordings to verify on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.metadata import ModelMetadata
from train.dataset import Clips, inputs_of
from train.features import to_frames
from train.recipe import Recipe

REPRESENTATIVE_FILE = "representative.npz"
HELD_OUT_FILE = "held_out.npz"
REPRESENTATIVE_UTTERANCES = 400
Arrays = dict[str, NDArray[Any]]


def representative_dataset(
    train: Clips, recipe: Recipe, metadata: ModelMetadata, seed: int
) -> Arrays:
    """One input each of training utterances, drawn evenly over class and speaker.

    Parameters
    ----------
    train : Clips
        The training recordings.
    recipe : Recipe
        Says what of them the model sees.
    metadata : ModelMetadata
        Says how it is standardised.
    seed : int
        Fixes what is drawn.

    Returns
    -------
    dict of ndarray
        ``windows`` (n, T, D) or (n, D), float32; ``targets`` (n,), ``speakers`` and
        ``utterances`` (n,) of text; ``lowest`` and ``highest`` (D,), the range of every feature
        over all training recordings.
    """
    rng = np.random.default_rng(seed)
    windows, lowest, highest = [], [], []
    chosen = _drawn(train, rng)
    for index in chosen:
        inputs, weights = inputs_of(train.frames[index], recipe, metadata)
        windows.append(inputs[rng.choice(len(inputs), p=weights / weights.sum())])
    width = metadata.features.feature_dim
    for frames in train.frames:
        rows = inputs_of(frames, recipe, metadata)[0].reshape(-1, width)
        lowest.append(rows.min(axis=0))
        highest.append(rows.max(axis=0))
    utterances = [train.utterances[index] for index in chosen]
    return {
        "windows": np.stack(windows),
        "targets": train.targets[chosen],
        "speakers": np.array([utterance.speaker for utterance in utterances]),
        "utterances": np.array([f"{u.corpus}/{u.name}" for u in utterances]),
        "lowest": np.min(lowest, axis=0),
        "highest": np.max(highest, axis=0),
    }


def _drawn(train: Clips, rng: np.random.Generator) -> list[int]:
    groups: dict[tuple[int, str], list[int]] = {}
    for index, utterance in enumerate(train.utterances):
        groups.setdefault((int(train.targets[index]), utterance.speaker), []).append(index)
    queues = [list(rng.permutation(members)) for members in groups.values()]
    chosen: list[int] = []
    while len(chosen) < REPRESENTATIVE_UTTERANCES and any(queues):
        chosen += [queue.pop() for queue in queues if queue]
    # In random order: any part of the whole is then drawn evenly too.
    return list(rng.permutation(chosen[:REPRESENTATIVE_UTTERANCES]))


def held_out_dataset(parts: dict[str, Clips], recipe: Recipe, metadata: ModelMetadata) -> Arrays:
    """Frames of recordings that no weight was fitted to, as the device computes them.

    Parameters
    ----------
    parts : dict of str to Clips
        ``validation`` and ``test``.
    recipe : Recipe
        Says what of a recording the model sees.
    metadata : ModelMetadata
        Names the features.

    Returns
    -------
    dict of ndarray
        For every part ``PART_frames`` (all frames, frame_dim + 1) of float32, one recording after
        the other, ``PART_lengths`` (n,) in frames, ``PART_targets`` (n,) and ``PART_utterances``
        (n,) of text.
    """
    arrays: Arrays = {}
    for part, clips in parts.items():
        frames = [_seen(clip, recipe, metadata) for clip in clips.frames]
        arrays[f"{part}_frames"] = np.concatenate(frames).astype(np.float32)
        arrays[f"{part}_lengths"] = np.array([len(clip) for clip in frames])
        arrays[f"{part}_targets"] = clips.targets
        arrays[f"{part}_utterances"] = np.array([f"{u.corpus}/{u.name}" for u in clips.utterances])
    return arrays


def _seen(frames: NDArray[np.float32], recipe: Recipe, metadata: ModelMetadata) -> Any:
    """Frames of a recording that its score depends on, their level last."""
    if recipe.examples == "clips":
        return frames[: recipe.window_frames]
    return to_frames(metadata.features, frames)
