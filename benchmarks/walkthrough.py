"""What the bundled model makes of one recording, step by step, for figures that explain it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event, Hop
from edge_runtime.features import FeatureExtractor, window_features
from edge_runtime.listener import Listener
from edge_runtime.sources import read_clip

# The network before it was quantised, which no device needs.
FLOAT_MODEL = Path(__file__).parent / "models" / "edge.float32.tflite"
CHUNK_SECONDS = 0.1  # about what a sound card delivers at a time

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Walkthrough:
    """Every stage of one recording.

    Attributes
    ----------
    sample_rate : int
        Of the samples.
    frame_seconds, window_seconds : float
        From one frame to the next; length of the model's window.
    labels : tuple of str
        The classes.
    threshold : float
        Least score that is not called unsure.
    samples : ndarray of float32, shape (n_samples,)
        The recording.
    log_mel : ndarray of float32, shape (T, n_mels)
        Its log-mel energies in the bands that the model's features use.
    hops : tuple of Hop
        What each hop brought, as the daemon sees it.
    events : tuple of Event
        What was said.
    clearest_end : float
        Where the window with the highest score ends, in seconds.
    clearest_window : ndarray of float32, shape (window_frames, D)
        That window as the network reads it: level subtracted, standardised.
    float_scores, int8_scores : ndarray of float32, shape (n_windows, n_labels)
        Scores of windows one frame apart, before and after quantisation.
    """

    sample_rate: int
    frame_seconds: float
    window_seconds: float
    labels: tuple[str, ...]
    threshold: float
    samples: Array
    log_mel: Array
    hops: tuple[Hop, ...]
    events: tuple[Event, ...]
    clearest_end: float
    clearest_window: Array
    float_scores: Array
    int8_scores: Array


def walk_through(recording: Path) -> Walkthrough:
    """Run the code of the device on a recording and keep what comes out at each stage.

    Parameters
    ----------
    recording : Path
        A sound file that holds speech for longer than the model's window.

    Returns
    -------
    Walkthrough
        With the bundled model.

    Raises
    ------
    SerEdgeError
        When the file cannot be read, or is shorter than the model's window.
    """
    classifier = Classifier()
    metadata, config = classifier.metadata, classifier.metadata.features
    samples = read_clip(recording, config.sample_rate)
    if config.frames_in(len(samples)) < metadata.window_frames:
        seconds = config.samples_for(metadata.window_frames) / config.sample_rate
        raise SerEdgeError(f"{recording}: is shorter than the model's window of {seconds:.2f} s")
    hops, events = _heard(classifier, samples)
    frames = classifier.extractor.frames(samples)
    ends, int8_scores = _scores(classifier, frames)
    clearest = int(int8_scores.max(axis=1).argmax())
    window = frames[ends[clearest] - metadata.window_frames : ends[clearest]]
    log_mel = FeatureExtractor(
        dataclasses.replace(config, kinds=("log_mel",), level="none")
    ).frames(samples)
    return Walkthrough(
        sample_rate=config.sample_rate,
        frame_seconds=config.hop_length / config.sample_rate,
        window_seconds=config.samples_for(metadata.window_frames) / config.sample_rate,
        labels=metadata.labels,
        threshold=metadata.rejection_threshold,
        samples=samples,
        log_mel=log_mel[:, :-1],
        hops=hops,
        events=events,
        clearest_end=config.samples_for(int(ends[clearest])) / config.sample_rate,
        clearest_window=metadata.standardise(window_features(config, window)),
        float_scores=_scores(Classifier(FLOAT_MODEL), frames)[1],
        int8_scores=int8_scores,
    )


def _heard(classifier: Classifier, samples: Array) -> tuple[tuple[Hop, ...], tuple[Event, ...]]:
    """What the daemon makes of the recording as it comes in."""
    listener = Listener(classifier)
    length = round(CHUNK_SECONDS * classifier.metadata.features.sample_rate)
    steps = [
        step
        for start in range(0, len(samples), length)
        for step in listener.push(samples[start : start + length])
    ]
    events = [event for step in steps for event in step.events]
    return tuple(step.hop for step in steps), (*events, *listener.reset())


def _scores(classifier: Classifier, frames: Array) -> tuple[NDArray[np.int64], Array]:
    """Scores of every window, and the frame after its last."""
    length = classifier.metadata.window_frames
    ends = np.arange(length, len(frames) + 1)
    return ends, np.stack([classifier.window_scores(frames[end - length : end]) for end in ends])
