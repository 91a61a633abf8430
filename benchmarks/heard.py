"""What the model of a run makes of the run's test utterances, window by window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_selection import Selection
from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from train.audio import read_utterance
from train.lineage import known_speakers


@dataclass(frozen=True)
class Heard:
    """What the model makes of an utterance, window by window.

    Attributes
    ----------
    weights, scores, embeddings : ndarray of float32
        See `edge_runtime.Classifier.window_outputs`.
    emotion, speaker : str
        Of the utterance.
    """

    weights: NDArray[np.float32]
    scores: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    emotion: str
    speaker: str


def heard_by(classifier: Classifier, selection: Selection) -> list[Heard]:
    """Have the model hear every utterance.

    Raises
    ------
    SerEdgeError
        When one cannot be used, or the model knows its speaker: what is gained on a voice that a
        model was trained or selected on is no gain.
    """
    _require_strangers(classifier, selection)
    rate = classifier.metadata.features.sample_rate
    return [
        Heard(
            *classifier.window_outputs(read_utterance(utterance.path, rate)),
            emotion,
            utterance.speaker,
        )
        for utterance, emotion in zip(selection.utterances, selection.emotions)
    ]


def _require_strangers(classifier: Classifier, selection: Selection) -> None:
    try:
        known = known_speakers(classifier.metadata.provenance)
    except (KeyError, TypeError) as error:
        raise SerEdgeError(
            f"{classifier.path}: does not say whose voices it was trained on; convert the model of "
            "the run"
        ) from error
    heard = sorted(known & {utterance.speaker for utterance in selection.utterances})
    if heard:
        raise SerEdgeError(
            f"{classifier.path}: was trained or selected on {heard[0]}, whom the run tests; name a "
            "run of a protocol that tests strangers, such as cross-corpus"
        )
