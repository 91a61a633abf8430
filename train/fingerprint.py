"""What a training depends on, in a few characters, so that no other is taken for it."""

from __future__ import annotations

import hashlib
import json

from train.recipe import Recipe
from train.splits import Split


def fingerprint(recipe: Recipe, split: Split, seed: int) -> str:
    """Digest of a recipe, of who is where in a split with which emotion, and of a seed.

    Parameters
    ----------
    recipe : Recipe
        As it is trained.
    split : Split
        All its parts count.
    seed : int
        Of the training.

    Returns
    -------
    str
        Hexadecimal; equal where a training would be the same on recordings of the same names.
    """
    parts = [
        [(u.corpus, u.name, u.emotion) for u in part]
        for part in (split.train, split.validation, split.test)
    ]
    described = json.dumps([recipe.to_dict(), split.name, split.labels, parts, seed])
    return hashlib.sha256(described.encode()).hexdigest()
