"""What is kept of the clips that a speaker enrolled: what the model made of them, never sound."""

from __future__ import annotations

from dataclasses import dataclass, field

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
        Where it is from: the name of a prompt or of a file. A clip of the same takes its place.
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
        """Take a clip, in place of an earlier one from the same source."""
        self.remove(clip.source)
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
            When something is missing or does not fit together.
        """
        missing = [name for name in FIELDS if name not in arrays]
        if missing:
            raise SerEdgeError(f"has no {missing[0]}")
        embeddings, scores, emotions, sources = (arrays[name] for name in FIELDS)
        lengths = {len(one) if one.ndim else -1 for one in (embeddings, scores, emotions, sources)}
        numeric = all(one.dtype.kind == "f" for one in (embeddings, scores))
        worded = all(one.dtype.kind == "U" for one in (emotions, sources))
        if len(lengths) != 1 or not (numeric and worded):
            raise SerEdgeError("has clips that do not fit together")
        if not len(emotions):
            return cls()
        if (embeddings.ndim, scores.ndim, emotions.ndim) != (2, 2, 1):
            raise SerEdgeError("has clips that do not fit together")
        if not (np.isfinite(embeddings).all() and np.isfinite(scores).all()):
            raise SerEdgeError("has clips that are no numbers")
        rows = zip(
            embeddings.astype(np.float32),
            scores.astype(np.float32),
            emotions.tolist(),
            sources.tolist(),
        )
        return cls([Clip(*row) for row in rows])
