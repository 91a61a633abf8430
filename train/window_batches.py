"""Batches of random, varied windows."""

from __future__ import annotations

import keras
import numpy as np

from edge_runtime.metadata import ModelMetadata
from train.augment import random_windows
from train.dataset import Array, standardised
from train.features import to_frames
from train.material import Material
from train.mixup import mixup
from train.recipe import Recipe


class WindowBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Random, varied windows in batches that draw every corpus and class equally often.

    A batch goes round the corpora in the order of their names; where its size is no multiple of
    their number, the first ones have a window more than the others in every batch.

    Parameters
    ----------
    material : Material
        What they are drawn from.
    recipe : Recipe
        Says how windows are cut and varied.
    metadata : ModelMetadata
        Says how they are standardised.
    seed : int
        Fixes every batch: batch i of a seed is always the same.
    steps : range
        Which batches.
    """

    def __init__(
        self,
        material: Material,
        recipe: Recipe,
        metadata: ModelMetadata,
        seed: int,
        steps: range,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=16)
        self._material = material
        self._recipe = recipe
        self._metadata = metadata
        self._seed = seed
        self._steps = steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        rng = np.random.default_rng([self._seed, self._steps[index]])
        recipe = self._recipe
        chosen = self._material.draw(recipe.training.batch_size, rng)
        borrow = recipe.augmentation.borrowed_spectrum > 0.0
        lenders = self._material.draw_like(chosen, rng) if borrow else None
        windows = random_windows(
            self._material.packed, chosen, recipe.window_frames, recipe.augmentation, rng, lenders
        )
        inputs = standardised(to_frames(self._metadata.features, windows), self._metadata)
        return mixup(inputs, self._material.targets[chosen], recipe.augmentation.mixup, rng)
