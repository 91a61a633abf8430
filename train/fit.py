"""Fits a recipe's network to a split, from random weights or from another run's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge_runtime.metadata import ModelMetadata
from train import architectures
from train.cache import FeatureCache
from train.checkpoint import Checkpoint
from train.dataset import (
    ClipBatches,
    ClipInputs,
    fit_normaliser,
    load_clips,
    load_training_clips,
    one_hot,
)
from train.fingerprint import fingerprint
from train.lineage import start_of
from train.loop import Plan, rounds_of, run_rounds
from train.material import Material, training_material
from train.recipe import ClipTraining, Recipe, Training
from train.splits import Split
from train.transfer import start_from, started_metadata
from train.window_batches import WindowBatches


@dataclass(frozen=True)
class FittedModel:
    """What a training run yields.

    Attributes
    ----------
    model : keras.Model
        With the weights that did best on the validation part, or with the last ones where the
        recipe has ``restore_best = false``.
    metadata : ModelMetadata
        Features, normaliser and labels; provenance is left to the caller.
    history : list of dict
        Figures of every round, see `train.loop.run_rounds`.
    parts : dict of str to ClipInputs
        The inputs of ``train`` (as far as it has fixed ones) and ``validation``.
    """

    model: keras.Model
    metadata: ModelMetadata
    history: list[dict[str, float]]
    parts: dict[str, ClipInputs]


def fit(
    recipe: Recipe,
    split: Split,
    cache: FeatureCache,
    seed: int,
    folder: Path | None = None,
    corpora: Path | None = None,
) -> FittedModel:
    """Train a recipe on a split.

    Parameters
    ----------
    recipe : Recipe
        What to do.
    split : Split
        Only its train and validation parts are looked at; of the test part it is known whose
        recordings must not be heard without labels, either.
    cache : FeatureCache
        Where the features come from.
    seed : int
        Fixes initial weights, varied copies, batches and what is dropped.
    folder : Path, optional
        Where the training under way is kept, to go on after an interruption.
    corpora : Path, optional
        Where the recipe's augmentation finds its noise and impulse responses, and its teacher the
        unlabelled corpora.

    Returns
    -------
    FittedModel
        The trained network, with what goes with it.

    Raises
    ------
    SerEdgeError
        When a part has no utterance, a recording cannot be read, or training diverges.
    """
    keras.utils.set_random_seed(seed)
    train = load_training_clips(split.train, split.labels, recipe, cache, seed, corpora)
    validation = load_clips(split.validation, split.labels, recipe, cache)
    started = started_metadata(recipe, split.labels)
    metadata = started or fit_normaliser(recipe, split.labels, train)
    model = architectures.build(
        recipe.architecture, metadata.input_shape, len(split.labels), recipe.model
    )
    architectures.begin_with_inverse_dct(model, metadata)
    if recipe.transfer is not None:
        start_from(model, split.labels, recipe.transfer)
    looked_at = ClipInputs(validation, recipe, metadata)
    parts = {"validation": looked_at}
    if isinstance(recipe.training, ClipTraining):
        parts["train"] = ClipInputs(train, recipe, metadata)
        batches, plan = _on_clips(model, parts["train"], recipe, recipe.training, seed)
    else:
        material = training_material(train, recipe, split, cache, folder, corpora)
        batches, plan = _on_windows(model, material, recipe, recipe.training, metadata, seed)
    # The start may have been trained again under the same name.
    start = start_of(recipe.transfer).digest
    checkpoint = Checkpoint(folder, fingerprint(recipe, split, seed) + start)
    history = run_rounds(model, batches, looked_at.scores, looked_at.targets, plan, checkpoint)
    return FittedModel(model, metadata, history, parts)


def _on_windows(
    model: keras.Model,
    material: Material,
    recipe: Recipe,
    training: Training,
    metadata: ModelMetadata,
    seed: int,
) -> tuple[Any, Plan]:
    """Compile for random windows: one-cycle AdamW over a number of steps."""
    rate = _one_cycle(training.learning_rate, training.steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=training.weight_decay)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=training.label_smoothing)
    model.compile(optimizer=optimizer, loss=loss)
    rounds = rounds_of(training.steps, training.validation_interval)
    # Of equals the later: it has seen more.
    plan = Plan(
        len(rounds),
        "uar",
        training.restore_best,
        later_of_equals=True,
        average=training.average,
    )
    return lambda number: WindowBatches(material, recipe, metadata, seed, rounds[number]), plan


def _on_clips(
    model: keras.Model, train: ClipInputs, recipe: Recipe, training: ClipTraining, seed: int
) -> tuple[Any, Plan]:
    """Compile for whole recordings, epoch by epoch."""
    steps = training.epochs * -(-len(train.inputs) // training.batch_size)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=training.label_smoothing)
    model.compile(optimizer=_optimizer(training, steps), loss=loss)
    targets = one_hot(train.targets, model.output_shape[-1])
    if training.balanced:
        # A target's weight scales its cross-entropy.
        counts = np.maximum(targets.sum(axis=0), 1.0)
        targets = targets * (len(targets) / (np.count_nonzero(targets.sum(axis=0)) * counts))
    plan = Plan(
        training.epochs,
        training.monitor,
        training.restore_best,
        patience=training.patience,
        reduce_patience=training.reduce_patience,
        reduce_factor=training.reduce_factor,
    )
    return partial(ClipBatches, train.inputs, targets.astype(np.float32), recipe, seed), plan


def _optimizer(training: ClipTraining, steps: int) -> keras.optimizers.Optimizer:
    rate: Any = training.learning_rate
    if training.schedule == "one-cycle":
        rate = _one_cycle(rate, steps)
    elif training.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    made = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
        "rmsprop": keras.optimizers.RMSprop,
    }[training.optimizer]
    return made(learning_rate=rate, weight_decay=training.weight_decay or None)


def _one_cycle(peak: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Warm up over a tenth of the steps, then fall to zero along a cosine."""
    warmup = max(1, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        peak / 25.0, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup
    )
