"""What it takes to prepare a corpus for training: ours beside the chain of the notebooks."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import joblib
import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from benchmarks.timing import percentiles
from edge_runtime.errors import SerEdgeError
from train.audio import read_utterance
from train.cache import FeatureCache
from train.corpora import read_corpora
from train.extraction import Extraction
from train.preprocess import preprocess
from train.recipe import load_recipe

RECIPE = "tess-lstm123"
NOTEBOOK_SECONDS = 3.0
NOTEBOOK_OFFSET_SECONDS = 0.5
NOTEBOOK_N_MFCC = 40
NOTEBOOK_RATE = 22050  # the default of librosa.load

NOTEBOOK = "librosa at 22050 Hz"
OWN_RATE = "librosa at the file's own rate"
EMPTY_CACHE = "ser-edge, empty cache"
ALL_CORES = "ser-edge, empty cache, all cores"
FULL_CACHE = "ser-edge, filled cache"
READING = "soundfile, reading alone"
CHAINS = (NOTEBOOK, OWN_RATE, EMPTY_CACHE, FULL_CACHE, ALL_CORES, READING)
PROTOCOL = (
    "From sound files to MFCC averaged over time, wall-clock time, one process on one thread "
    "unless all cores are named. "
    f"librosa: for every file load(duration={NOTEBOOK_SECONDS:g}, "
    f"offset={NOTEBOOK_OFFSET_SECONDS:g}), feature.mfcc(n_mfcc={NOTEBOOK_N_MFCC}), mean over time; "
    "load resamples to 22050 Hz unless told otherwise. ser-edge: the same stretch of each file, "
    f"features of the recipe {RECIPE}, through the cache on disk. soundfile: the whole file read "
    "and nothing computed, the floor of any chain. All go over the same utterances in every "
    "round, each in turn the first; a round before them is not timed"
)
# What the notebooks read of a file.
STRETCH = (
    {"step": "segment", "offset_seconds": NOTEBOOK_OFFSET_SECONDS, "seconds": NOTEBOOK_SECONDS},
)
# Times faster, in the median of the rounds, with an empty cache.
LEAST_THAN_NOTEBOOK = 5.0
LEAST_THAN_REAL_TIME = 300.0

# What WAV stores as it is; other samples, those of lossy formats among them, it takes as floats.
WAV_SUBTYPES = {"PCM_16", "PCM_24", "PCM_32"}

Means = NDArray[np.floating[Any]]
Contender = tuple[str, Callable[[], Any]]


def bench_preparation(
    corpora: Path, corpus: str, n_utterances: int, rounds: int, as_wav: bool = False
) -> dict[str, Any]:
    """Time the preparation of random utterances of a corpus.

    Parameters
    ----------
    corpora : Path
        Folder of the corpora.
    corpus : str
        Name of one.
    n_utterances : int
        How many of its utterances; all where it has fewer.
    rounds : int
        How often each chain prepares them.
    as_wav : bool
        Prepare lossless copies as WAV, the form in which most corpora are downloaded, in place of
        the files themselves. They are made before anything is timed.

    Returns
    -------
    dict
        As JSON types. As percentiles over the rounds: by chain ``seconds`` for all utterances,
        ``times_real_time`` (seconds of sound, whole files, per second) and ``processor_share``
        (processor time per wall-clock time: below 1 it waited, for a disk or for other
        processes); by our chain and each of librosa's, ``times_faster``. ``targets``
        with what was reached in the median. ``largest_difference`` of our averaged coefficients to
        librosa's of the same samples and frames, without centring or a floor below the peak.

    Raises
    ------
    SerEdgeError
        When there is no such corpus, or an utterance cannot be read or is too short for the
        notebooks' chain.
    """
    paths = _chosen(corpora, corpus, n_utterances)
    if not as_wav:
        return _result(paths, corpus, rounds)
    with TemporaryDirectory() as folder:
        return _result(_wav_copies(paths, Path(folder)), corpus, rounds)


def _result(paths: list[Path], corpus: str, rounds: int) -> dict[str, Any]:
    about = [_described(path) for path in paths]
    lengths = [float(one.duration) for one in about]
    extraction = Extraction(load_recipe(RECIPE).features, STRETCH)
    wall, processor = _timed(paths, extraction, rounds)
    real_time = {name: percentiles(sum(lengths) / times) for name, times in wall.items()}
    faster = {
        ours: {peer: percentiles(wall[peer] / wall[ours]) for peer in (NOTEBOOK, OWN_RATE)}
        for ours in (EMPTY_CACHE, FULL_CACHE, ALL_CORES)
    }
    return {
        "protocol": PROTOCOL,
        "cores": joblib.cpu_count(),
        "corpus": corpus,
        "utterances": len(paths),
        "audio_seconds": round(sum(lengths), 2),
        "formats": sorted({one.format for one in about}),
        "sample_rates": sorted({int(one.samplerate) for one in about}),
        "rounds": rounds,
        "config": extraction.config.to_dict(),
        "versions": {name: version(name) for name in ("numpy", "librosa", "soxr", "soundfile")},
        "seconds": {name: percentiles(times) for name, times in wall.items()},
        "processor_share": {name: percentiles(processor[name] / wall[name]) for name in wall},
        "times_real_time": real_time,
        "times_faster": faster,
        "targets": [
            _target(
                f"on all cores than {NOTEBOOK}", LEAST_THAN_NOTEBOOK, faster[ALL_CORES][NOTEBOOK]
            ),
            _target(
                f"on one core than {NOTEBOOK}", LEAST_THAN_NOTEBOOK, faster[EMPTY_CACHE][NOTEBOOK]
            ),
            _target("on one core than real time", LEAST_THAN_REAL_TIME, real_time[EMPTY_CACHE]),
        ],
        "largest_difference": _largest_difference(paths, extraction),
    }


def _target(than: str, least: float, reached: dict[str, float]) -> dict[str, Any]:
    return {"than": than, "least": least, "reached": reached["p50"], "met": reached["p50"] >= least}


def _chosen(corpora: Path, corpus: str, n_utterances: int) -> list[Path]:
    """Files of utterances drawn at random, the same in every run."""
    paths = [utterance.path for utterance in read_corpora(corpora, [corpus])]
    drawn = np.random.default_rng(0).permutation(len(paths))[:n_utterances]
    return [paths[index] for index in drawn]


def _described(path: Path) -> Any:
    """Length, sample rate and format of a file that the notebooks' chain can prepare."""
    try:
        about = soundfile.info(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise SerEdgeError(f"{path}: cannot be read ({error})") from error
    if about.duration <= NOTEBOOK_OFFSET_SECONDS:
        raise SerEdgeError(
            f"{path}: ends before {NOTEBOOK_OFFSET_SECONDS:g} s, where the chain it is "
            "compared with begins; choose another corpus"
        )
    return about


def _wav_copies(paths: list[Path], folder: Path) -> list[Path]:
    """Copies of the files as WAV, with the very same samples."""
    copies = [folder / f"{number:06}.wav" for number in range(len(paths))]
    for path, copy in zip(paths, copies):
        subtype = _described(path).subtype
        subtype = subtype if subtype in WAV_SUBTYPES else "FLOAT"
        samples, rate = soundfile.read(path, dtype="float32" if subtype == "FLOAT" else "int32")
        soundfile.write(copy, samples, rate, subtype)
    return copies


def _timed(
    paths: list[Path], extraction: Extraction, rounds: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Wall-clock and processor seconds of each chain, (rounds,)."""
    wall: dict[str, list[float]] = {}
    processor: dict[str, list[float]] = {}
    with threadpool_limits(1):
        # Not timed: libraries load and compile at their first use, and files come into memory.
        _round(paths, extraction, 0)
        for number in tqdm(range(rounds), desc="timing", unit="round", disable=None):
            for name, (elapsed, used) in _round(paths, extraction, number).items():
                wall.setdefault(name, []).append(elapsed)
                processor.setdefault(name, []).append(used)
    return _arrays(wall), _arrays(processor)


def _arrays(values: dict[str, list[float]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.array(seconds) for name, seconds in values.items()}


def _round(
    paths: list[Path], extraction: Extraction, number: int
) -> dict[str, tuple[float, float]]:
    """Wall-clock and processor seconds of each chain, another going first in every round."""
    with TemporaryDirectory() as folder:
        ours = partial(_ours, paths, extraction, Path(folder) / "one")
        on_all = partial(_ours, paths, extraction, Path(folder) / "all", -1)
        turns: list[list[Contender]] = [
            [(NOTEBOOK, partial(_notebook, paths, NOTEBOOK_RATE))],
            [(OWN_RATE, partial(_notebook, paths, None))],
            [(EMPTY_CACHE, ours), (FULL_CACHE, ours)],
            [(ALL_CORES, on_all)],
            [(READING, partial(_read, paths))],
        ]
        first = number % len(turns)
        in_turn = [one for turn in turns[first:] + turns[:first] for one in turn]
        seconds = {name: _seconds(call) for name, call in in_turn}
    return {name: seconds[name] for name in CHAINS}


def _seconds(call: Callable[[], Any]) -> tuple[float, float]:
    start, start_used = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - start_used


def _notebook(paths: list[Path], sample_rate: int | None) -> list[Means]:
    means = []
    for path in paths:
        audio, rate = librosa.load(
            path,
            sr=sample_rate,
            duration=NOTEBOOK_SECONDS,
            offset=NOTEBOOK_OFFSET_SECONDS,
        )
        mfcc = librosa.feature.mfcc(y=audio, sr=rate, n_mfcc=NOTEBOOK_N_MFCC)
        means.append(mfcc.mean(axis=1))
    return means


def _ours(paths: list[Path], extraction: Extraction, folder: Path, jobs: int = 1) -> list[Means]:
    frames = FeatureCache(folder, jobs).load(paths, extraction)
    # The last column is the level.
    return [one[:, :-1].mean(axis=0) for one in frames]


def _read(paths: list[Path]) -> None:
    for path in paths:
        soundfile.read(path, dtype="float32")


def _largest_difference(paths: list[Path], extraction: Extraction) -> float:
    with TemporaryDirectory() as folder:
        ours = _ours(paths, extraction, Path(folder))
    reference = [_librosa_means(path, extraction) for path in paths]
    return float(max(np.abs(a - b).max() for a, b in zip(ours, reference)))


def _librosa_means(path: Path, extraction: Extraction) -> Means:
    config = extraction.config
    audio = preprocess(read_utterance(path, config.sample_rate), config.sample_rate, STRETCH)
    mel = librosa.feature.melspectrogram(
        y=audio.astype(np.float64),
        sr=config.sample_rate,
        n_fft=config.fft_size,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        center=False,
    )
    decibels = librosa.power_to_db(mel, top_db=None)
    mfcc = librosa.feature.mfcc(S=decibels, n_mfcc=config.n_mfcc)
    return np.asarray(mfcc.mean(axis=1))
