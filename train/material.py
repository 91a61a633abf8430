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
from train.dataset import Array, Clips, example_frames, extraction_of, labelled, one_hot
from train.recipe import Recipe
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
        The log-mel frames of the split's recordings, then of the others.
    targets : ndarray of float32, shape (n, n_labels)
        What each should be scored.
    own, others : dict of str to list of ndarray of int
        By corpus and class, where the split's recordings are, and those of other corpora.
    others_share : float
        Share of the others in a batch.
    """

    packed: Packed
    targets: Array
    own: Strata
    others: Strata
    others_share: float

    def draw(self, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw recordings for a batch, every corpus and class equally often, (size,)."""
        n_others = round(size * self.others_share) if self.others else 0
        return np.concatenate(
            [_drawn(self.own, size - n_others, rng), _drawn(self.others, n_others, rng)]
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
    label and of what the teacher thinks; one of another corpus as the teacher thinks alone, or by
    its label where one speaker alone is trained on.

    Raises
    ------
    SerEdgeError
        When the teacher cannot be asked, or another corpus is missing.
    """
    hard = one_hot(train.targets, len(split.labels))
    distillation = recipe.distillation
    if distillation is None:
        return labelled_material(train, hard)
    others = other_utterances(recipe, split, corpora)
    by_label = has_one_voice(split)
    soft = soft_targets(
        distillation.teacher,
        train.utterances,
        train.targets,
        [] if by_label else others,
        split.labels,
        cache,
        folder,
    )
    weight = np.float32(distillation.weight)
    mixed = weight * soft[: len(hard)] + (1 - weight) * hard
    if not others:
        return labelled_material(train, mixed)
    beside = soft[len(hard) :]
    if by_label:
        beside = one_hot(np.array(labelled(others, split.labels, recipe)[1]), len(split.labels))
    frames = cache.load([u.path for u in others], extraction_of(recipe))
    return Material(
        Packed([*train.frames, *(example_frames(clip, recipe) for clip in frames)]),
        np.concatenate([mixed, beside]),
        _strata(train.utterances, train.targets, 0),
        _strata(others, _emotions(others), len(hard)),
        distillation.unlabelled_share,
    )


def other_utterances(recipe: Recipe, split: Split, corpora: Path | None) -> list[Utterance]:
    """Recordings of other corpora than a split's that a recipe trains on beside it.

    Nobody is among them whom the split selects or judges on: the same voices may be in several
    corpora, as those of RAVDESS and RAVDESS-song are. Where they are trained on by their labels,
    those that have none of the split's are left out.
    """
    if recipe.distillation is None:
        return []
    known = {u.corpus for part in (split.train, split.validation, split.test) for u in part}
    names = [name for name in recipe.distillation.unlabelled if name not in known]
    held_out = {u.speaker for part in (split.validation, split.test) for u in part}
    found = read_corpora(corpora or Path(), names) if names else []
    others = [utterance for utterance in found if utterance.speaker not in held_out]
    return labelled(others, split.labels, recipe)[0] if has_one_voice(split) else others


def has_one_voice(split: Split) -> bool:
    """Whether one speaker alone is trained on.

    Of her a teacher learns what is hers, and what it makes of others is worth nothing; and a
    network cannot know what of her voice is her emotion but from others' labels.
    """
    return len({utterance.speaker for utterance in split.train}) == 1


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
