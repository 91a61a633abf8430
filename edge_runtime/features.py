"""The feature definition and the code that computes it, for whole clips and for streams.

Features come in two stages. *Frames* depend on nothing but their own samples (and, with
pre-emphasis, on the sample before each), so a stream yields the same frames as the whole clip.
*Window features* (`window_features`) then see exactly one window of frames: level and mean are
subtracted, deltas appended, the time axis averaged away.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.chroma import N_CHROMA, chroma, chroma_filter_bank
from edge_runtime.errors import SerEdgeError
from edge_runtime.mel import dct_matrix, lifter_weights, mel_filter_bank
from edge_runtime.pitch import N_PITCH, least_frame_length, pitch
from edge_runtime.spectral import N_SPECTRAL, spectral_shape

# Bounds the working memory of a batch, and keeps it near the cache; more than the largest FFT.
SAMPLES_PER_BLOCK = 98304
LEVEL_FLOOR = 1e-10  # of a frame's energy, whatever floor the features have
BANDS_PER_BLOCK = 16  # of the mel filter bank: fewer zeros to multiply, few calls
DB_PER_NEPER = 10.0 / np.log(10.0)
# numpy 2 can be told where a spectrum goes.
FFT_TAKES_OUT = np.lib.NumpyVersion(np.__version__) >= "2.0.0"

CHOICES = {
    "window": ("hann", "hamming", "rectangular"),
    "spectrum": ("power", "power_over_n", "magnitude"),
    "mel_scale": ("slaney", "htk"),
    "mel_norm": ("slaney", "none"),
    "mel_edges": ("exact", "bins"),
    "log": ("db", "ln"),
    "first_coefficient": ("c0", "log_energy", "none"),
    "level": ("none", "peak"),
    "pool": ("none", "mean"),
}
KINDS = ("mfcc", "log_mel", "rms", "zcr", "chroma", "spectral", "pitch")
MEL_KINDS = {"mfcc", "log_mel"}
SPECTRUM_KINDS = MEL_KINDS | {"chroma", "spectral"}


@dataclass(frozen=True)
class FeatureConfig:
    """The complete definition of the features that a model reads.

    Parameters
    ----------
    kinds : tuple of {"mfcc", "log_mel", "rms", "zcr", "chroma", "spectral", "pitch"}
        What each frame holds, concatenated in this order:

        - "mfcc", mel-frequency cepstral coefficients, `n_mfcc` values, less C0 where that is out;
        - "log_mel", the logarithm of the energy in the mel bands, `n_mels` values;
        - "rms", the root mean square of the samples (the intensity), 1 value;
        - "zcr", the share of the samples at which the sign changes, 1 value;
        - "chroma", the energy in the pitch classes C to B, 12 values from 0 to 1, see
          `edge_runtime.chroma.chroma`;
        - "spectral", centroid, bandwidth and roll-off in kHz, and flatness, 4 values, see
          `edge_runtime.spectral.spectral_shape`;
        - "pitch", the fundamental frequency in Hz (0 where unvoiced) and the strength of
          voicing from 0 to 1, 2 values, see `edge_runtime.pitch.pitch`.

        "rms", "zcr" and "pitch" are of the samples as they are; the others are of their spectrum
        after pre-emphasis and window.
    sample_rate : int
        Samples per second, 4000 to 192000.
    frame_length, hop_length, fft_size : int
        In samples; ``frame_length <= fft_size``, the rest is zero-padded. "pitch" needs frames of
        25 ms or more.
    window : {"hann", "hamming", "rectangular"}
        Periodic analysis window.
    pre_emphasis : float
        Coefficient a of ``y[n] = x[n] - a x[n - 1]``, 0 (off) to below 1.
    spectrum : {"power", "power_over_n", "magnitude"}
        ``|X|**2``, ``|X|**2 / fft_size`` or ``|X|``, of which "mfcc" and "log_mel" are computed.
        "chroma" and "spectral" are of ``|X|**2`` whatever stands here.
    n_mels : int
        Number of mel bands.
    fmin, fmax : float
        Edges of the mel filter bank in hertz; ``fmax = 0`` stands for half the sample rate.
        "chroma" and "spectral" look at the whole spectrum.
    mel_scale, mel_norm, mel_edges : str
        See `edge_runtime.mel.mel_filter_bank`.
    log : {"db", "ln"}
        ``10 log10`` or natural logarithm.
    log_floor : float
        Values are raised to this absolute floor before the logarithm, above 0, at most 1.
    n_mfcc : int
        Number of cepstral coefficients, counted from C0.
    lifter : int
        Liftering parameter; 0 is off.
    first_coefficient : {"c0", "log_energy", "none"}
        Keep C0, put the logarithm of the frame's energy in its place, or leave it out.
    level : {"none", "peak"}
        "peak" subtracts the log-energy of the window's loudest frame from what carries the level
        (every log-mel band, C0, log-energy), so that distance to the microphone does not matter.
        "chroma", "spectral" and "pitch" hardly depend on the level; "rms" keeps it.
    mean_subtraction : bool
        Subtract the window's mean from each coefficient (cepstral mean normalisation).
    delta_order : int
        0, 1 (append deltas) or 2 (and delta-deltas), over the window with its edges repeated.
    delta_reach : int
        Frames on either side that the delta regression looks at, >= 1.
    pool : {"none", "mean"}
        "mean" averages the window over time.

    Raises
    ------
    SerEdgeError
        When a value is out of range, naming the field.

    References
    ----------
    .. [1] S. Young et al., "The HTK Book (v3.4)", section 5 (pre-emphasis eq. 5.1, liftering
       eq. 5.12, deltas eq. 5.16).
    """

    kinds: tuple[str, ...] = ("mfcc",)
    sample_rate: int = 16000
    frame_length: int = 512
    hop_length: int = 160
    fft_size: int = 512
    window: str = "hann"
    pre_emphasis: float = 0.0
    spectrum: str = "power"
    n_mels: int = 64
    fmin: float = 0.0
    fmax: float = 0.0
    mel_scale: str = "slaney"
    mel_norm: str = "slaney"
    mel_edges: str = "exact"
    log: str = "db"
    log_floor: float = 1e-10
    n_mfcc: int = 40
    lifter: int = 0
    first_coefficient: str = "c0"
    level: str = "none"
    mean_subtraction: bool = False
    delta_order: int = 0
    delta_reach: int = 2
    pool: str = "none"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            _require(getattr(self, name) in choices, name, f"one of {', '.join(choices)}")
        kinds_known = all(kind in KINDS for kind in self.kinds)
        kinds_unique = len(set(self.kinds)) == len(self.kinds) > 0
        _require(
            isinstance(self.kinds, tuple) and kinds_known and kinds_unique,
            "kinds",
            f"a non-empty selection of {', '.join(KINDS)}",
        )
        _require(4000 <= self.sample_rate <= 192000, "sample_rate", "4000 to 192000 Hz")
        _require(2 <= self.frame_length <= self.fft_size, "frame_length", "2 to fft_size")
        least_frame = least_frame_length(self.sample_rate) if "pitch" in self.kinds else 2
        _require(
            self.frame_length >= least_frame,
            "frame_length",
            f"at least {least_frame} samples (25 ms) for pitch",
        )
        _require(self.fft_size <= 1 << 16, "fft_size", "at most 65536")
        _require(1 <= self.hop_length <= 1 << 16, "hop_length", "1 to 65536 samples")
        _require(0.0 <= self.pre_emphasis < 1.0, "pre_emphasis", "0 to below 1")
        half_rate = self.sample_rate / 2
        _require(
            0.0 <= self.fmin < self.upper_edge <= half_rate,
            "fmin/fmax",
            f"0 <= fmin < fmax <= {half_rate:g} Hz",
        )
        _require(1 <= self.n_mels <= 512, "n_mels", "1 to 512")
        _require(0.0 < self.log_floor <= 1.0, "log_floor", "above 0, at most 1")
        least_mfcc = 2 if self.first_coefficient == "none" else 1
        n_mfcc_fits = "mfcc" not in self.kinds or least_mfcc <= self.n_mfcc <= self.n_mels
        _require(n_mfcc_fits, "n_mfcc", f"{least_mfcc} to n_mels")
        _require(self.lifter >= 0, "lifter", "0 or more")
        _require(0 <= self.delta_order <= 2, "delta_order", "0, 1 or 2")
        _require(1 <= self.delta_reach <= 16, "delta_reach", "1 to 16 frames")
        if MEL_KINDS.intersection(self.kinds):
            _require(
                bool(np.all(self.filter_bank().any(axis=1))),
                "n_mels",
                f"fewer: with fft_size {self.fft_size} some mel band holds no FFT bin",
            )
        else:
            _require(self.level == "none", "level", "none, as no kind carries a level")

    @property
    def upper_edge(self) -> float:
        """Highest edge of the filter bank in hertz."""
        return self.fmax if self.fmax else self.sample_rate / 2

    @cached_property
    def frame_dim(self) -> int:
        """Number of values in a frame, before the window features."""
        return sum(self.width_of(kind) for kind in self.kinds)

    @property
    def feature_dim(self) -> int:
        """Number of values per frame, D, that the model reads."""
        return self.frame_dim * (1 + self.delta_order)

    def width_of(self, kind: str) -> int:
        """Return the number of values that one of `KINDS` has in a frame."""
        widths = {
            "mfcc": self.n_mfcc - (self.first_coefficient == "none"),
            "log_mel": self.n_mels,
            "rms": 1,
            "zcr": 1,
            "chroma": N_CHROMA,
            "spectral": N_SPECTRAL,
            "pitch": N_PITCH,
        }
        return widths[kind]

    def filter_bank(self) -> NDArray[np.float32]:
        """Mel filters, (n_mels, fft_size // 2 + 1)."""
        return mel_filter_bank(
            self.sample_rate,
            self.fft_size,
            self.n_mels,
            self.fmin,
            self.upper_edge,
            self.mel_scale,
            self.mel_norm,
            self.mel_edges,
        )

    def samples_for(self, n_frames: int) -> int:
        """Return the number of samples that `n_frames` frames span."""
        return self.frame_length + (n_frames - 1) * self.hop_length if n_frames > 0 else 0

    def frames_in(self, n_samples: int) -> int:
        """Return the number of whole frames in `n_samples` samples."""
        return max(0, 1 + (n_samples - self.frame_length) // self.hop_length)

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        return {**dataclasses.asdict(self), "kinds": list(self.kinds)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> FeatureConfig:
        """Build from JSON or TOML values.

        Raises
        ------
        SerEdgeError
            For a field that is unknown, of the wrong type or out of range.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        for name, value in fields.items():
            _require(name in known, ascii(name)[1:-1], "absent: there is no such field")
            _require(
                _type_fits(known[name].default, value),
                name,
                f"of type {type(known[name].default).__name__}",
            )
        values = dict(fields)
        if "kinds" in values:
            values["kinds"] = tuple(values["kinds"])
        return cls(**values)


def _require(condition: bool, field: str, wanted: str) -> None:
    if not condition:
        raise SerEdgeError(f"feature configuration: {field} must be {wanted}")


def _type_fits(default: Any, value: Any) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
    if isinstance(default, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is type(default)


PRESETS = {
    # librosa.feature.mfcc(sr=16000, center=False) with top_db off.
    "librosa": FeatureConfig(
        frame_length=2048, hop_length=512, fft_size=2048, n_mels=128, n_mfcc=20
    ),
    # python_speech_features.mfcc(samplerate=16000) over the frames that are whole.
    "python_speech_features": FeatureConfig(
        frame_length=400,
        hop_length=160,
        fft_size=512,
        window="rectangular",
        pre_emphasis=0.97,
        spectrum="power_over_n",
        n_mels=26,
        mel_scale="htk",
        mel_norm="none",
        mel_edges="bins",
        log="ln",
        log_floor=float(np.finfo(np.float64).eps),
        n_mfcc=13,
        lifter=22,
        first_coefficient="log_energy",
    ),
}


class FeatureExtractor:
    """Computes the features of a `FeatureConfig`.

    The last column of the frames that it gives is each frame's level, the logarithm of its energy
    in the mel bands, or of its mean square where no kind uses these; `window_features` and
    `level_dbfs` consume it. It works in memory of its own: give each thread an extractor.

    Parameters
    ----------
    config : FeatureConfig
        The feature definition.

    Attributes
    ----------
    frames_per_block : int
        Frames that are worked on at a time.

    Examples
    --------
    >>> import numpy as np
    >>> extractor = FeatureExtractor(FeatureConfig())
    >>> extractor(np.zeros(16000, dtype=np.float32)).shape
    (97, 40)
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.config = config
        self._uses_mel = bool(MEL_KINDS.intersection(config.kinds))
        self._uses_spectrum = bool(SPECTRUM_KINDS.intersection(config.kinds))
        if self._uses_mel:
            self._mel_blocks = _mel_blocks(config.filter_bank())
            dct = dct_matrix(config.n_mels, config.n_mfcc).astype(np.float64)
            self._cepstrum = dct * lifter_weights(config.n_mfcc, config.lifter)
            self._band_sum = np.ones(config.n_mels, dtype=np.float32)
            self._floors = np.append(np.full(config.n_mels, config.log_floor), LEVEL_FLOOR)
        if "chroma" in config.kinds:
            self._chroma_filters = chroma_filter_bank(config.sample_rate, config.fft_size)
        self.frames_per_block = SAMPLES_PER_BLOCK // config.fft_size
        self._columns = _columns(config)
        self._reserve()
        self._full_scale_level = self.frames(_full_scale_sine(config))[0, -1]
        self._db_per_unit = 1.0 if config.log == "db" else DB_PER_NEPER
        if config.spectrum == "magnitude" and self._uses_mel:
            self._db_per_unit *= 2.0

    def _reserve(self) -> None:
        """Take the memory of the frames in work, which every block overwrites.

        Memory that is new at every hop has to come from the system page by page, where large
        blocks go back to it at once: that would cost more than the arithmetic.
        """
        config, n_frames = self.config, self.frames_per_block
        n_bins = config.fft_size // 2 + 1
        # The same in every row, which is quicker to multiply with than a single one.
        self._window = np.tile(_analysis_window(config), (n_frames, 1))
        self._samples = np.empty(config.samples_for(n_frames))
        # Columns from frame_length on stay zero.
        self._windowed = np.zeros((n_frames, config.fft_size))
        self._bins = np.empty((n_frames, n_bins), dtype=np.complex128)
        self._parts = np.empty((n_frames, 2 * n_bins), dtype=np.float32)
        self._spectrum = np.empty((n_frames, n_bins), dtype=np.float32)
        self._mel = np.empty((n_frames, config.n_mels + 1), dtype=np.float32)
        self._log_mel = np.empty((n_frames, config.n_mels + 1))
        self._cepstra = np.empty((n_frames, config.n_mfcc))

    def __call__(self, audio: NDArray[Any]) -> NDArray[np.float32]:
        """Features of one whole window or clip: `frames`, then `window_features`.

        Parameters
        ----------
        audio : ndarray of float, shape (n_samples,)
            Mono samples in [-1, 1] at the configured rate.

        Returns
        -------
        ndarray of float32, shape (T, D), or (D,) with ``pool="mean"``
            The features.

        Raises
        ------
        SerEdgeError
            When the audio is shorter than one frame.
        """
        return window_features(self.config, self.frames(audio))

    def frames(self, audio: NDArray[Any]) -> NDArray[np.float32]:
        """Frames of a whole clip.

        Parameters
        ----------
        audio : ndarray of float, shape (n_samples,)
            Mono samples in [-1, 1] at the configured rate.

        Returns
        -------
        ndarray of float32, shape (T, frame_dim + 1)
            One row for each whole frame, its level last; T is 0 for less than a frame.
        """
        return FrameStream(self).push(audio)

    def level_dbfs(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Level of each frame relative to a full-scale sine.

        Parameters
        ----------
        frames : ndarray of float32, shape (T, frame_dim + 1)
            What `frames` or `FrameStream.push` gave.

        Returns
        -------
        ndarray of float32, shape (T,)
            Levels in dB, at most about 0.
        """
        levels: NDArray[np.float32] = frames[:, -1] - self._full_scale_level
        levels *= self._db_per_unit
        return levels

    def fill(self, samples: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Fill `out` with the frames of a stretch of samples.

        Parameters
        ----------
        samples : ndarray of float32, shape (1 + n_samples,)
            The samples, after the one before them, which pre-emphasis looks back at.
        out : ndarray of float32, shape (T, frame_dim + 1)
            Receives as many frames as it has rows, at most `frames_per_block`.
        """
        config = self.config
        precise = self._samples[: len(samples) - 1]
        precise[:] = samples[1:]
        frames = _framed(precise, config, len(out))
        values = self._of_samples(frames)
        if not self._uses_mel:
            out[:, -1] = self._log(_rms(frames)[:, 0] ** 2, LEVEL_FLOOR)
        if self._uses_spectrum:
            if config.pre_emphasis:
                precise -= config.pre_emphasis * samples[:-1].astype(np.float64)
            power = self._power(frames)
            values.update(self._of_power(power))
        if self._uses_mel:
            spectrum = self._scaled(power)
            log_mel_and_level = self._log(self._mel_and_sum(spectrum), self._floors)
            log_mel = log_mel_and_level[:, :-1]
            out[:, -1] = log_mel_and_level[:, -1]
            values["log_mel"] = log_mel
            if "mfcc" in config.kinds:
                values["mfcc"] = self._mfcc(log_mel, spectrum)
        for kind, columns in self._columns.items():
            out[:, columns] = values[kind]

    def _of_samples(self, frames: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """Compute the kinds that need no spectrum, by name."""
        values: dict[str, NDArray[Any]] = {}
        if "rms" in self.config.kinds:
            values["rms"] = _rms(frames)
        if "zcr" in self.config.kinds:
            values["zcr"] = _zero_crossing_rate(frames)
        if "pitch" in self.config.kinds:
            values["pitch"] = pitch(frames, self.config.sample_rate)
        return values

    def _of_power(self, power: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Compute the kinds that are of the power spectrum itself, by name."""
        config = self.config
        values: dict[str, NDArray[Any]] = {}
        if "chroma" in config.kinds:
            values["chroma"] = chroma(power, self._chroma_filters)
        if "spectral" in config.kinds:
            values["spectral"] = spectral_shape(power, config.sample_rate, config.fft_size)
        return values

    def _power(self, frames: NDArray[np.float64]) -> NDArray[np.float32]:
        windowed = self._windowed[: len(frames)]
        inside = windowed[:, : self.config.frame_length]
        np.multiply(frames, self._window[: len(frames)], out=inside)
        # The FFT runs in double precision, as numpy 1 always does and numpy 2 would not:
        # every numpy gives the same features.
        bins = _real_fft(windowed, self._bins[: len(frames)])
        parts, power = self._parts[: len(frames)], self._spectrum[: len(frames)]
        parts[:] = bins.view(np.float64)
        np.square(parts, out=parts)
        return np.add(parts[:, ::2], parts[:, 1::2], out=power)

    def _scaled(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make the power, which it overwrites, the configured spectrum."""
        if self.config.spectrum == "magnitude":
            np.sqrt(power, out=power)
        elif self.config.spectrum == "power_over_n":
            power *= np.float32(1.0 / self.config.fft_size)
        return power

    def _mel_and_sum(self, power: NDArray[np.float32]) -> NDArray[np.float64]:
        """Energy of every band and, in the last column, of all, (T, n_mels + 1)."""
        mel, sums = self._mel[: len(power)], self._log_mel[: len(power)]
        for bands, bins, filters in self._mel_blocks:
            np.matmul(power[:, bins], filters, out=mel[:, bands])
        np.matmul(mel[:, :-1], self._band_sum, out=mel[:, -1])
        sums[:] = mel
        return sums

    def _mfcc(
        self, log_mel: NDArray[np.float64], spectrum: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        # In double precision: C0 of a quiet frame is near -1000, where a sum in single would
        # lose the fourth decimal.
        cepstrum = np.matmul(log_mel, self._cepstrum, out=self._cepstra[: len(log_mel)])
        if self.config.first_coefficient == "log_energy":
            energy = spectrum.sum(axis=1, dtype=np.float64)
            cepstrum[:, 0] = self._log(energy, self.config.log_floor)
        elif self.config.first_coefficient == "none":
            return cepstrum[:, 1:]
        return cepstrum

    def _log(
        self, values: NDArray[np.float64], floor: float | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Logarithm of the values, which it overwrites."""
        np.maximum(values, floor, out=values)
        np.log(values, out=values)
        if self.config.log == "db":
            values *= DB_PER_NEPER
        return values


class FrameStream:
    """Turns a stream of chunks into the frames that the whole clip would give.

    Holds at most one frame of samples between calls. Frames agree with those of the whole clip
    to the rounding of float32, however the stream is cut.

    Parameters
    ----------
    extractor : FeatureExtractor
        Computes the frames.

    Examples
    --------
    >>> import numpy as np
    >>> stream = FrameStream(FeatureExtractor(FeatureConfig()))
    >>> [len(stream.push(np.zeros(300, dtype=np.float32))) for _ in range(3)]
    [0, 1, 2]
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self.reset()

    def reset(self) -> None:
        """Forget all samples, as at the start of a stream."""
        # The first of these was consumed already: it is what pre-emphasis looks back at.
        self._pending = np.zeros(1, dtype=np.float32)
        # Samples still to be dropped, where the hop is longer than the frame.
        self._skip = 0

    def push(self, chunk: NDArray[Any]) -> NDArray[np.float32]:
        """Take the next samples and give the frames that they complete.

        Parameters
        ----------
        chunk : ndarray of float, shape (n_samples,)
            Mono samples in [-1, 1] at the configured rate; any number, even none.

        Returns
        -------
        ndarray of float32, shape (T, frame_dim + 1)
            The new frames, T >= 0, each with its level last.

        Raises
        ------
        SerEdgeError
            When the chunk is not one-dimensional.
        """
        if np.ndim(chunk) != 1:
            raise SerEdgeError(f"audio must be one channel of samples, not shape {np.shape(chunk)}")
        config = self._extractor.config
        samples = np.concatenate((self._pending, np.asarray(chunk, dtype=np.float32)))
        dropped = min(self._skip, len(samples) - 1)
        samples = samples[dropped:]
        n_frames = config.frames_in(len(samples) - 1)
        frames = np.empty((n_frames, config.frame_dim + 1), dtype=np.float32)
        per_block = self._extractor.frames_per_block
        for first in range(0, n_frames, per_block):
            self._fill(samples, first, frames[first : first + per_block])
        consumed = n_frames * config.hop_length
        kept_from = min(consumed, len(samples) - 1)
        self._skip += consumed - kept_from - dropped
        self._pending = samples[kept_from:].copy()
        return frames

    def _fill(self, samples: NDArray[np.float32], first: int, out: NDArray[np.float32]) -> None:
        config = self._extractor.config
        start = first * config.hop_length
        end = start + config.samples_for(len(out))
        self._extractor.fill(samples[start : end + 1], out)


def window_features(config: FeatureConfig, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn one window of frames into what the model reads.

    Parameters
    ----------
    config : FeatureConfig
        The feature definition.
    frames : ndarray of float32, shape (T, frame_dim + 1)
        Frames with their level last, T >= 1.

    Returns
    -------
    ndarray of float32, shape (T, feature_dim), or (feature_dim,) with ``pool="mean"``
        The window's features; `frames` is left as it was.

    Raises
    ------
    SerEdgeError
        When there is no frame.
    """
    if len(frames) == 0:
        raise SerEdgeError(
            f"too short for one frame: at least {config.frame_length} samples are needed"
        )
    features = frames[:, :-1].copy()
    if config.level == "peak":
        _subtract_level(config, features, np.maximum.reduce(frames[:, -1]))
    if config.mean_subtraction:
        features -= features.mean(axis=0)
    if config.delta_order:
        first = _deltas(features, config.delta_reach)
        parts = [features, first]
        if config.delta_order == 2:
            parts.append(_deltas(first, config.delta_reach))
        features = np.concatenate(parts, axis=1)
    return np.asarray(features.mean(axis=0)) if config.pool == "mean" else features


def _subtract_level(
    config: FeatureConfig, features: NDArray[np.float32], level: np.float32
) -> None:
    column = 0
    for kind in config.kinds:
        if kind == "log_mel":
            features[:, column : column + config.n_mels] -= level
        elif kind == "mfcc":
            if config.first_coefficient == "c0":
                # The DCT of a constant is sqrt(n_mels) times it, in C0 alone.
                features[:, column] -= level * np.float32(np.sqrt(config.n_mels))
            elif config.first_coefficient == "log_energy":
                features[:, column] -= level
        column += config.width_of(kind)


def _deltas(features: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Regression over `reach` frames on either side (HTK Book eq. 5.16), edges repeated."""
    padded = np.pad(features, ((reach, reach), (0, 0)), mode="edge")
    n_frames = len(features)
    total = np.zeros_like(features)
    for offset in range(1, reach + 1):
        ahead = padded[reach + offset : reach + offset + n_frames]
        behind = padded[reach - offset : reach - offset + n_frames]
        total += np.float32(offset) * (ahead - behind)
    return np.asarray(total / np.float32(2 * sum(offset**2 for offset in range(1, reach + 1))))


def _analysis_window(config: FeatureConfig) -> NDArray[np.float64]:
    phase = 2.0 * np.pi * np.arange(config.frame_length) / config.frame_length
    constant = {"hann": 0.5, "hamming": 0.54, "rectangular": 1.0}[config.window]
    return np.asarray(constant - (1.0 - constant) * np.cos(phase))


def _full_scale_sine(config: FeatureConfig) -> NDArray[np.float64]:
    """One frame of a sine of amplitude one at 1 kHz, or where that lies outside, in mid-band."""
    frequency = 1000.0
    if not config.fmin < frequency < config.upper_edge:
        frequency = (config.fmin + config.upper_edge) / 2.0
    phase = 2.0 * np.pi * frequency / config.sample_rate * np.arange(config.frame_length)
    return np.asarray(np.sin(phase))


def _mel_blocks(
    filter_bank: NDArray[np.float32],
) -> list[tuple[slice, slice, NDArray[np.float32]]]:
    """Cut the sparse filter bank into small dense products: (bands, bins, filters)."""
    blocks = []
    for first in range(0, len(filter_bank), BANDS_PER_BLOCK):
        filters = filter_bank[first : first + BANDS_PER_BLOCK]
        used = np.flatnonzero(filters.any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        dense = np.ascontiguousarray(filters[:, bins].T)
        blocks.append((slice(first, first + len(filters)), bins, dense))
    return blocks


def _columns(config: FeatureConfig) -> dict[str, slice]:
    """Where in a frame the values of each kind are."""
    columns, first = {}, 0
    for kind in config.kinds:
        columns[kind] = slice(first, first + config.width_of(kind))
        first = columns[kind].stop
    return columns


def _real_fft(frames: NDArray[np.float64], out: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Spectrum of each frame, in `out` where numpy allows it."""
    return np.fft.rfft(frames, out=out) if FFT_TAKES_OUT else np.fft.rfft(frames)


def _framed(
    samples: NDArray[np.float64], config: FeatureConfig, n_frames: int
) -> NDArray[np.float64]:
    """View of the samples as overlapping frames, (n_frames, frame_length)."""
    # What as_strided does, without its overhead: this runs at every hop.
    step = samples.itemsize
    shape = (n_frames, config.frame_length)
    frames: NDArray[np.float64] = np.ndarray(
        shape, samples.dtype, samples.data, 0, (config.hop_length * step, step)
    )
    return frames


def _rms(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square of each frame, (T, 1)."""
    power = np.einsum("ts,ts->t", frames, frames) / frames.shape[1]
    return np.asarray(np.sqrt(power)[:, None])


def _zero_crossing_rate(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a frame's samples at which the sign changes, (T, 1); zero counts as positive."""
    negative = frames < 0.0
    crossings = np.count_nonzero(negative[:, 1:] != negative[:, :-1], axis=1)
    return np.asarray((crossings / frames.shape[1])[:, None])
