"""Fits a network to a split: batches, schedule, selection on validation speakers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from edge_runtime.classifier import clip_windows
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureExtractor, window_features
from edge_runtime.metadata import ModelMetadata
from train import architectures
from train.augment import random_window
from train.corpora import Utterance
from train.features import FeatureCache, to_frames
from train.recipe import Recipe
from train.splits import Split

# Keeps a feature that never varies from dividing by zero.
LEAST_SCALE = 1e-3
REPRESENTATIVE_WINDOWS = 400


@dataclass(frozen=True)
class Clips:
    """Utterances with their log-mel frames and the index of their label."""

    utterances: list[Utterance]
    log_mel: list[NDArray[np.float32]]
    targets: NDArray[np.int64]


@dataclass(frozen=True)
class FittedModel:
    """What a training run yields.

    Attributes
    ----------
    model : keras.Model
        With the weights that did best on the validation speakers.
    metadata : ModelMetadata
        Features, normaliser and labels; provenance is left to the caller.
    representative : ndarray of float32, shape (n, T, D)
        Standardised windows of training utterances, to calibrate quantisation with.
    history : list of dict
        Mean loss since the first step, and validation UAR, at every look.
    """

    model: keras.Model
    metadata: ModelMetadata
    representative: NDArray[np.float32]
    history: list[dict[str, float]]


def load_clips(
    utterances: list[Utterance], labels: tuple[str, ...], merge: dict[str, str], cache: FeatureCache
) -> Clips:
    """Load the utterances whose emotion, after merging, is one of the labels.

    Raises
    ------
    SerEdgeError
        When none is left.
    """
    kept = [u for u in utterances if merge.get(u.emotion, u.emotion) in labels]
    if not kept:
        raise SerEdgeError(f"no utterance with a label of {', '.join(labels)}")
    targets = np.array([labels.index(merge.get(u.emotion, u.emotion)) for u in kept])
    return Clips(kept, cache.load(kept), targets)


class WindowDataset(keras.utils.PyDataset):  # type: ignore[misc]
    """Random, varied windows in batches that draw every corpus and class equally often.

    Parameters
    ----------
    clips : Clips
        Training utterances.
    recipe : Recipe
        Says how windows are cut and varied.
    metadata : ModelMetadata
        Says how they are standardised.
    seed : int
        Fixes every batch: batch i of a seed is always the same.
    """

    def __init__(self, clips: Clips, recipe: Recipe, metadata: ModelMetadata, seed: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=16)
        self._clips = clips
        self._recipe = recipe
        self._metadata = metadata
        self._seed = seed
        self._strata = _strata(clips)

    def __len__(self) -> int:
        return self._recipe.training.steps

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng([self._seed, index])
        size = self._recipe.training.batch_size
        corpora = list(self._strata)
        chosen = []
        for position in range(size):
            classes = self._strata[corpora[position % len(corpora)]]
            members = classes[rng.integers(len(classes))]
            chosen.append(int(rng.choice(members)))
        windows = np.stack(
            [
                random_window(
                    self._clips.log_mel[i],
                    self._recipe.window_frames,
                    self._recipe.augmentation,
                    rng,
                )
                for i in chosen
            ]
        )
        targets = np.eye(len(self._metadata.labels), dtype=np.float32)[self._clips.targets[chosen]]
        return standardised(windows, self._metadata), targets


def _strata(clips: Clips) -> dict[str, list[NDArray[np.int64]]]:
    """Indices of the clips by corpus, and within it by class."""
    corpora = np.array([u.corpus for u in clips.utterances])
    return {
        corpus: [
            np.flatnonzero((corpora == corpus) & (clips.targets == target))
            for target in np.unique(clips.targets[corpora == corpus])
        ]
        for corpus in sorted(set(corpora))
    }


def standardised(
    log_mel_windows: NDArray[np.float32], metadata: ModelMetadata
) -> NDArray[np.float32]:
    """Turn log-mel windows, (n, T, n_mels), into model inputs, (n, T, D)."""
    return _inputs(to_frames(metadata.features, log_mel_windows), metadata)


def _inputs(
    windows: NDArray[np.float32] | list[NDArray[np.float32]], metadata: ModelMetadata
) -> NDArray[np.float32]:
    """Turn windows of frames, each (T, frame_dim + 1), into model inputs, (n, T, D)."""
    features = [window_features(metadata.features, window) for window in windows]
    return metadata.standardise(np.stack(features))


def clip_inputs(
    log_mel: NDArray[np.float32], metadata: ModelMetadata
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Model inputs, (n, T, D), of the windows that the device looks at in a clip; and weights."""
    frames = to_frames(metadata.features, log_mel)
    level = _extractor(metadata.features).level_dbfs(frames)
    windows, weights = clip_windows(frames, level, metadata.window_frames)
    return _inputs(windows, metadata), weights


_extractor = lru_cache(maxsize=8)(FeatureExtractor)


def clip_scores(
    model: keras.Model, log_mel: list[NDArray[np.float32]], metadata: ModelMetadata
) -> NDArray[np.float32]:
    """Score of each clip, the weighted mean over its windows, (n_clips, n_labels)."""
    inputs, weights = zip(*(clip_inputs(clip, metadata) for clip in log_mel))
    scores = model.predict(np.concatenate(inputs), batch_size=256, verbose=0)
    borders = np.cumsum([len(windows) for windows in inputs])[:-1]
    return np.stack([w @ part for w, part in zip(weights, np.split(scores, borders))])


class SelectOnValidation(keras.callbacks.Callback):  # type: ignore[misc]
    """Looks at the validation speakers now and then and keeps the best weights."""

    def __init__(self, clips: Clips, metadata: ModelMetadata, interval: int) -> None:
        super().__init__()
        self._clips = clips
        self._metadata = metadata
        self._interval = interval
        self._best = -1.0
        self._best_weights: list[NDArray[np.float32]] = []
        self.history: list[dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look, when it is time."""
        step = batch + 1
        if step % self._interval == 0 or step == self.params["steps"]:
            self._look(step, float((logs or {}).get("loss", float("nan"))))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Go back to the best weights."""
        self.model.set_weights(self._best_weights)

    def _look(self, step: int, loss: float) -> None:
        scores = clip_scores(self.model, self._clips.log_mel, self._metadata)
        uar = float(balanced_accuracy_score(self._clips.targets, scores.argmax(axis=1)))
        self.history.append({"step": step, "loss": loss, "validation_uar": uar})
        # Keras states the mean loss since the first step.
        print(f"step {step}: mean loss {loss:.3f}, validation UAR {uar:.3f}", flush=True)
        # Of equals the later: it has seen more.
        if uar >= self._best:
            self._best, self._best_weights = uar, self.model.get_weights()


def fit(recipe: Recipe, split: Split, cache: FeatureCache, seed: int) -> FittedModel:
    """Train a recipe on a split.

    Parameters
    ----------
    recipe : Recipe
        What to do.
    split : Split
        Only its train and validation parts are looked at.
    cache : FeatureCache
        Where the features come from.
    seed : int
        Fixes initial weights and batches.

    Returns
    -------
    FittedModel
        The weights that did best on the validation part.
    """
    keras.utils.set_random_seed(seed)
    train = load_clips(split.train, split.labels, recipe.merge, cache)
    validation = load_clips(split.validation, split.labels, recipe.merge, cache)
    metadata = _fit_normaliser(recipe, split, train)
    model = architectures.build(
        recipe.architecture, metadata.input_shape, len(split.labels), recipe.model
    )
    training = recipe.training
    model.compile(
        optimizer=keras.optimizers.AdamW(_one_cycle(recipe), weight_decay=training.weight_decay),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=training.label_smoothing),
    )
    selection = SelectOnValidation(validation, metadata, training.validation_interval)
    model.fit(
        WindowDataset(train, recipe, metadata, seed),
        epochs=1,
        shuffle=False,
        verbose=0,
        callbacks=[selection],
    )
    representative = _representative(train, metadata, seed)
    return FittedModel(model, metadata, representative, selection.history)


def _one_cycle(recipe: Recipe) -> keras.optimizers.schedules.LearningRateSchedule:
    """Warm up over a tenth of the steps, then fall to zero along a cosine."""
    steps = recipe.training.steps
    warmup = max(1, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        recipe.training.learning_rate / 25.0,
        max(1, steps - warmup),
        warmup_target=recipe.training.learning_rate,
        warmup_steps=warmup,
    )


def _fit_normaliser(recipe: Recipe, split: Split, train: Clips) -> ModelMetadata:
    """Mean and deviation of every feature over the training speakers' windows."""
    width = recipe.features.feature_dim
    blank = ModelMetadata(
        name=recipe.name,
        labels=split.labels,
        features=recipe.features,
        window_frames=recipe.window_frames,
        hop_seconds=recipe.hop_seconds,
        feature_mean=(0.0,) * width,
        feature_scale=(1.0,) * width,
    )
    sums, squares, count = np.zeros(width), np.zeros(width), 0
    for log_mel in train.log_mel:
        features = clip_inputs(log_mel, blank)[0].reshape(-1, width).astype(np.float64)
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


def _representative(train: Clips, metadata: ModelMetadata, seed: int) -> NDArray[np.float32]:
    """One window each of training utterances, drawn evenly over class and speaker."""
    rng = np.random.default_rng(seed)
    groups: dict[tuple[int, str], list[int]] = {}
    for index, utterance in enumerate(train.utterances):
        groups.setdefault((int(train.targets[index]), utterance.speaker), []).append(index)
    queues = [list(rng.permutation(members)) for members in groups.values()]
    chosen: list[int] = []
    while len(chosen) < REPRESENTATIVE_WINDOWS and any(queues):
        chosen += [queue.pop() for queue in queues if queue]
    windows = []
    # In random order: conversion takes every other window to calibrate with, and of an even number
    # of groups that would be the same half each time round.
    for index in rng.permutation(chosen[:REPRESENTATIVE_WINDOWS]):
        inputs, weights = clip_inputs(train.log_mel[index], metadata)
        windows.append(inputs[rng.choice(len(inputs), p=weights / weights.sum())])
    return np.stack(windows)
