"""What random windows are drawn from: recordings, what each should be scored, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.augment import Packed
from train.cache import FeatureCache
from train.corpora import Utterance, read_corpora
from train.dataset import Array, Clips, example_frames, extraction_of, one_hot
from train.recipe import Distillation, Recipe
from train.splits import Split
from train.teacher import soft_targets

# Of each corpus, the indices of its recordings by class.
Strata = dict[str, list[NDArray[np.int64]]]


@dataclass(frozen=True)
class Material:
    """Recordings to draw windows from.

    Attributes
    ----------
    packed : Packed
        The log-mel frames of the labelled recordings, then of the unlabelled ones.
    targets : ndarray of float32, shape (n, n_labels)
        What each should be scored.
    labelled, unlabelled : dict of str to list of ndarray of int
        By corpus and class, where the recordings are.
    unlabelled_share : float
        Share of unlabelled recordings in a batch.
    """

    packed: Packed
    targets: Array
    labelled: Strata
    unlabelled: Strata
    unlabelled_share: float

    def draw(self, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw recordings for a batch, every corpus and class equally often, (size,)."""
        n_unlabelled = round(size * self.unlabelled_share) if self.unlabelled else 0
        return np.concatenate(
            [
                _drawn(self.labelled, size - n_unlabelled, rng),
                _drawn(self.unlabelled, n_unlabelled, rng),
            ]
        )

    def draw_like(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw for each of some recordings another that should be scored highest as the same."""
        kinds, members = self._kinds
        return np.array([rng.choice(members[kind]) for kind in kinds[chosen]])

    @cached_property
    def _kinds(self) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """Of each recording the class, and of each class the recordings."""
        kinds = self.targets.argmax(axis=1)
        return kinds, [np.flatnonzero(kinds == kind) for kind in range(self.targets.shape[1])]


def _drawn(strata: Strata, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    corpora = list(strata)
    chosen = []
    for position in range(size):
        classes = strata[corpora[position % len(corpora)]]
        chosen.append(rng.choice(classes[rng.integers(len(classes))]))
    return np.array(chosen, np.int64)


def labelled_material(clips: Clips, targets: Array) -> Material:
    """Material of labelled recordings alone."""
    return Material(clips.packed, targets, _strata(clips.utterances, clips.targets, 0), {}, 0.0)


def training_material(
    train: Clips,
    recipe: Recipe,
    split: Split,
    cache: FeatureCache,
    folder: Path | None,
    corpora: Path | None,
) -> Material:
    """What a recipe is trained on.

    Each recording should be scored as its label, or with a teacher as the weighted mean of its
    label and of what the teacher thinks; an unlabelled one as the teacher thinks alone.

    Raises
    ------
    SerEdgeError
        When the teacher cannot be asked, or an unlabelled corpus is missing.
    """
    hard = one_hot(train.targets, len(split.labels))
    distillation = recipe.distillation
    if distillation is None:
        return labelled_material(train, hard)
    others = unlabelled_utterances(distillation, split, corpora)
    soft = soft_targets(
        distillation.teacher,
        train.utterances,
        train.targets,
        others,
        split.labels,
        cache,
        folder,
    )
    weight = np.float32(distillation.weight)
    mixed = weight * soft[: len(hard)] + (1 - weight) * hard
    if not others:
        return labelled_material(train, mixed)
    frames = cache.load([u.path for u in others], extraction_of(recipe))
    return Material(
        Packed([*train.frames, *(example_frames(clip, recipe) for clip in frames)]),
        np.concatenate([mixed, soft[len(hard) :]]),
        _strata(train.utterances, train.targets, 0),
        _strata(others, _emotions(others), len(hard)),
        distillation.unlabelled_share,
    )


def unlabelled_utterances(
    distillation: Distillation, split: Split, corpora: Path | None
) -> list[Utterance]:
    """Recordings of the unlabelled corpora that a split does not know.

    Nobody is among them whom the split selects or judges on: the same voices may be in several
    corpora, as those of RAVDESS and RAVDESS-song are.
    """
    names = unlabelled_corpora(distillation, split)
    held_out = {u.speaker for part in (split.validation, split.test) for u in part}
    found = read_corpora(corpora or Path(), names) if names else []
    return [utterance for utterance in found if utterance.speaker not in held_out]


def unlabelled_corpora(distillation: Distillation, split: Split) -> list[str]:
    """Those of the unlabelled corpora that a split does not know.

    None where one speaker alone is trained on: of her the teacher learns what is hers, and what it
    makes of others is worth nothing.
    """
    if len({utterance.speaker for utterance in split.train}) < 2:
        return []
    known = {u.corpus for part in (split.train, split.validation, split.test) for u in part}
    return [name for name in distillation.unlabelled if name not in known]


def _emotions(utterances: list[Utterance]) -> NDArray[np.int64]:
    """Their emotions as numbers, to draw from all kinds of recordings equally."""
    numbers: NDArray[np.int64] = np.unique([u.emotion for u in utterances], return_inverse=True)[1]
    return numbers


def _strata(utterances: list[Utterance], classes: NDArray[np.int64], first: int) -> Strata:
    """Indices by corpus, and within it by class; the first utterance has the index `first`."""
    corpora = np.array([u.corpus for u in utterances])
    return {
        corpus: [
            first + np.flatnonzero((corpora == corpus) & (classes == number))
            for number in np.unique(classes[corpora == corpus])
        ]
        for corpus in sorted(set(corpora.tolist()))
    }
