"""The stages of a decision, each with its arithmetic and ready to be timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.arithmetic import Arithmetic, of_frame, of_window
from benchmarks.limit_gate import blocks_in, judging, of_block
from benchmarks.limit_network import OperatorArithmetic
from benchmarks.matrix_products import FLOAT, INT8, NUMPY_FLOAT, invocation
from benchmarks.soundscape import speech_clips
from edge_runtime.classifier import Classifier
from edge_runtime.features import FrameStream, window_features
from edge_runtime.gates import make_gate
from edge_runtime.gates.speech_shape import LEAST_SAMPLE_RATE
from edge_runtime.listener import Listener
from edge_runtime.sources.clip import read_clip

FEATURES, GATE, WINDOW, INFERENCE = "features", "gate", "window", "inference"
NETWORK, DECISION = "network alone", "decision"
PARTS = (FEATURES, GATE, WINDOW, INFERENCE)  # of a decision
PRODUCT_OF_WEIGHTS = {"int8": INT8, "float32": FLOAT}


@dataclass(frozen=True)
class Stage:
    """A stage of a decision.

    Attributes
    ----------
    macs : dict of str to int
        Multiply-accumulates that it needs, by the kind of product that they are compared with.
    run : callable
        Does it once.
    """

    macs: dict[str, int]
    run: Callable[[], Any]


class Stages:
    """The stages of one model's decisions.

    Parameters
    ----------
    classifier : Classifier
        The model.
    network : dict of str to OperatorArithmetic
        What `benchmarks.limit_network.arithmetic_of` gave.

    Attributes
    ----------
    by_name : dict of str to Stage
        "features", the new frames of a hop; "gate", every block of a hop judged, left out where
        the model's rate is too low for it; "window", what is done to a window before the network
        reads it; "inference"; "network alone", without writing its input and reading its output;
        "decision", a hop of speech from the samples to the events.
    one_frame : callable
        Computes a single new frame: the calls of "features" with little arithmetic.
    hop_frames : int
        New frames of a hop.
    hop_seconds : float
        Time between decisions.
    features : Arithmetic
        Of the new frames of a hop.
    """

    def __init__(self, classifier: Classifier, network: dict[str, OperatorArithmetic]) -> None:
        config = classifier.metadata.features
        self._sound = read_clip(speech_clips(None)[0], config.sample_rate)
        has_gate = config.sample_rate >= LEAST_SAMPLE_RATE
        gate = make_gate("energy" if has_gate else "off", config.sample_rate)
        self._listener = Listener(classifier, gate=gate)
        self._listener.push(self._sound)  # the window is full, and the gate knows the noise
        self.hop_seconds = self._listener.hop_seconds
        self.hop_frames = round(self.hop_seconds * config.sample_rate / config.hop_length)
        self.features = of_frame(config).times(self.hop_frames)
        self._n_samples = self.hop_frames * config.hop_length
        if len(self._sound) < self._n_samples:
            self._sound = np.resize(self._sound, self._n_samples)
        self._place = self._n_steps = self._n_decided = 0

        stream, one = FrameStream(classifier.extractor), FrameStream(classifier.extractor)
        hop = self._sound[: self._n_samples]
        for each in (stream, one):  # from here on every push gives all its frames
            each.push(self._sound)
        self.one_frame = lambda: one.push(hop[: config.hop_length])
        self.by_name = {FEATURES: _stage(self.features, lambda: stream.push(hop))}
        if has_gate:
            self.by_name[GATE] = self._gate(config.sample_rate)
        self._add_network(classifier, network)
        parts = [self.by_name[name].macs for name in PARTS if name in self.by_name]
        self.by_name[DECISION] = Stage(_sum(parts), self._decide)

    @property
    def decided_share(self) -> float:
        """Share of the hops timed so far that the gate let through to the network."""
        return self._n_decided / max(1, self._n_steps)

    def _gate(self, sample_rate: int) -> Stage:
        n_blocks = blocks_in(self._n_samples, sample_rate)
        macs = n_blocks * sum(of_block(sample_rate).values()) // 2
        return Stage({NUMPY_FLOAT: macs}, judging(n_blocks, sample_rate))

    def _add_network(self, classifier: Classifier, network: dict[str, OperatorArithmetic]) -> None:
        metadata, backend = classifier.metadata, classifier.backend
        config, n_frames = metadata.features, metadata.window_frames
        frames = classifier.extractor.frames(np.resize(self._sound, config.samples_for(n_frames)))

        def read() -> NDArray[np.float32]:
            return metadata.standardise(window_features(config, frames))

        features = read()
        macs = _sum(
            {PRODUCT_OF_WEIGHTS[weights]: count for weights, count in operator.macs.items()}
            for operator in network.values()
        )
        invoke = invocation(backend.name, classifier.path.read_bytes())
        self.by_name[WINDOW] = _stage(of_window(config, n_frames), read)
        self.by_name[INFERENCE] = Stage(macs, lambda: backend.run(features))
        self.by_name[NETWORK] = Stage(macs, invoke)

    def _decide(self) -> None:
        """Push the next hop of the sound, which goes round."""
        if self._place + self._n_samples > len(self._sound):
            self._place = 0
        start, self._place = self._place, self._place + self._n_samples
        for step in self._listener.push(self._sound[start : self._place]):
            self._n_steps += 1
            self._n_decided += step.hop.scores is not None


def _stage(arithmetic: Arithmetic, run: Callable[[], Any]) -> Stage:
    return Stage({NUMPY_FLOAT: arithmetic.macs}, run)


def _sum(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for macs in parts:
        total.update(macs)
    return dict(total)
