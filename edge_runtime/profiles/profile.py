"""A profile: what makes the model's answers those for one speaker."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import EMBEDDING, ModelMetadata
from edge_runtime.profiles.fit import LEAST_PROBABILITY


@dataclass(frozen=True)
class Gain:
    """What a profile gains on the clips it was made of, each left out in turn.

    Attributes
    ----------
    clips : int
        How many were judged: those of an emotion that has more than one.
    emotions : int
        How many emotions they are of.
    before, after : float
        UAR of the model by itself, over the same emotions, and with the profile; 0 to 1.
    deviation : float
        Standard deviation of ``after - before`` that chance alone gives so few clips.
    """

    clips: int
    emotions: int
    before: float
    after: float
    deviation: float

    @property
    def helps(self) -> bool:
        """Whether it is more often right than the model by itself, by more than a deviation."""
        return self.after - self.before > self.deviation

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Profile:
    """What decides for one speaker; see `edge_runtime.profiles.fit.Fit`.

    Attributes
    ----------
    name : str
        Whose it is.
    model : str
        SHA-256 of the model file that it goes with.
    model_id : str
        That model's name and short hash, for people.
    labels : tuple of str
        All labels of the model.
    emotions : tuple of str
        Those that were enrolled, in the order of the labels: no other is answered.
    weights : ndarray of float32, shape (d, n_emotions)
        What each value of the embedding counts.
    bias : ndarray of float32, shape (n_emotions,)
        What is added.
    prior_weight : float
        What the logarithm of the model's own probability counts.
    created : str
        UTC time, ISO 8601.
    clips : dict of str to int
        Number of clips of each emotion.
    gain : Gain or None
        None where there was no second clip of any emotion.
    """

    name: str
    model: str
    model_id: str
    labels: tuple[str, ...]
    emotions: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    prior_weight: float
    created: str
    clips: dict[str, int]
    gain: Gain | None

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        return np.array([self.labels.index(emotion) for emotion in self.emotions])

    def to_dict(self) -> dict[str, Any]:
        """All but its weights, as JSON types."""
        return {
            "name": self.name,
            "model": self.model,
            "model_id": self.model_id,
            "created": self.created,
            "labels": list(self.labels),
            "emotions": list(self.emotions),
            "clips": self.clips,
            "prior_weight": self.prior_weight,
            "gain": None if self.gain is None else self.gain.to_dict(),
        }

    def scores(
        self, scores: NDArray[np.float32], embedding: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Probabilities for this speaker.

        Parameters
        ----------
        scores : ndarray of float32, shape (..., n_labels)
            The model's own calibrated probabilities.
        embedding : ndarray of float32, shape (..., d)
            Its second output.

        Returns
        -------
        ndarray of float32, shape (..., n_labels)
            They sum to 1; those of emotions that were not enrolled are 0.
        """
        own = np.log(np.maximum(scores[..., self._places], LEAST_PROBABILITY))
        logits = embedding @ self.weights + self.bias + np.float32(self.prior_weight) * own
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        answered = np.zeros(scores.shape, np.float32)
        answered[..., self._places] = powers / powers.sum(axis=-1, keepdims=True)
        return answered

    def check_model(self, model_hash: str, metadata: ModelMetadata, size: int) -> None:
        """Refuse a model that the profile was not made with.

        Raises
        ------
        SerEdgeError
            When it is another file, or its embedding is of another size.
        """
        if model_hash == self.model and (metadata.labels, size) == (self.labels, len(self.weights)):
            return
        raise SerEdgeError(
            f"profile {self.name}: was made with the model {self.model_id}, not with this one "
            f"({metadata.name}@{model_hash[:8]}); enrol anew: ser-edge enrol {self.name} --again, "
            "or use that model: --model FILE"
        )


def require_embedding(path: object, metadata: ModelMetadata) -> None:
    """Refuse a model that gives scores alone.

    Raises
    ------
    SerEdgeError
        When it has no embedding.
    """
    if EMBEDDING not in metadata.outputs:
        raise SerEdgeError(
            f"{path}: has no output {EMBEDDING!r}, which profiles need; convert the model again "
            "with ser-convert"
        )
