"""Clips of nobody, to measure what a profile costs: that does not depend on what they are.

It runs on the emulated device, too: with nothing but numpy and the runtime.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.classifier import Classifier
from edge_runtime.profiles.clips import Clip, Clips


def random_clips(classifier: Classifier, count: int) -> Clips:
    """Make clips of every label.

    Parameters
    ----------
    classifier : Classifier
        A model with an embedding.
    count : int
        Clips of each label.
    """
    labels, rng = classifier.metadata.labels, np.random.default_rng(0)
    width = classifier.backend.output_sizes[1]
    return Clips(
        [
            Clip(
                rng.normal(size=width).astype(np.float32),
                rng.dirichlet(np.ones(len(labels))).astype(np.float32),
                label,
                f"{label} {number}",
            )
            for label in labels
            for number in range(count)
        ]
    )
