"""From audio to a probability for every emotion."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import load_backend
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureConfig, FeatureExtractor, window_features
from edge_runtime.metadata import UNSURE, ModelMetadata, model_hash, read_metadata
from edge_runtime.profiles.folder import ProfileFolder
from edge_runtime.profiles.profile import Profile, require_embedding

DEFAULT_MODEL = Path(__file__).parent / "models" / "default.tflite"
# A quarter of the window, so that a clip of any length is looked at several times.
CLIP_HOPS_PER_WINDOW = 4
LEAST_CLIP_SECONDS = 0.25
# Frames of a clip that are quieter than its loudest by more than this hold no speech.
ACTIVE_RANGE_DB = 40.0
LEAST_SCORE = np.finfo(np.float32).tiny  # a zero would stay one at any temperature


@dataclass(frozen=True)
class Decision:
    """The answer for one window or one clip.

    Attributes
    ----------
    label : str
        The most probable class, or "unsure" when its score is below the model's threshold.
    score : float
        Probability of the most probable class, 0 to 1.
    scores : dict of str to float
        Probability of every class; they sum to 1.
    """

    label: str
    score: float
    scores: dict[str, float]


class Classifier:
    """A model file, ready to classify windows and clips.

    Parameters
    ----------
    model : path-like, optional
        A .tflite or .onnx file made by ser-convert; the bundled model by default.
    backend : {"auto", "litert", "tflite-runtime", "onnxruntime"}
        Which interpreter runs it.
    threads : int
        Number of threads that the interpreter may use.
    profile : Profile or str, optional
        Whose answers are given, or the name of a profile that ``ser-edge enrol`` made; those of the
        model alone by default.

    Raises
    ------
    SerEdgeError
        When the file, its metadata and the interpreter do not fit together, or the profile is of
        another model.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    >>> decision = Classifier().classify(noise)
    >>> round(sum(decision.scores.values()), 5)
    1.0
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        backend: str = "auto",
        threads: int = 1,
        profile: Profile | str | None = None,
    ) -> None:
        self.path = Path(model) if model is not None else DEFAULT_MODEL
        self.metadata = read_metadata(self.path)
        self.hash = model_hash(self.path)
        self.backend = load_backend(self.path, backend, threads)
        self.extractor = FeatureExtractor(self.metadata.features)
        _check_fit(self.path, self.metadata, self.backend.input_shape, self.backend.output_sizes)
        self.profile: Profile | None = None
        if profile is not None:
            self.use(ProfileFolder().read(profile)[0] if isinstance(profile, str) else profile)

    def use(self, profile: Profile | None) -> None:
        """Give the answers for one speaker from now on; None for those of the model alone.

        Raises
        ------
        SerEdgeError
            When the profile is of another model; nothing has changed then.
        """
        if profile is not None:
            require_embedding(self.path, self.metadata)
            profile.check_model(self.hash, self.metadata, self.backend.output_sizes[1])
        self.profile = profile

    @property
    def model_id(self) -> str:
        """The model's name and the first digits of its hash."""
        return f"{self.metadata.name}@{self.hash[:8]}"

    @property
    def profile_name(self) -> str | None:
        """Name of the profile in use."""
        return None if self.profile is None else self.profile.name

    @property
    def profile_key(self) -> tuple[str, str] | None:
        """What tells the profile in use from all others: its name and when it was made."""
        return None if self.profile is None else (self.profile.name, self.profile.created)

    def window_scores(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities for one window of frames.

        Parameters
        ----------
        frames : ndarray of float32, shape (window_frames, frame_dim + 1)
            Frames as `FeatureExtractor.frames` and `FrameStream` give them.

        Returns
        -------
        ndarray of float32, shape (n_labels,)
            Probabilities in the order of the model's labels, summing to 1.
        """
        if self.profile is None:
            return self._run(frames, 1)[0]
        scores, embedding = self._run(frames, 2)
        return self.profile.scores(scores, embedding)

    def _run(self, frames: NDArray[np.float32], outputs: int) -> list[NDArray[np.float32]]:
        """Give the model's first outputs for one window, the scores among them calibrated."""
        features = self.metadata.standardise(window_features(self.metadata.features, frames))
        scores, *others = self.backend.run(features, outputs)
        return [calibrate(scores, self.metadata.temperature), *others]

    def decide(self, scores: NDArray[np.float32]) -> Decision:
        """Name the most probable class, or "unsure" below the rejection threshold.

        Parameters
        ----------
        scores : ndarray of float32, shape (n_labels,)
            Probabilities in the order of the model's labels.
        """
        best = int(np.argmax(scores))
        score = float(scores[best])
        sure = score >= self.metadata.rejection_threshold
        by_label = {name: float(value) for name, value in zip(self.metadata.labels, scores)}
        return Decision(self.metadata.labels[best] if sure else UNSURE, score, by_label)

    def clip_scores(self, audio: NDArray[Any]) -> NDArray[np.float32]:
        """Calibrated probabilities for one whole clip, (n_labels,); see `classify`."""
        windows, weights = self._clip_windows(audio)
        scores = np.stack([self.window_scores(window) for window in windows])
        return np.asarray(weights @ scores, dtype=np.float32)

    def clip_outputs(self, audio: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What the model makes of one whole clip, whatever the profile.

        Parameters
        ----------
        audio : ndarray of float, shape (n_samples,)
            See `classify`.

        Returns
        -------
        scores : ndarray of float32, shape (n_labels,)
            The model's own calibrated probabilities, a mean over the clip's windows.
        embedding : ndarray of float32, shape (d,)
            The same mean of its second output.

        Raises
        ------
        SerEdgeError
            As `classify` does, and when the model has no second output.
        """
        weights, scores, embeddings = self.window_outputs(audio)
        return weights @ scores, weights @ embeddings

    def window_outputs(
        self, audio: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """What the model makes of each window of one clip, whatever the profile.

        Parameters
        ----------
        audio : ndarray of float, shape (n_samples,)
            See `classify`.

        Returns
        -------
        weights : ndarray of float32, shape (n_windows,)
            What each window counts; see `clip_windows`.
        scores : ndarray of float32, shape (n_windows, n_labels)
            The model's own calibrated probabilities.
        embeddings : ndarray of float32, shape (n_windows, d)
            Its second output.

        Raises
        ------
        SerEdgeError
            As `classify` does, and when the model has no second output.
        """
        require_embedding(self.path, self.metadata)
        windows, weights = self._clip_windows(audio)
        scores, embeddings = zip(*(self._run(window, 2) for window in windows))
        return weights, np.stack(scores), np.stack(embeddings)

    def _clip_windows(
        self, audio: NDArray[Any]
    ) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
        samples = checked_samples(audio)
        least = LEAST_CLIP_SECONDS
        if len(samples) < least * self.metadata.features.sample_rate:
            seconds = len(samples) / self.metadata.features.sample_rate
            raise SerEdgeError(f"too short to classify: {seconds:.2f} s, at least {least} s needed")
        window_frames = self.metadata.window_frames
        padded = pad_clip(samples, self.metadata.features, window_frames)
        frames = self.extractor.frames(padded)
        return clip_windows(frames, self.extractor.level_dbfs(frames), window_frames)

    def classify(self, audio: NDArray[Any]) -> Decision:
        """Classify one clip that holds one utterance.

        Parameters
        ----------
        audio : ndarray of float, shape (n_samples,)
            Mono samples in [-1, 1] at the model's rate, at least 0.25 s.

        Returns
        -------
        Decision
            From the mean of the probabilities over the clip's windows; see `clip_windows`.

        Raises
        ------
        SerEdgeError
            When the clip is too short, or its samples are no mono sound: see `checked_samples`.
        """
        return self.decide(self.clip_scores(audio))


def checked_samples(audio: NDArray[Any]) -> NDArray[np.float32]:
    """Check that samples are what a model can be asked about.

    Parameters
    ----------
    audio : ndarray of float, shape (n_samples,)
        Mono samples in [-1, 1].

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        The samples.

    Raises
    ------
    SerEdgeError
        When they are integers (of another scale, then), of several channels, NaN or infinite.
    """
    given = np.asarray(audio)
    if given.ndim != 1:
        raise SerEdgeError(f"audio must be one channel of samples, not shape {given.shape}")
    if len(given) and given.dtype.kind != "f":
        raise SerEdgeError(
            f"audio must be floats in [-1, 1], not {given.dtype}; divide int16 samples by 32768"
        )
    samples = given if given.dtype == np.float32 else _single(given)
    if not _all_finite(samples):
        raise SerEdgeError("audio holds samples that are not numbers (NaN or infinity)")
    return samples


def _single(samples: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told as such
        return samples.astype(np.float32)


def _all_finite(samples: NDArray[np.float32]) -> bool:
    # Their energy is finite only if they all are, and costs a third of looking at each.
    return math.isfinite(np.dot(samples, samples)) or bool(np.all(np.isfinite(samples)))


def calibrate(scores: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Apply a temperature to probabilities and make them sum to one.

    Parameters
    ----------
    scores : ndarray of float32, shape (n_labels,)
        Probabilities; quantisation may have left their sum a little off one, or all of them zero.
    temperature : float
        Above 1 flattens, below 1 sharpens.

    Returns
    -------
    ndarray of float32, shape (n_labels,)
        ``p ** (1 / temperature)``, normalised.

    References
    ----------
    .. [1] C. Guo et al., "On calibration of modern neural networks", ICML 2017, eq. 9; a softmax
       of logits divided by T equals its probabilities to the power 1 / T, normalised.
    """
    positive = np.maximum(scores, LEAST_SCORE).astype(np.float64)
    # Relative to the largest, so that however sharp the power, not all of them vanish.
    powered = (positive / positive.max()) ** (1.0 / temperature)
    return np.asarray(powered / powered.sum(), dtype=np.float32)


def pad_clip(audio: NDArray[Any], config: FeatureConfig, window_frames: int) -> NDArray[np.float32]:
    """Surround a clip that is shorter than the model's window with silence.

    Parameters
    ----------
    audio : ndarray of float, shape (n_samples,)
        The clip.
    config : FeatureConfig
        The feature definition.
    window_frames : int
        Number of frames in the model's window.

    Returns
    -------
    ndarray of float32, shape (at least one window,)
        The clip, in the middle of one window when it was shorter.
    """
    samples = np.asarray(audio, dtype=np.float32)
    missing = config.samples_for(window_frames) - len(samples)
    if missing <= 0:
        return samples
    return np.pad(samples, (missing // 2, missing - missing // 2))


def clip_windows(
    frames: NDArray[np.float32], level_dbfs: NDArray[np.float32], window_frames: int
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """Windows that together cover a clip, a quarter of a window apart, and what each counts.

    Parameters
    ----------
    frames : ndarray of float32, shape (T, width)
        Frames of a clip of at least one window.
    level_dbfs : ndarray of float32, shape (T,)
        Level of each frame in dB.
    window_frames : int
        Number of frames in the model's window.

    Returns
    -------
    windows : list of ndarray of float32, each of shape (window_frames, width)
        Views; the last one ends with the clip.
    weights : ndarray of float32, shape (n_windows,)
        In proportion to how many frames of the window hold speech, that is, come within 40 dB
        of the clip's loudest; they sum to 1.
    """
    last = len(frames) - window_frames
    hop = max(1, window_frames // CLIP_HOPS_PER_WINDOW)
    starts = [*range(0, last, hop), last]
    windows = [frames[start : start + window_frames] for start in starts]
    active = level_dbfs >= level_dbfs.max() - ACTIVE_RANGE_DB
    weights = np.array([active[start : start + window_frames].sum() for start in starts])
    return windows, (weights / weights.sum()).astype(np.float32)


def _check_fit(
    path: Path,
    metadata: ModelMetadata,
    input_shape: tuple[int, ...],
    output_sizes: tuple[int, ...],
) -> None:
    if input_shape != metadata.input_shape:
        raise SerEdgeError(
            f"{path}: the model reads {_times(input_shape)} values, but its metadata describes "
            f"{_times(metadata.input_shape)} features; convert the model again with ser-convert"
        )
    if len(output_sizes) != len(metadata.outputs) or output_sizes[0] != len(metadata.labels):
        raise SerEdgeError(
            f"{path}: the model's outputs have {', '.join(map(str, output_sizes))} values, but its "
            f"metadata names {', '.join(metadata.outputs)} with {len(metadata.labels)} labels; "
            "convert the model again with ser-convert"
        )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
