"""What is kept of the clips that a speaker enrolled: what the model made of them, never sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.array_file import Arrays

FIELDS = ("embeddings", "scores", "emotions", "sources")


@dataclass(frozen=True)
class Clip:
    """One clip.

    Attributes
    ----------
    embedding : ndarray of float32, shape (d,)
        The model's second output.
    scores : ndarray of float32, shape (n_labels,)
        Its first, calibrated: a probability for every label of the model.
    emotion : str
        Which the speaker meant.
    source : str
        Where it is from: the name of a prompt, or what tells a file from all others. A clip of the
        same takes its place.
    """

    embedding: NDArray[np.float32]
    scores: NDArray[np.float32]
    emotion: str
    source: str


@dataclass
class Clips:
    """Clips in the order in which they came.

    Attributes
    ----------
    items : list of Clip
        The clips.
    """

    items: list[Clip] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def sources(self) -> set[str]:
        """Where they are from."""
        return {clip.source for clip in self.items}

    def add(self, clip: Clip) -> None:
        """Take a clip, in place of an earlier one from the same source.

        One that was there already from another source, as a recording that was kept, is not
        there twice: it would be judged by itself. Its emotion is that of the later.
        """
        self.remove(clip.source)
        for place, other in enumerate(self.items):
            if _is_same(clip, other):
                self.items[place] = replace(other, emotion=clip.emotion)
                return
        self.items.append(clip)

    def remove(self, source: str) -> None:
        """Forget the clip from a source, if there is one."""
        self.items = [clip for clip in self.items if clip.source != source]

    def count(self, emotion: str) -> int:
        """How many are of an emotion."""
        return sum(clip.emotion == emotion for clip in self.items)

    def to_arrays(self) -> Arrays:
        """Everything as arrays, to be written."""
        return {
            # Half precision: quantisation left them an eighth of its steps.
            "embeddings": np.array([clip.embedding for clip in self.items], np.float16),
            "scores": np.array([clip.scores for clip in self.items], np.float32),
            "emotions": np.array([clip.emotion for clip in self.items], np.str_),
            "sources": np.array([clip.source for clip in self.items], np.str_),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Clips:
        """Give back what `to_arrays` gave.

        Raises
        ------
        SerEdgeError
            When something is missing, does not fit together, or is no number.
        """
        missing = [name for name in FIELDS if name not in arrays]
        if missing:
            raise SerEdgeError(f"it has no {missing[0]}")
        embeddings, scores, emotions, sources = (arrays[name] for name in FIELDS)
        kinds = "".join(array.dtype.kind for array in (embeddings, scores, emotions, sources))
        n_clips = emotions.size
        if kinds != "ffUU" or emotions.shape != (n_clips,) or sources.shape != (n_clips,):
            raise SerEdgeError("its clips do not fit together")
        if not n_clips:
            return cls()
        if embeddings.ndim != 2 or scores.ndim != 2 or len(embeddings) != n_clips:
            raise SerEdgeError("its clips do not fit together")
        if len(scores) != n_clips:
            raise SerEdgeError("its clips do not fit together")
        if not (np.isfinite(embeddings).all() and np.isfinite(scores).all()):
            raise SerEdgeError("its clips are no numbers")
        rows = zip(
            embeddings.astype(np.float32),
            scores.astype(np.float32),
            emotions.tolist(),
            sources.tolist(),
        )
        return cls([Clip(*row) for row in rows])

    def check_widths(self, size: int, labels: Sequence[str]) -> None:
        """Refuse clips that another model was given, or of no label.

        Raises
        ------
        SerEdgeError
            When embeddings are not of this size, or scores or emotions not of these labels.
        """
        for clip in self.items:
            if (len(clip.embedding), len(clip.scores)) != (size, len(labels)):
                raise SerEdgeError("its clips are of another model")
            if clip.emotion not in labels:
                raise SerEdgeError("its clips are of no label")


def _is_same(one: Clip, other: Clip) -> bool:
    # As they are kept; on disk they are rounded.
    return np.array_equal(one.embedding.astype(np.float16), other.embedding.astype(np.float16))
