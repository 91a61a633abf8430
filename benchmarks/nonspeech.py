"""What ser-edge says about an hour in which nobody speaks: rain, dogs, engines, crying babies."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.arguments import add_outcome, give
from benchmarks.markdown import markdown
from benchmarks.progress import shown
from edge_runtime.classifier import Classifier
from edge_runtime.decisions import DecisionSettings
from edge_runtime.errors import SerEdgeError
from edge_runtime.gates import GATE_NAMES, make_gate
from edge_runtime.gates.speech_gate import WEIGHTS
from edge_runtime.listener import Listener
from edge_runtime.metadata import UNSURE
from train.audio import read_utterance
from train.corpora import corpora_folder
from train.gate_sounds import esc10

Audio = NDArray[np.float32]

NOISE = Path("noise")
# ESC-10 files by class; these hold one kind of noise each.
SINGLE_NOISES = ("JonBoley-noises", "speech_commands_background")
# Voices, and noises made to resemble them: counted, but apart.
SPEECH_LIKE = ("babble", "ISTS", "icra5")
QUIET_ROOM = "quiet room"
QUIET_SECONDS = 60.0
QUIET_DBFS = -62.0
FOLDS = (1, 2, 3, 4, 5)
JOIN_SECONDS = 0.02
CHUNK_SECONDS = 0.5


@dataclass(frozen=True)
class Heard:
    """What a stream led to.

    Attributes
    ----------
    open_share : float
        Share of the hops at which the gate was open.
    windows : int
        Windows that were classified.
    events : dict of str to int
        How many emotions began, by label; "unsure" is none.
    """

    open_share: float
    windows: int
    events: dict[str, int]


def add_parser(commands: Any) -> None:
    """Add ``nonspeech`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "nonspeech", help="count the emotions that are heard in hours of noise"
    )
    parser.add_argument(
        "--corpora", metavar="DIR", help="folder that holds noise/ (default: $SER_EDGE_CORPORA)"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=60.0,
        metavar="N",
        help="of every noise, its clips looped (default: 60)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        nargs="+",
        default=list(FOLDS),
        metavar="N",
        help="of ESC-10 (default: all five, which the energy gate was fitted on)",
    )
    parser.add_argument(
        "--gate", choices=GATE_NAMES, default="energy", help="what tells speech (default: energy)"
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="default: the bundled model")
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help="least score that is called by its name (default: the model's own)",
    )
    add_outcome(parser)
    parser.set_defaults(work=nonspeech)


def nonspeech(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench nonspeech``."""
    result = bench_nonspeech(
        corpora_folder(arguments.corpora),
        arguments.minutes,
        arguments.folds,
        arguments.gate,
        Classifier(arguments.model),
        arguments.threshold,
    )
    return give(result, as_table, arguments)


def bench_nonspeech(
    corpora: Path,
    minutes: float,
    folds: list[int],
    gate: str,
    classifier: Classifier,
    threshold: float | None = None,
) -> dict[str, Any]:
    """Push every noise through the whole pipeline, faster than real time.

    Parameters
    ----------
    corpora : Path
        Folder that holds noise/.
    minutes : float
        Of each noise: its clips in their order, again and again.
    folds : list of int
        Of ESC-10.
    gate : str
        See `edge_runtime.gates.make_gate`.
    classifier : Classifier
        The model.
    threshold : float, optional
        Least score that is called by its name; the model's own by default.

    Returns
    -------
    dict
        Under ``noises`` for each one its name, whether it is speech-like, how many clips of how
        many seconds, the share of time that the gate was open, windows classified, and emotion
        events per hour; as JSON types.

    Raises
    ------
    SerEdgeError
        When the time is not above zero, or there is no noise.
    """
    if not 0.0 < minutes < float("inf"):
        raise SerEdgeError(f"--minutes must be above 0, not {minutes:g}")
    rate = classifier.metadata.features.sample_rate
    noises = []
    found = find_noises(corpora, folds)
    for name, paths in shown(list(found.items()), "noises"):
        clips = [read_utterance(path, rate) for path in paths] or [_quiet_room(rate)]
        listener = Listener(
            classifier, gate=make_gate(gate, rate), settings=DecisionSettings(threshold=threshold)
        )
        heard = hear(listener, looped(clips, rate, minutes))
        noises.append(_record(name, clips, rate, heard, minutes))
    return {
        "minutes": minutes,
        "esc10_folds": list(folds),
        "gate_fitted_on_folds": _fitted_folds() if gate == "energy" else [],
        "gate": gate,
        "model": classifier.model_id,
        "threshold": classifier.metadata.rejection_threshold if threshold is None else threshold,
        "noises": noises,
    }


def _fitted_folds() -> list[int]:
    return list(json.loads(WEIGHTS.read_text(encoding="utf-8"))["esc10_folds"])


def find_noises(corpora: Path, folds: list[int]) -> dict[str, list[Path]]:
    """Name every noise of the corpora's folder, with its files; a quiet room has none.

    Raises
    ------
    SerEdgeError
        When there is none.
    """
    found: dict[str, list[Path]] = {QUIET_ROOM: []}
    for name, path in esc10(corpora, folds):
        found.setdefault(name.replace("_", " ").lower(), []).append(path)
    for folder in SINGLE_NOISES:
        for path in sorted((corpora / NOISE / folder).glob("*.*")):
            found[path.stem] = [path]
    if len(found) == 1:
        raise SerEdgeError(f"{corpora / NOISE}: holds no noise clips of ESC-10's folds {folds}")
    return found


def looped(clips: list[Audio], sample_rate: int, minutes: float) -> Iterator[Audio]:
    """Clips one after the other, again and again, each faded into the next.

    Parameters
    ----------
    clips : list of ndarray of float32, each of shape (n_samples,)
        At least 20 ms long.
    sample_rate : int
        Samples per second.
    minutes : float
        How long it lasts.

    Yields
    ------
    ndarray of float32, shape (n_samples,)
        Chunks of half a second, the last one shorter.
    """
    circle = np.concatenate(_faded(clips, round(JOIN_SECONDS * sample_rate)))
    total = round(minutes * 60.0 * sample_rate)
    length = round(CHUNK_SECONDS * sample_rate)
    for start in range(0, total, length):
        places = np.arange(start, min(start + length, total)) % len(circle)
        yield circle[places]


def _faded(clips: list[Audio], length: int) -> list[Audio]:
    """Each clip without its end, which is faded into the beginning of the next one."""
    rise = np.linspace(0.0, 1.0, length, dtype=np.float32)
    faded = []
    for before, clip in zip([clips[-1], *clips[:-1]], clips):
        start = rise * clip[:length] + rise[::-1] * before[-length:]
        faded.append(np.concatenate((start, clip[length:-length])))
    return faded


def hear(listener: Listener, chunks: Iterator[Audio]) -> Heard:
    """Count what a listener makes of a stream."""
    n_hops = n_open = n_windows = 0
    events: Counter[str] = Counter()
    for chunk in chunks:
        for step in listener.push(chunk):
            n_hops += 1
            n_open += step.hop.is_open
            n_windows += step.hop.scores is not None
            events.update(event.label for event in step.events if event.kind == "start")
    del events[UNSURE]
    return Heard(n_open / max(1, n_hops), n_windows, dict(events))


def _record(
    name: str, clips: list[Audio], sample_rate: int, heard: Heard, minutes: float
) -> dict[str, Any]:
    n_events = sum(heard.events.values())
    return {
        "noise": name,
        "speech_like": name.startswith(SPEECH_LIKE),
        "clips": len(clips),
        "seconds": round(sum(map(len, clips)) / sample_rate, 1),
        "open_share": round(heard.open_share, 5),
        "windows": heard.windows,
        "events": heard.events,
        "events_per_hour": round(n_events / minutes * 60.0, 2),
    }


def _quiet_room(sample_rate: int) -> Audio:
    rng = np.random.default_rng(0)
    deviation = 10.0 ** (QUIET_DBFS / 20.0) / np.sqrt(2.0)
    n_samples = round(QUIET_SECONDS * sample_rate)
    return rng.normal(0.0, deviation, n_samples).astype(np.float32)


def as_table(result: dict[str, Any]) -> str:
    """The result for people, as a Markdown table; speech-like sounds last."""
    rows = [
        [
            one["noise"] + (" (speech-like)" if one["speech_like"] else ""),
            f"{one['clips']} of {one['seconds']:.0f} s in all",
            f"{one['open_share']:.2%}",
            str(one["windows"]),
            f"{one['events_per_hour']:g}",
        ]
        for one in sorted(result["noises"], key=lambda one: bool(one["speech_like"]))
    ]
    head = ["noise", "clips", "gate open", "windows classified", "emotion events per hour"]
    return markdown([head, *rows])
