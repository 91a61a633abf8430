"""Our features against the libraries that people use, in one run, with their agreement."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import interleaved, percentiles
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import PRESETS, FeatureConfig, FeatureExtractor, FrameStream

CLIP_SECONDS = 3.0
HOP_SECONDS = 0.5
# 40 of 64 mel bands, 32 ms frames every 10 ms: what the reference systems compute.
CONFIG = FeatureConfig()
FRAMES_OF_CLIP = "ser-edge, whole clip"
FRAMES_OF_HOP = "ser-edge, new frames of a hop"
PEERS = {
    "librosa": "librosa",
    "python_speech_features": "python_speech_features",
    "kaldi-native-fbank": "kaldi_native_fbank",
}


def bench_features(rounds: int, sound: Path | None = None) -> dict[str, Any]:
    """Time MFCC of a clip of 3 s, and of a hop of 0.5 s on a stream, on one thread.

    Parameters
    ----------
    rounds : int
        How often each contender is timed.
    sound : Path, optional
        A sound file of at least 3 s; synthesised sound by default.

    Returns
    -------
    dict
        Times in milliseconds and, per peer, how many times faster we are in each round, both as
        percentiles; the largest difference to each library's coefficients; and the peers that
        are not installed.
    """
    audio = _clip(sound)
    contenders, missing = _peers(audio)
    extractor = FeatureExtractor(CONFIG)
    stream = FrameStream(extractor)
    stream.push(audio)
    new_samples = audio[: int(HOP_SECONDS * CONFIG.sample_rate)]
    contenders[FRAMES_OF_CLIP] = lambda: extractor(audio)
    contenders[FRAMES_OF_HOP] = lambda: stream.push(new_samples)
    times = interleaved(contenders, rounds)
    return {
        "clip_seconds": CLIP_SECONDS,
        "hop_seconds": HOP_SECONDS,
        "config": CONFIG.to_dict(),
        "rounds": rounds,
        "versions": {name: version(name) for name in ("numpy", *PEERS) if name not in missing},
        "missing": missing,
        "milliseconds": {name: percentiles(values) for name, values in times.items()},
        "times_faster": {
            ours: {
                peer: percentiles(times[peer] / times[ours])
                for peer in times
                if peer not in (FRAMES_OF_CLIP, FRAMES_OF_HOP)
            }
            for ours in (FRAMES_OF_CLIP, FRAMES_OF_HOP)
        },
        "largest_difference": _agreement(audio, missing),
    }


def as_table(result: dict[str, Any]) -> str:
    """The result as lines for a terminal."""
    lines = [
        f"MFCC, {CONFIG.n_mfcc} of {CONFIG.n_mels} mel bands, frame {CONFIG.frame_length}, hop "
        f"{CONFIG.hop_length}, {CLIP_SECONDS:g} s at {CONFIG.sample_rate} Hz, one thread, "
        f"{result['rounds']} interleaved rounds; x: how many times ser-edge is faster",
        f"{'':<44}{'ms p50':>8}{'p90':>8}{'on a clip':>11}{'per hop':>9}",
    ]
    for name, times in result["milliseconds"].items():
        line = f"{name:<44}{times['p50']:>8.3f}{times['p90']:>8.3f}"
        for ours, width in ((FRAMES_OF_CLIP, 10), (FRAMES_OF_HOP, 8)):
            ratio = result["times_faster"][ours].get(name)
            line += f"{ratio['p50']:>{width}.1f}x" if ratio else ""
        lines.append(line)
    for name, difference in result["largest_difference"].items():
        lines.append(f"largest difference to {name}, with its own defaults: {difference:.1e}")
    lines += [f"not installed, left out: {name}" for name in result["missing"]]
    return "\n".join(lines)


def _clip(sound: Path | None) -> NDArray[np.float32]:
    n_samples = int(CLIP_SECONDS * CONFIG.sample_rate)
    if sound is None:
        return _synthesised(n_samples)
    from edge_runtime.sources import read_clip

    audio = read_clip(sound, CONFIG.sample_rate)
    if len(audio) < n_samples:
        raise SerEdgeError(f"{sound}: shorter than {CLIP_SECONDS:g} s")
    return audio[:n_samples]


def _synthesised(n_samples: int) -> NDArray[np.float32]:
    """A gliding harmonic tone in a little noise: speech-like enough for timing."""
    seconds = np.arange(n_samples) / CONFIG.sample_rate
    phase = 2.0 * np.pi * np.cumsum(120.0 + 40.0 * np.sin(3.0 * seconds)) / CONFIG.sample_rate
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 30))
    noise = np.random.default_rng(0).standard_normal(n_samples)
    return np.asarray(0.1 * tone + 0.001 * noise, dtype=np.float32)


def _peers(audio: NDArray[np.float32]) -> tuple[dict[str, Callable[[], Any]], list[str]]:
    """The libraries' calls over the whole clip, and the names of those not installed."""
    makers = {
        "librosa": _librosa,
        "python_speech_features": _python_speech_features,
        "kaldi-native-fbank": _kaldi_native_fbank,
    }
    missing = [name for name, module in PEERS.items() if find_spec(module) is None]
    calls: dict[str, Callable[[], Any]] = {}
    for name, make in makers.items():
        if name not in missing:
            calls.update(make(audio))
    return calls, missing


def _librosa(audio: NDArray[np.float32]) -> dict[str, Callable[[], Any]]:
    import librosa

    settings: dict[str, Any] = {
        "sr": CONFIG.sample_rate,
        "n_mfcc": CONFIG.n_mfcc,
        "n_mels": CONFIG.n_mels,
        "n_fft": CONFIG.fft_size,
        "hop_length": CONFIG.hop_length,
    }
    return {
        "librosa": lambda: librosa.feature.mfcc(y=audio, **settings),
        "librosa, center=False": lambda: librosa.feature.mfcc(y=audio, center=False, **settings),
    }


def _python_speech_features(audio: NDArray[np.float32]) -> dict[str, Callable[[], Any]]:
    import python_speech_features

    rate = CONFIG.sample_rate
    return {
        "python_speech_features": lambda: python_speech_features.mfcc(
            audio,
            rate,
            winlen=CONFIG.frame_length / rate,
            winstep=CONFIG.hop_length / rate,
            numcep=CONFIG.n_mfcc,
            nfilt=CONFIG.n_mels,
            nfft=CONFIG.fft_size,
        )
    }


def _kaldi_native_fbank(audio: NDArray[np.float32]) -> dict[str, Callable[[], Any]]:
    import kaldi_native_fbank

    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.samp_freq = CONFIG.sample_rate
    options.frame_opts.frame_length_ms = 1000.0 * CONFIG.frame_length / CONFIG.sample_rate
    options.frame_opts.frame_shift_ms = 1000.0 * CONFIG.hop_length / CONFIG.sample_rate
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = CONFIG.n_mels
    options.num_ceps = CONFIG.n_mfcc
    samples = audio.tolist()

    def mfcc() -> NDArray[np.float32]:
        online = kaldi_native_fbank.OnlineMfcc(options)
        online.accept_waveform(CONFIG.sample_rate, samples)
        online.input_finished()
        return np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])

    return {"kaldi-native-fbank": mfcc}


def _agreement(audio: NDArray[np.float32], missing: list[str]) -> dict[str, float]:
    """Largest difference between a library's MFCC and those of our preset of its name."""
    references: dict[str, Callable[[], NDArray[np.float64]]] = {
        "librosa": lambda: _librosa_reference(audio),
        "python_speech_features": lambda: _python_speech_features_reference(audio),
    }
    differences = {}
    for name, reference in references.items():
        if name not in missing:
            ours = FeatureExtractor(PRESETS[name])(audio)
            differences[name] = float(np.abs(ours - reference()[: len(ours)]).max())
    return differences


def _librosa_reference(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    """MFCC by librosa in double precision, frames not centred, no floor below the peak."""
    import librosa

    preset = PRESETS["librosa"]
    mel = librosa.feature.melspectrogram(
        y=audio.astype(np.float64),
        sr=preset.sample_rate,
        n_fft=preset.fft_size,
        hop_length=preset.hop_length,
        n_mels=preset.n_mels,
        center=False,
    )
    decibels = librosa.power_to_db(mel, top_db=None)
    return np.asarray(librosa.feature.mfcc(S=decibels, n_mfcc=preset.n_mfcc).T)


def _python_speech_features_reference(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    import python_speech_features

    return np.asarray(python_speech_features.mfcc(audio.astype(np.float64), CONFIG.sample_rate))
