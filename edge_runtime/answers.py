"""The answer about one sound file, for the command line and the web."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.audio_file import printable
from edge_runtime.sources.clip import read_clip


@dataclass(frozen=True)
class Answer:
    """What a model says about a sound file that holds one utterance.

    Attributes
    ----------
    label : str
        The most probable class, or "unsure".
    score : float
        Probability of the most probable class, 0 to 1.
    scores : dict of str to float
        Probability of every class; they sum to 1.
    duration : float
        Length of the sound in seconds.
    latency_ms : float
        Time that features and model took, in milliseconds.
    model : str
        Name and short hash of the model.
    profile : str or None
        Name of the profile in use.
    """

    label: str
    score: float
    scores: dict[str, float]
    duration: float
    latency_ms: float
    model: str
    profile: str | None = None

    def to_text(self) -> str:
        """The answer, then every class from the most to the least probable."""
        ranked = sorted(self.scores.items(), key=lambda item: -item[1])
        return f"{self.label}  ({', '.join(f'{name} {score:.0%}' for name, score in ranked)})"


def classify_file(classifier: Classifier, path: str | os.PathLike[str]) -> Answer:
    """Classify a sound file.

    Parameters
    ----------
    classifier : Classifier
        The model.
    path : str or path-like
        The file.

    Returns
    -------
    Answer
        See `Classifier.classify`.

    Raises
    ------
    SerEdgeError
        When the file cannot be read or holds nothing to classify; the line names it.
    """
    sample_rate = classifier.metadata.features.sample_rate
    audio = read_clip(path, sample_rate)
    start = time.monotonic()
    try:
        decision = classifier.classify(audio)
    except SerEdgeError as error:
        raise SerEdgeError(f"{printable(path)}: {error}") from error
    return Answer(
        label=decision.label,
        score=decision.score,
        scores=decision.scores,
        duration=round(len(audio) / sample_rate, 3),
        latency_ms=round((time.monotonic() - start) * 1000.0, 3),
        model=classifier.model_id,
        profile=classifier.profile_name,
    )
