"""Looks for better values of a recipe, judged on its validation part alone.

What may vary stands in the recipe's table ``[search]``, by dotted key::

    [search]
    "training.learning_rate" = {low = 1e-4, high = 1e-2, log = true}
    "training.batch_size" = {choices = [16, 32, 64]}
    "model.dropout" = {low = 0.1, high = 0.5}
    "features.n_mfcc" = {low = 13, high = 40}

Between whole numbers only whole ones are tried. The folder keeps every trial in
``trials.journal``, so that a search that was ended goes on; ``best.toml`` is the recipe with the
best values, ``trials.csv`` and ``search.png`` show them all.
"""

from __future__ import annotations

from train.search.run import Best, search

__all__ = ["Best", "search"]
