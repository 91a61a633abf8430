"""How surely and how soon the gates open for speech, and what they cost."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.arguments import add_outcome, give
from benchmarks.markdown import markdown
from benchmarks.progress import shown
from edge_runtime.errors import SerEdgeError
from edge_runtime.gates import GATE_NAMES, make_gate
from train.audio import read_utterance
from train.corpora import corpora_folder, read_corpora
from train.corpora.utterance import Utterance
from train.gate_sounds import FRAME, SAMPLE_RATE, SPEAKERS, at_level, coloured_noise

Audio = NDArray[np.float32]

# Speakers that the energy gate was not fitted on.
CORPORA = ("RAVDESS", "TESS", "EmoDB")
LEVELS_DBFS = (-20.0, -45.0)
SNRS_DB = {"clean": 45.0, "10 dB": 10.0}
PAUSE_SECONDS = 2.0
ONSET_RANGE_DB = 30.0  # speech begins where it first comes so near its loudest
SOON_SECONDS = 0.6
COST_SECONDS = 60.0
COST_CHUNK_SECONDS = 0.1


def add_parser(commands: Any) -> None:
    """Add ``gates`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "gates", help="how surely and how soon the gates open for speech, and what they cost"
    )
    parser.add_argument(
        "--corpora", metavar="DIR", help="folder of the corpora (default: $SER_EDGE_CORPORA)"
    )
    parser.add_argument(
        "--gates",
        nargs="+",
        choices=GATE_NAMES[:-1],
        default=["energy"],
        metavar="GATE",
        help=f"of {', '.join(GATE_NAMES[:-1])} (default: energy)",
    )
    parser.add_argument(
        "--utterances",
        type=int,
        default=200,
        metavar="N",
        help="drawn from each corpus, of speakers not fitted on (default: 200)",
    )
    add_outcome(parser)
    parser.set_defaults(work=gates)


def gates(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench gates``."""
    if arguments.utterances < 1:
        raise SerEdgeError(f"--utterances must be at least 1, not {arguments.utterances}")
    result = bench_gates(corpora_folder(arguments.corpora), arguments.gates, arguments.utterances)
    return give(result, as_text, arguments)


def bench_gates(corpora: Path, kinds: list[str], n_utterances: int) -> dict[str, Any]:
    """Let gates hear utterances of speakers that none was fitted on, each after a pause.

    Parameters
    ----------
    corpora : Path
        Folder of the corpora.
    kinds : list of str
        See `edge_runtime.gates.make_gate`.
    n_utterances : int
        Drawn from each corpus; all where it has fewer.

    Returns
    -------
    dict
        ``opened``: for each gate, corpus, level and noise the share of utterances for which it
        opened, the share within 0.6 s of their beginning, and the 50th and 90th percentile of the
        delay in seconds. ``cost``: milliseconds of processor time for a second of silence, steady
        noise and speech. As JSON types.

    Raises
    ------
    SerEdgeError
        When a corpus is missing.
    """
    drawn = {corpus: _drawn(corpora, corpus, n_utterances) for corpus in CORPORA}
    opened = []
    for corpus, utterances in shown(list(drawn.items()), "gates"):
        sounds = [read_utterance(one.path, SAMPLE_RATE) for one in utterances]
        for kind in kinds:
            for level in LEVELS_DBFS:
                for noise, snr in SNRS_DB.items():
                    where = {"gate": kind, "corpus": corpus, "level_dbfs": level, "noise": noise}
                    opened.append({**where, **_opening(kind, sounds, level, snr)})
    speech = [read_utterance(one.path, SAMPLE_RATE) for one in drawn[CORPORA[0]]]
    cost = {kind: _cost(kind, np.concatenate(speech)) for kind in kinds}
    counts = {corpus: len(utterances) for corpus, utterances in drawn.items()}
    return {"utterances": counts, "opened": opened, "cost": cost}


def _drawn(corpora: Path, corpus: str, number: int) -> list[Utterance]:
    fitted = SPEAKERS.get(corpus, set())
    unheard = [one for one in read_corpora(corpora, [corpus]) if one.speaker not in fitted]
    order = np.random.default_rng(0).permutation(len(unheard))[:number]
    return [unheard[index] for index in sorted(order)]


def _opening(kind: str, sounds: list[Audio], level: float, snr: float) -> dict[str, float]:
    rng = np.random.default_rng(0)
    gate = make_gate(kind, SAMPLE_RATE)
    delays = []
    for sound in sounds:
        gate.reset()
        delays.append(_delay(gate, sound, level, snr, rng))
    heard = [delay for delay in delays if delay is not None]
    p50, p90 = np.percentile(heard, (50, 90)) if heard else (np.nan, np.nan)
    return {
        "opened": round(len(heard) / len(sounds), 4),
        "soon": round(sum(delay <= SOON_SECONDS for delay in heard) / len(sounds), 4),
        "delay_p50": round(float(p50), 3),
        "delay_p90": round(float(p90), 3),
    }


def _delay(
    gate: Any, speech: Audio, level: float, snr: float, rng: np.random.Generator
) -> float | None:
    """Seconds from the beginning of the speech until the gate opens, or None."""
    power = np.square(speech[: len(speech) // FRAME * FRAME].reshape(-1, FRAME)).mean(axis=1)
    onset = int(np.argmax(power > power.max() * 10.0 ** (-ONSET_RANGE_DB / 10.0))) * FRAME
    pause = np.zeros(int(PAUSE_SECONDS * SAMPLE_RATE), dtype=np.float32)
    sound = np.concatenate((pause, at_level(speech, level), pause[: len(pause) // 2]))
    sound += at_level(np.resize(coloured_noise(rng), len(sound)), level - snr)
    for start in range(0, len(sound), FRAME):
        gate.push(sound[start : start + FRAME])
        if gate.is_open:
            return (start + FRAME - len(pause) - onset) / SAMPLE_RATE
    return None


def _cost(kind: str, speech: Audio) -> dict[str, float]:
    """Milliseconds of this process's processor time for a second of sound."""
    rng = np.random.default_rng(0)
    n_samples = int(COST_SECONDS * SAMPLE_RATE)
    noise = rng.normal(0.0, 1.0, n_samples).astype(np.float32)
    sounds = {
        "silence": np.zeros(n_samples, dtype=np.float32),
        "quiet room": at_level(noise, -70.0),
        "steady noise": at_level(noise, -30.0),
        "speech": np.resize(speech, n_samples),
    }
    return {name: round(_milliseconds(kind, sound), 3) for name, sound in sounds.items()}


def _milliseconds(kind: str, sound: Audio) -> float:
    length = int(COST_CHUNK_SECONDS * SAMPLE_RATE)
    chunks = [sound[start : start + length] for start in range(0, len(sound), length)]
    gate = make_gate(kind, SAMPLE_RATE)
    times = []
    for _ in range(3):
        begin = time.process_time()
        for chunk in chunks:
            gate.push(chunk)
        times.append(time.process_time() - begin)
    return min(times) / COST_SECONDS * 1000.0


def as_text(result: dict[str, Any]) -> str:
    """The result for people, as Markdown tables."""
    opened = [
        ["gate", "corpus", "level", "noise", "opened", "within 0.6 s", "delay p50", "delay p90"]
    ]
    opened += [
        [
            one["gate"],
            one["corpus"],
            f"{one['level_dbfs']:g} dBFS",
            one["noise"],
            f"{one['opened']:.1%}",
            f"{one['soon']:.1%}",
            f"{one['delay_p50']:.2f} s",
            f"{one['delay_p90']:.2f} s",
        ]
        for one in result["opened"]
    ]
    names = list(next(iter(result["cost"].values())))
    cost = [["gate, ms for each second of", *names]]
    cost += [
        [kind, *(f"{one[name]:.3f}" for name in names)] for kind, one in result["cost"].items()
    ]
    return f"{markdown(opened)}\n\n{markdown(cost)}"
