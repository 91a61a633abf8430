"""From utterances to model inputs: windows or whole clips, standardised, in batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import clip_windows
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureExtractor, window_features
from edge_runtime.metadata import ModelMetadata
from train.augment import Packed, spec_augment
from train.cache import FeatureCache
from train.corpora import Utterance
from train.extraction import Extraction
from train.features import log_mel_config, to_frames
from train.mixup import mixup
from train.recipe import Recipe

# Keeps a feature that never varies from dividing by zero.
LEAST_SCALE = 1e-3
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Clips:
    """Utterances with what was extracted of them and the index of their label.

    Attributes
    ----------
    utterances : list of Utterance
        One for each recording, or for each of its varied copies.
    frames : list of ndarray of float32
        Log-mel frames, (T, n_mels), where the recipe's examples are windows; frames with their
        level last, (T, frame_dim + 1), where they are clips.
    targets : ndarray of int
        Index of each label.
    """

    utterances: list[Utterance]
    frames: list[Array]
    targets: NDArray[np.int64]

    @cached_property
    def packed(self) -> Packed:
        """The log-mel frames, to cut windows out of."""
        return Packed(self.frames)


def extraction_of(recipe: Recipe) -> Extraction:
    """What a recipe computes of every recording.

    Raises
    ------
    SerEdgeError
        When windows are asked for of features that do not follow from log-mel frames.
    """
    if recipe.examples == "windows":
        config, least = log_mel_config(recipe.features), recipe.window_frames
    else:
        pooled = recipe.features.pool == "mean"
        # Silence would enter the mean.
        config, least = recipe.features, 0 if pooled else recipe.window_frames
    return Extraction(config, recipe.preprocess, least)


def load_clips(
    utterances: list[Utterance], labels: tuple[str, ...], recipe: Recipe, cache: FeatureCache
) -> Clips:
    """Load the utterances whose emotion, after merging, is one of the labels.

    Raises
    ------
    SerEdgeError
        When none is left, or one cannot be read.
    """
    return _load(utterances, labels, recipe, cache, [extraction_of(recipe)])


def load_training_clips(
    utterances: list[Utterance],
    labels: tuple[str, ...],
    recipe: Recipe,
    cache: FeatureCache,
    seed: int,
    corpora: Path | None,
) -> Clips:
    """`load_clips`, followed by the varied copies that the recipe makes of each.

    Only training utterances are ever given here, so no copy is in another part.
    """
    plain = extraction_of(recipe)
    varied = [
        replace(
            plain,
            augmentation=recipe.audio_augmentation,
            corpora=corpora,
            copy=copy,
            seed=seed,
        )
        for copy in range(recipe.audio_augmentation.copies)
    ]
    return _load(utterances, labels, recipe, cache, [plain, *varied])


def _load(
    utterances: list[Utterance],
    labels: tuple[str, ...],
    recipe: Recipe,
    cache: FeatureCache,
    extractions: list[Extraction],
) -> Clips:
    kept, targets = labelled(utterances, labels, recipe)
    if not kept:
        raise SerEdgeError(f"no utterance with a label of {', '.join(labels)}")
    frames: list[Array] = []
    for extraction in extractions:
        loaded = cache.load([u.path for u in kept], extraction)
        frames += [example_frames(clip, recipe) for clip in loaded]
    times = len(extractions)
    return Clips(kept * times, frames, np.array(targets * times))


def labelled(
    utterances: list[Utterance], labels: tuple[str, ...], recipe: Recipe
) -> tuple[list[Utterance], list[int]]:
    """Utterances whose emotion, after merging, is one of the labels, and its index for each."""
    emotions = [recipe.merge.get(u.emotion, u.emotion) for u in utterances]
    kept = [(u, labels.index(e)) for u, e in zip(utterances, emotions) if e in labels]
    return [u for u, _ in kept], [target for _, target in kept]


def example_frames(frames: Array, recipe: Recipe) -> Array:
    """Frames as `Clips` holds them; a window is given the level of its own later."""
    return frames[:, :-1] if recipe.examples == "windows" else frames


def inputs_of(frames: Array, recipe: Recipe, metadata: ModelMetadata) -> tuple[Array, Array]:
    """Model inputs that a recording is judged by, (n, T, D) or (n, D), and their weights, (n,).

    Of windows, those that the device looks at in a clip; of a clip, itself.
    """
    if recipe.examples == "clips":
        features = window_features(metadata.features, frames[: recipe.window_frames])
        return metadata.standardise(features)[None], np.ones(1, dtype=np.float32)
    whole = to_frames(metadata.features, frames)
    level = _extractor(metadata.features).level_dbfs(whole)
    windows, weights = clip_windows(whole, level, metadata.window_frames)
    return standardised(windows, metadata), weights


_extractor = lru_cache(maxsize=8)(FeatureExtractor)


def standardised(windows: Array | list[Array], metadata: ModelMetadata) -> Array:
    """Turn windows of frames, each (T, frame_dim + 1), into model inputs."""
    features = [window_features(metadata.features, window) for window in windows]
    return metadata.standardise(np.stack(features))


class ClipInputs:
    """The inputs of many recordings, ready to be scored again and again.

    Parameters
    ----------
    clips : Clips
        The recordings.
    recipe : Recipe
        Says what of them the model sees.
    metadata : ModelMetadata
        Says how it is standardised.
    """

    def __init__(self, clips: Clips, recipe: Recipe, metadata: ModelMetadata) -> None:
        inputs, self._weights = zip(*(inputs_of(c, recipe, metadata) for c in clips.frames))
        self._borders = np.cumsum([len(part) for part in inputs])[:-1]
        self.inputs = np.concatenate(inputs)
        self.targets = clips.targets

    def scores(self, model: keras.Model) -> Array:
        """Score of each recording, the weighted mean over its inputs, (n_clips, n_labels)."""
        scores = model.predict(self.inputs, batch_size=256, verbose=0)
        parts = np.split(scores, self._borders)
        return np.stack([score_of(part, weights) for part, weights in zip(parts, self._weights)])


def score_of(scores: Array, weights: Array) -> Array:
    """Score of a recording, (n_labels,): the weighted mean of its inputs' scores."""
    return np.asarray(weights @ scores)


class ClipBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Every clip once, in the order that seed and epoch give.

    Parameters
    ----------
    inputs, targets : ndarray of float32, shapes (n, ...) and (n, n_labels)
        The training clips.
    recipe : Recipe
        Says how they are varied.
    seed, epoch : int
        Fix the order and the variation.
    """

    def __init__(
        self, inputs: Array, targets: Array, recipe: Recipe, seed: int, epoch: int
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=16)
        self._inputs = inputs
        self._targets = targets
        self._augmentation = recipe.augmentation
        self._size = recipe.training.batch_size
        self._key = (seed, epoch)
        self._order = np.random.default_rng(self._key).permutation(len(inputs))

    def __len__(self) -> int:
        return -(-len(self._inputs) // self._size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        rng = np.random.default_rng([*self._key, index + 1])
        chosen = self._order[index * self._size : (index + 1) * self._size]
        inputs = self._inputs[chosen]
        time, band = self._augmentation.time_mask, self._augmentation.band_mask
        if (time or band) and inputs.ndim == 3:
            inputs = np.stack([spec_augment(clip, time, band, rng) for clip in inputs])
        return mixup(inputs, self._targets[chosen], self._augmentation.mixup, rng)


def one_hot(targets: NDArray[np.int64], n_labels: int) -> Array:
    """Targets as rows with a single one, (n, n_labels)."""
    return np.eye(n_labels, dtype=np.float32)[targets]


def fit_normaliser(recipe: Recipe, labels: tuple[str, ...], train: Clips) -> ModelMetadata:
    """Metadata with the mean and deviation of every feature over the training recordings."""
    width = recipe.features.feature_dim
    blank = ModelMetadata(
        name=recipe.name,
        labels=labels,
        features=recipe.features,
        window_frames=recipe.window_frames,
        hop_seconds=recipe.hop_seconds,
        feature_mean=(0.0,) * width,
        feature_scale=(1.0,) * width,
    )
    if not recipe.normalise:
        return blank
    sums, squares, count = np.zeros(width), np.zeros(width), 0
    for frames in train.frames:
        features = inputs_of(frames, recipe, blank)[0].reshape(-1, width).astype(np.float64)
        sums += features.sum(axis=0)
        squares += (features**2).sum(axis=0)
        count += len(features)
    mean = sums / count
    scale = np.maximum(np.sqrt(np.maximum(squares / count - mean**2, 0.0)), LEAST_SCALE)
    return replace(
        blank,
        feature_mean=tuple(np.round(mean, 6).tolist()),
        feature_scale=tuple(np.round(scale, 6).tolist()),
    )
