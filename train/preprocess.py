"""Preprocessing of whole recordings: small steps that a recipe names, in the recipe's order.

A step is a function of the samples and the sample rate; its keyword arguments are the options
that a recipe may give it::

    [[preprocess]]
    step = "trim"
    top_db = 30.0

It changes what a model is trained on, never what a device hears: keep to steps whose effect a
stream has too.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from train.numbers import number_from

Audio = NDArray[np.float32]
Step = Callable[..., Audio]

PEAK_DBFS = -1.0
DENOISE_FFT_SECONDS = 0.064  # noisereduce's own 1024 samples at 16 kHz


def mono(audio: Audio, sample_rate: int, *, channel: int | None = None) -> Audio:
    """Reduce a recording to one channel.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,) or (n_samples, n_channels)
        The recording.
    sample_rate : int
        Samples per second; of no effect.
    channel : int, optional
        Which channel to keep, counted from 0. Default: the mean of all.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        One channel.

    Raises
    ------
    SerEdgeError
        When the recording has no such channel.
    """
    channels = audio.reshape(len(audio), -1)
    if channel is None:
        # A sum of float32 could overflow where the mean does not.
        return np.asarray(channels.mean(axis=1, dtype=np.float64), dtype=np.float32)
    count = channels.shape[1]
    if channel >= count:
        raise SerEdgeError(
            f"preprocess step mono: channel is {channel}, but the recording has {count}, "
            "counted from 0; leave the option out for their mean"
        )
    return channels[:, channel]


def level(
    audio: Audio,
    sample_rate: int,
    *,
    peak_dbfs: float | None = None,
    rms_dbfs: float | None = None,
) -> Audio:
    """Bring a recording to a level; digital silence stays silence.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    sample_rate : int
        Samples per second; of no effect.
    peak_dbfs : float, optional
        Level of its loudest sample, in dB relative to 1. Default: -1, unless `rms_dbfs` is given.
    rms_dbfs : float, optional
        Level of its root mean square, in dB relative to 1. Peaks may then rise above 1; they are
        not clipped.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        The recording, multiplied by one factor.
    """
    # In double precision neither the squares nor the factor of the faintest sound are lost.
    samples = audio.astype(np.float64)
    if rms_dbfs is not None:
        now, target = float(np.sqrt(np.mean(samples**2))), rms_dbfs
    else:
        now = float(np.abs(samples).max())
        target = PEAK_DBFS if peak_dbfs is None else peak_dbfs
    if now == 0.0:
        return audio
    return np.asarray(samples / now * 10.0 ** (target / 20.0), dtype=np.float32)


def trim(
    audio: Audio,
    sample_rate: int,
    *,
    top_db: float = 30.0,
    frame_seconds: float = 0.025,
    hop_seconds: float = 0.010,
) -> Audio:
    """Remove what is quiet at the beginning and at the end.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    sample_rate : int
        Samples per second.
    top_db : float, default 30
        How far below the loudest frame, in dB, a frame counts as quiet.
    frame_seconds, hop_seconds : float, default 0.025 and 0.010
        Length of the frames whose mean square is compared, and the time between them.

    Returns
    -------
    ndarray of float32, shape (m,), 0 < m <= n_samples
        From the first sample of the first loud frame to the last sample of the last one. A
        recording of digital silence, or shorter than a frame, is returned as it is.
    """
    frame = max(1, round(frame_seconds * sample_rate))
    hop = max(1, round(hop_seconds * sample_rate))
    count = max(0, math.ceil((len(audio) - frame) / hop)) + 1
    padded = np.pad(audio.astype(np.float64), (0, (count - 1) * hop + frame - len(audio)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    power = np.mean(frames**2, axis=1)
    loud = np.flatnonzero(power >= power.max() * 10.0 ** (-top_db / 10.0))
    return audio[loud[0] * hop : loud[-1] * hop + frame]


def denoise(
    audio: Audio, sample_rate: int, *, stationary: bool = False, prop_decrease: float = 1.0
) -> Audio:
    """Attenuate noise by spectral gating, with the noisereduce package.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    sample_rate : int
        Samples per second.
    stationary : bool, default False
        True takes one noise floor for the whole recording, False one that follows it over
        about two seconds.
    prop_decrease : float, default 1
        Share of the noise that is taken away, 0 to 1.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        The recording; as it was when it is digital silence or too short for one spectrum (64 ms).

    Raises
    ------
    SerEdgeError
        When the noisereduce package is not installed.

    References
    ----------
    T. Sainburg, M. Thielk, T. Gentner, "Finding, visualizing, and quantifying latent structure
    across diverse animal vocal repertoires", PLOS Computational Biology 16(10), 2020.
    """
    n_fft = 2 ** round(math.log2(DENOISE_FFT_SECONDS * sample_rate))
    if len(audio) < n_fft or not audio.any():
        return audio
    try:
        import noisereduce
    except ImportError as error:
        raise SerEdgeError(
            "preprocess step denoise needs the noisereduce package: pip install noisereduce, "
            "or take the step out of the recipe"
        ) from error
    gated = noisereduce.reduce_noise(
        y=audio,
        sr=sample_rate,
        stationary=stationary,
        prop_decrease=prop_decrease,
        n_fft=n_fft,
        chunk_size=None,  # chunks would go through a temporary file
        n_jobs=1,
        use_tqdm=False,
    )
    # The package divides by the noise floor, which nothing keeps above zero.
    return np.asarray(gated, dtype=np.float32) if np.all(np.isfinite(gated)) else audio


def segment(
    audio: Audio,
    sample_rate: int,
    *,
    offset_seconds: float = 0.0,
    seconds: float | None = None,
) -> Audio:
    """Keep one part of a recording, as `librosa.load(offset=..., duration=...)` does.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    sample_rate : int
        Samples per second.
    offset_seconds : float, default 0
        Where the part begins.
    seconds : float, optional
        How long it is, at most. Default: to the end.

    Returns
    -------
    ndarray of float32, shape (m,), 0 < m <= n_samples
        The part. A recording that ends before the offset is kept whole: it is all speech there
        is, and one short file must not stop the training on a corpus.
    """
    first = round(offset_seconds * sample_rate)
    if first >= len(audio):
        return audio
    end = len(audio) if seconds is None else first + _samples(seconds, sample_rate)
    return audio[first:end]


def length(audio: Audio, sample_rate: int, *, seconds: float) -> Audio:
    """Bring a recording to a length: pad it with zeros at its end, or cut it there.

    Parameters
    ----------
    audio : ndarray of float32, shape (n_samples,)
        The recording.
    sample_rate : int
        Samples per second.
    seconds : float
        The length.

    Returns
    -------
    ndarray of float32, shape (round(seconds * sample_rate),)
        The recording, one sample at least.
    """
    wanted = _samples(seconds, sample_rate)
    return np.pad(audio[:wanted], (0, max(0, wanted - len(audio))))


STEPS: dict[str, Step] = {
    "mono": mono,
    "level": level,
    "trim": trim,
    "denoise": denoise,
    "segment": segment,
    "length": length,
}


def preprocess(audio: Audio, sample_rate: int, steps: Sequence[dict[str, Any]]) -> Audio:
    """Apply steps to a recording, one after the other.

    Parameters
    ----------
    audio : ndarray of float, shape (n_samples,) or (n_samples, n_channels)
        The recording. More than one channel is for the step "mono", which must then come first.
    sample_rate : int
        Samples per second.
    steps : sequence of dict
        Each names one of `STEPS` under "step"; its other keys are options of that step.

    Returns
    -------
    ndarray of float32, shape (m,), m > 0
        The recording after the last step.

    Raises
    ------
    SerEdgeError
        When a step or option is wrong, see `check_steps`, or the recording does not suit a step.

    Examples
    --------
    >>> tone = np.array([0.0, 0.0, 0.25, -0.5, 0.0], dtype=np.float32)
    >>> preprocess(tone, 4, ({"step": "level", "peak_dbfs": 0}, {"step": "length", "seconds": 1}))
    array([ 0. ,  0. ,  0.5, -1. ], dtype=float32)
    """
    check_steps(steps)
    audio = np.asarray(audio, dtype=np.float32)
    if audio.size == 0 or not np.all(np.isfinite(audio)):
        raise SerEdgeError(
            "the recording holds no sample, or one that is no number; take it out of the corpus"
        )
    for described in steps:
        options = dict(described)
        name = options.pop("step")
        if name != "mono":
            _require_one_channel(audio, f"preprocess step {name}")
        audio = STEPS[name](audio, sample_rate, **options)
    _require_one_channel(audio, "the model")
    return audio


def check_steps(steps: Sequence[dict[str, Any]]) -> None:
    """Say which step of a recipe cannot be done, before any recording is read.

    Parameters
    ----------
    steps : sequence of dict
        As for `preprocess`.

    Raises
    ------
    SerEdgeError
        When a step is unknown, an option is unknown or missing, or a value is of the wrong type
        or out of range.
    """
    if not isinstance(steps, (tuple, list)) or not all(isinstance(step, dict) for step in steps):
        raise SerEdgeError("preprocess must be a list of tables; write each as [[preprocess]]")
    for described in steps:
        _check_step(described)


# What an option's value must be, and whether it is.
Rule = tuple[str, Callable[[Any], bool]]


def _check_step(described: dict[str, Any]) -> None:
    name = described.get("step")
    if not isinstance(name, str) or name not in STEPS:
        known = ", ".join(STEPS)
        raise SerEdgeError(f"preprocess: step must be one of {known}, not {name!r}")
    rules, given = OPTIONS[name], {key: v for key, v in described.items() if key != "step"}
    for option, value in given.items():
        if option not in rules:
            known = ", ".join(rules)
            raise SerEdgeError(f"preprocess step {name}: no option {option!r}; it has {known}")
        wanted, fits = rules[option]
        if not fits(value):
            raise SerEdgeError(f"preprocess step {name}: {option} must be {wanted}, not {value!r}")
    for option in rules:
        if option not in given and _default(name, option) is inspect.Parameter.empty:
            raise SerEdgeError(
                f"preprocess step {name}: {option} is missing; give {rules[option][0]}"
            )
    _check_together(name, given)


def _check_together(name: str, given: dict[str, Any]) -> None:
    """Refuse options that contradict each other."""
    if name == "level" and len(given) > 1:
        raise SerEdgeError("preprocess step level: give peak_dbfs or rms_dbfs, not both")
    if name == "trim":
        frame, hop = (given.get(o, _default(name, o)) for o in ("frame_seconds", "hop_seconds"))
        if hop > frame:
            raise SerEdgeError(
                f"preprocess step trim: hop_seconds ({hop}) must not be above frame_seconds "
                f"({frame}), or sound between frames is missed"
            )


def _default(name: str, option: str) -> Any:
    return inspect.signature(STEPS[name]).parameters[option].default


def _samples(seconds: float, sample_rate: int) -> int:
    return max(1, round(seconds * sample_rate))


def _require_one_channel(audio: Audio, reader: str) -> None:
    if audio.ndim != 1:
        raise SerEdgeError(f"{reader} takes one channel; make preprocess step mono the first")


# Bounds that no recording of an utterance needs to pass; they catch milliseconds and samples.
SHORTEST, LONGEST = 0.001, 3600.0
DBFS: Rule = ("a number of dB from -100 to 0", number_from(-100.0, 0.0))
SECONDS: Rule = (f"a number of seconds from {SHORTEST} to 3600", number_from(SHORTEST, LONGEST))

OPTIONS: dict[str, dict[str, Rule]] = {
    "mono": {"channel": ("a whole number, 0 or more", lambda v: type(v) is int and v >= 0)},
    "level": {"peak_dbfs": DBFS, "rms_dbfs": DBFS},
    "trim": {
        "top_db": ("a number of dB from 1 to 120", number_from(1.0, 120.0)),
        "frame_seconds": SECONDS,
        "hop_seconds": SECONDS,
    },
    "denoise": {
        "stationary": ("true or false", lambda v: isinstance(v, bool)),
        "prop_decrease": ("a number from 0 to 1", number_from(0.0, 1.0)),
    },
    "segment": {
        "offset_seconds": ("a number of seconds from 0 to 3600", number_from(0.0, LONGEST)),
        "seconds": SECONDS,
    },
    "length": {"seconds": SECONDS},
}
