"""Our features against the libraries that people use, in one run, with their agreement."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import interleaved, percentiles
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import PRESETS, FeatureConfig, FeatureExtractor, FrameStream
from edge_runtime.hardware import cpu
from edge_runtime.metadata import read_metadata

CLIP_SECONDS = 3.0
HOP_SECONDS = 0.5
# 40 of 64 mel bands, 32 ms frames every 10 ms: what the reference systems compute.
CONFIG = FeatureConfig()
FRAMES_OF_CLIP = "ser-edge, whole clip"
FRAMES_OF_HOP = "ser-edge, new frames of a hop"
FRAMES_OF_BUNDLED = "ser-edge, a hop of the bundled model"
OURS = (FRAMES_OF_CLIP, FRAMES_OF_HOP, FRAMES_OF_BUNDLED)
# What kaldi-native-fbank computes with the options that it is timed with: it raises to this floor.
KALDI = replace(CONFIG, log="ln", log_floor=float(np.finfo(np.float32).eps))
CHUNK = 1234  # that the stream is cut into for its agreement: no multiple of anything
PEERS = {
    "librosa": "librosa",
    "python_speech_features": "python_speech_features",
    "kaldi-native-fbank": "kaldi_native_fbank",
}
# How many times faster than each library on the whole clip the new frames of a hop are to be.
TARGETS = {"librosa": 12.0, "python_speech_features": 30.0, "kaldi-native-fbank": 30.0}
PROTOCOL = (
    "MFCC of {clip:g} s by each library, beside those of the {hop:g} s that are new at a hop by "
    "ours, which keeps what it computed before; one thread; {rounds} rounds in which each is timed "
    "in turn, the mean of 5 calls; ratios are taken within a round. librosa's are centred, as it "
    "does by default; kaldi-native-fbank is given its samples as its documentation shows, made a "
    "list by tolist(), and once more without the time that this takes"
)
AGREEMENT = {
    "librosa": "its default coefficients, frames not centred and no floor below the peak, in "
    "double precision",
    "python_speech_features": "its default coefficients, of the frames that are whole",
    "kaldi-native-fbank": "the coefficients that are timed, natural logarithm; its FFT is in "
    "single precision, which shows where a band is far below the loudest",
    "ser-edge, in chunks": "ours of a stream, against ours of the whole clip",
}


def bench_features(rounds: int, sound: Path | None = None) -> dict[str, Any]:
    """Time MFCC of a clip of 3 s, and of a hop of 0.5 s on a stream, on one thread.

    The bundled model's own features of a hop are timed beside them.

    Parameters
    ----------
    rounds : int
        How often each contender is timed.
    sound : Path, optional
        A sound file of at least 3 s; synthesised sound by default.

    Returns
    -------
    dict
        As JSON types: times in milliseconds and, per peer, how many times faster we are in each
        round, both as percentiles; the largest difference to each library's coefficients, and
        between stream and clip, with ``agreement_of`` in words; the peers that are not installed;
        and ``targets``.
    """
    audio = _clip(sound)
    contenders, missing = _peers(audio)
    extractor = FeatureExtractor(CONFIG)
    stream = FrameStream(extractor)
    stream.push(audio)
    new_samples = audio[: int(HOP_SECONDS * CONFIG.sample_rate)]
    contenders[FRAMES_OF_CLIP] = lambda: extractor(audio)
    contenders[FRAMES_OF_HOP] = lambda: stream.push(new_samples)
    bundled, contenders[FRAMES_OF_BUNDLED] = _bundled(audio)
    times = interleaved(contenders, rounds)
    times_faster = {
        ours: {peer: percentiles(times[peer] / times[ours]) for peer in times if peer not in OURS}
        for ours in (FRAMES_OF_CLIP, FRAMES_OF_HOP)
    }
    differences = _agreement(audio, missing)
    return {
        "protocol": PROTOCOL.format(clip=CLIP_SECONDS, hop=HOP_SECONDS, rounds=rounds),
        "sound": "synthesised" if sound is None else sound.name,
        "clip_seconds": CLIP_SECONDS,
        "hop_seconds": HOP_SECONDS,
        "config": CONFIG.to_dict(),
        "bundled": bundled,
        "rounds": rounds,
        "versions": {name: version(name) for name in ("numpy", *PEERS) if name not in missing},
        "machine": {"architecture": platform.machine(), **asdict(cpu())},
        "missing": missing,
        "milliseconds": {name: percentiles(values) for name, values in times.items()},
        "times_faster": times_faster,
        "largest_difference": differences,
        "agreement_of": {name: AGREEMENT[name] for name in differences},
        "targets": _targets(times_faster[FRAMES_OF_HOP]),
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
    bundled = result["bundled"]
    lines.append(
        f"the bundled model: {bundled['frames']} frames of {bundled['config']['frame_length']} "
        f"samples every {bundled['hop_seconds']:g} s, {bundled['config']['n_mfcc']} of "
        f"{bundled['config']['n_mels']} mel bands"
    )
    for name, difference in result["largest_difference"].items():
        lines.append(
            f"largest difference, {name}: {difference:.1e}; {result['agreement_of'][name]}"
        )
    lines += [f"not installed, left out: {name}" for name in result["missing"]]
    lines += [f"target: {name}: {outcome}" for name, outcome in result["targets"].items()]
    return "\n".join(lines)


def _bundled(audio: NDArray[np.float32]) -> tuple[dict[str, Any], Callable[[], Any]]:
    """The features of the bundled model: what they are, and the call for a hop of them."""
    metadata = read_metadata(DEFAULT_MODEL)
    config = metadata.features
    n_frames = round(metadata.hop_seconds * config.sample_rate / config.hop_length)
    stream = FrameStream(FeatureExtractor(config))
    # The rate of the sound does not matter here.
    new_samples = audio[: n_frames * config.hop_length]
    about = {
        "config": config.to_dict(),
        "frames": n_frames,
        "hop_seconds": n_frames * config.hop_length / config.sample_rate,
    }
    return about, lambda: stream.push(new_samples)


def _targets(of_hop: dict[str, dict[str, float]]) -> dict[str, str]:
    targets = {}
    for peer, least in TARGETS.items():
        if peer in of_hop:
            ratio = of_hop[peer]["p50"]
            sentence = f"the new frames of a hop at least {least:g} times faster than {peer}"
            targets[sentence] = f"{'met' if ratio >= least else 'missed'}, {ratio:.1f}"
    return targets


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
    samples = audio.tolist()
    return {
        "kaldi-native-fbank": lambda: _kaldi_mfcc(audio.tolist()),
        "kaldi-native-fbank, from a list": lambda: _kaldi_mfcc(samples),
    }


def _kaldi_mfcc(samples: list[float]) -> NDArray[np.float32]:
    """MFCC by kaldi-native-fbank of the frames of `CONFIG`: librosa's mel bands, no energy."""
    import kaldi_native_fbank

    options = kaldi_native_fbank.MfccOptions()
    frames, mel = options.frame_opts, options.mel_opts
    frames.samp_freq = CONFIG.sample_rate
    frames.frame_length_ms = 1000.0 * CONFIG.frame_length / CONFIG.sample_rate
    frames.frame_shift_ms = 1000.0 * CONFIG.hop_length / CONFIG.sample_rate
    frames.window_type = CONFIG.window
    frames.dither = frames.preemph_coeff = 0.0
    frames.remove_dc_offset = False
    mel.num_bins, mel.low_freq, mel.is_librosa = CONFIG.n_mels, CONFIG.fmin, True
    options.num_ceps, options.cepstral_lifter = CONFIG.n_mfcc, CONFIG.lifter
    options.use_energy = False
    online = kaldi_native_fbank.OnlineMfcc(options)
    online.accept_waveform(CONFIG.sample_rate, samples)
    online.input_finished()
    return np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])


def _agreement(audio: NDArray[np.float32], missing: list[str]) -> dict[str, float]:
    """Largest difference to each library's MFCC, and of ours between stream and clip."""
    references: dict[str, tuple[FeatureConfig, Callable[[], NDArray[Any]]]] = {
        "librosa": (PRESETS["librosa"], lambda: _librosa_reference(audio)),
        "python_speech_features": (
            PRESETS["python_speech_features"],
            lambda: _python_speech_features_reference(audio),
        ),
        "kaldi-native-fbank": (KALDI, lambda: _kaldi_mfcc(audio.tolist())),
    }
    differences = {}
    for name, (config, reference) in references.items():
        if name not in missing:
            ours = FeatureExtractor(config)(audio)
            differences[name] = float(np.abs(ours - reference()[: len(ours)]).max())
    extractor = FeatureExtractor(CONFIG)
    stream = FrameStream(extractor)
    chunks = [stream.push(audio[start : start + CHUNK]) for start in range(0, len(audio), CHUNK)]
    streamed = np.concatenate(chunks)
    differences["ser-edge, in chunks"] = float(np.abs(streamed - extractor.frames(audio)).max())
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
