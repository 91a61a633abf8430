"""How well a model does on a rolling stream: how soon it is right, and how steady it is."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_jobs import in_parallel
from benchmarks.sound_conditions import CLEAN, Condition, active_part, heard_in
from edge_runtime.classifier import Classifier
from edge_runtime.listener import Listener
from train.audio import read_utterance
from train.corpora import Utterance
from train.gate_sounds import SPEAKERS, UTTERANCES
from train.splits.classes import in_order
from train.splits.names import listed

Audio = NDArray[np.float32]

ROOM_DBFS = -70.0  # of a full-scale sine
LEAD_SECONDS = 1.0  # beyond the window, which must be full before anything is said
TAIL_SECONDS = 2.0  # the gate's hang-over, and as much again
DECIMALS = 4
PROTOCOL = (
    "Through the listener of ser-edge listen with its own gate, decision settings and the model's "
    "hop. Each utterance alone, in the steady noise of a quiet room ({room:g} dBFS) that begins "
    "a window and {lead:g} s, and a part of a hop drawn for each utterance, before it and lasts "
    "{tail:g} s longer; the noise or room of a condition is there all the time. Speech begins with "
    "the utterance's first frame of 32 ms within 30 dB of its loudest. Time to the first right "
    "decision: from there to the end of the hop at which the right emotion first is going on "
    "(a start or an update), in time of the stream, to which computing adds milliseconds; never: "
    "utterances without one; missed: those in which nothing was said at all. Right, % of the time: "
    "of the hops since the speech began at which anything (an emotion or unsure) is going on, "
    "those at which it is the right one. Gate open: hops at which windows are classified, of those "
    "from the beginning to the end of the speech, and of those before it. Flips: all utterances of "
    "one speaker and one emotion in a row without added pauses, as one stream; a flip is each time "
    "that what is going on differs from what last was (an emotion or unsure; that nothing is "
    "going on in between is no flip), per minute of these utterances. The energy gate was itself "
    "fitted on room impulse responses and on ESC-10, rain included; on no other of these noises; "
    "and on speech, of all speakers of {all_of} and of some of {some_of}, whatever part they are in"
)


def protocol() -> str:
    """Say in words how streams are made and what is counted."""
    return PROTOCOL.format(
        room=ROOM_DBFS,
        lead=LEAD_SECONDS,
        tail=TAIL_SECONDS,
        all_of=listed([corpus for corpus in UTTERANCES if corpus not in SPEAKERS], judged=False),
        some_of=listed(list(SPEAKERS), judged=False),
    )


class LabelTrack:
    """Counts over what is going on, hop by hop.

    Parameters
    ----------
    right : str
        The label that should be going on.

    Attributes
    ----------
    hops, labelled, right_hops : int
        Hops; those at which a label is going on; those at which it is the right one.
    flips : int
        How often the label differs from the last one that was going on; None is no label.
    first, first_right : float or None
        Time of the first hop with any label, and with the right one, in seconds.

    Examples
    --------
    >>> track = LabelTrack("sad")
    >>> for seconds, label in enumerate([None, "fear", None, "sad", "sad"]):
    ...     track.push(seconds, label)
    >>> track.first, track.first_right, track.flips, track.labelled, track.right_hops
    (1, 3, 1, 3, 2)
    """

    def __init__(self, right: str) -> None:
        self._right = right
        self._last: str | None = None
        self.hops = self.labelled = self.right_hops = self.flips = 0
        self.first: float | None = None
        self.first_right: float | None = None

    def push(self, seconds: float, label: str | None) -> None:
        """Take what is going on at the end of a hop: a label, "unsure", or None."""
        self.hops += 1
        if label is None:
            return
        self.labelled += 1
        self.flips += self._last is not None and label != self._last
        self._last = label
        if self.first is None:
            self.first = seconds
        if label != self._right:
            return
        self.right_hops += 1
        if self.first_right is None:
            self.first_right = seconds


@dataclass(frozen=True)
class Stream:
    """A sound with speech somewhere in it.

    Attributes
    ----------
    sound : ndarray of float32, shape (n_samples,)
        What the listener hears.
    begin, end : float
        Where the speech begins and ends, in seconds.
    body_seconds : float
        Length of the utterances alone.
    """

    sound: Audio
    begin: float
    end: float
    body_seconds: float


@dataclass(frozen=True)
class Heard:
    """What a listener made of a stream.

    Attributes
    ----------
    label : str
        The right one.
    track : LabelTrack
        Of the hops since the speech began, in seconds from there.
    n_speech, n_speech_open : int
        Hops within the speech, and those of them at which the gate was open.
    n_before, n_before_open : int
        The same of those before it.
    began_early : bool
        Whether something was going on already when the speech began.
    body_seconds : float
        Length of the utterances alone.
    """

    label: str
    track: LabelTrack
    n_speech: int
    n_speech_open: int
    n_before: int
    n_before_open: int
    began_early: bool
    body_seconds: float


def judge_streams(
    classifier: Classifier,
    utterances: Sequence[Utterance],
    labels: Sequence[str],
    conditions: Sequence[Condition] = (CLEAN,),
    jobs: int = 1,
) -> dict[str, dict[str, Any]]:
    """Let utterances be heard as streams, each alone and those of one voice and emotion in a row.

    Parameters
    ----------
    classifier : Classifier
        The model.
    utterances : sequence of Utterance
        At least one.
    labels : sequence of str, length n
        The right label of each.
    conditions : sequence of Condition
        In which to hear them.
    jobs : int
        Number of processes; -1 is one per core.

    Returns
    -------
    dict of str to dict
        By the condition's name what `stream_figures` gives.

    Raises
    ------
    SerEdgeError
        When an utterance cannot be read.
    """
    rows: dict[tuple[str, str], list[Utterance]] = {}
    for utterance, label in zip(utterances, labels):
        rows.setdefault((utterance.speaker, label), []).append(utterance)
    tasks = [([utterance], label) for utterance, label in zip(utterances, labels)]
    tasks += [(row, label) for (_, label), row in rows.items()]
    model = (classifier.path, classifier.backend.name)
    calls = [(*model, task, label, one) for one in conditions for task, label in tasks]
    heard = in_parallel(_hear_utterances, calls, jobs, f"{classifier.path.name}, streams", "stream")
    figures = {}
    for number, condition in enumerate(conditions):
        start = number * len(tasks)
        alone = heard[start : start + len(utterances)]
        figures[condition.name] = stream_figures(
            alone, heard[start + len(utterances) : start + len(tasks)]
        )
    return figures


def stream_figures(alone: Sequence[Heard], in_a_row: Sequence[Heard]) -> dict[str, Any]:
    """Sum up what was heard.

    Parameters
    ----------
    alone : sequence of Heard
        Streams of one utterance each.
    in_a_row : sequence of Heard
        Streams of the utterances of one voice and emotion each.

    Returns
    -------
    dict
        As JSON types, shares in [0, 1], times in seconds, None where there is nothing to divide
        by: ``utterances``; of them ``never_right``, ``missed`` and ``began_early`` (something was
        going on already when the speech began); ``first_right`` and ``first`` (anything), each
        with ``p50``, ``mean`` and ``p90`` of the time to it; ``right_share``; ``open_share`` in
        the speech and ``open_share_before`` it; ``in_a_row`` with ``streams``, ``minutes``,
        ``flips``, ``flips_per_minute``, ``right_share`` and ``labelled_share`` (hops at which
        anything is going on); and ``by_label`` with some of these for each emotion.
    """
    labels = in_order(one.label for one in alone)
    return {
        **_figures(alone),
        "first": _times(one.track.first for one in alone),
        "began_early": sum(one.began_early for one in alone),
        "open_share": _share(
            sum(one.n_speech_open for one in alone), sum(one.n_speech for one in alone)
        ),
        "open_share_before": _share(
            sum(one.n_before_open for one in alone), sum(one.n_before for one in alone)
        ),
        "in_a_row": _steadiness(in_a_row),
        "by_label": {
            label: {
                **_figures([one for one in alone if one.label == label]),
                "in_a_row": _steadiness([one for one in in_a_row if one.label == label]),
            }
            for label in labels
        },
    }


def _figures(alone: Sequence[Heard]) -> dict[str, Any]:
    tracks = [one.track for one in alone]
    return {
        "utterances": len(tracks),
        "never_right": sum(track.first_right is None for track in tracks),
        "missed": sum(track.first is None for track in tracks),
        "first_right": _times(track.first_right for track in tracks),
        "right_share": _right_share(tracks),
    }


def _steadiness(in_a_row: Sequence[Heard]) -> dict[str, Any]:
    tracks = [one.track for one in in_a_row]
    minutes = sum(one.body_seconds for one in in_a_row) / 60.0
    flips = sum(track.flips for track in tracks)
    return {
        "streams": len(tracks),
        "minutes": round(minutes, 3),
        "flips": flips,
        "flips_per_minute": round(flips / minutes, 2) if minutes else None,
        "right_share": _right_share(tracks),
        "labelled_share": _share(
            sum(track.labelled for track in tracks), sum(track.hops for track in tracks)
        ),
    }


def _right_share(tracks: Iterable[LabelTrack]) -> float | None:
    counted = [(track.right_hops, track.labelled) for track in tracks]
    return _share(sum(right for right, _ in counted), sum(labelled for _, labelled in counted))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, DECIMALS) if whole else None


def _times(seconds: Iterable[float | None]) -> dict[str, float | None]:
    known = [one for one in seconds if one is not None]
    if not known:
        return {"p50": None, "mean": None, "p90": None}
    p50, p90 = np.percentile(known, (50, 90))
    return {
        "p50": round(float(p50), 3),
        "mean": round(float(np.mean(known)), 3),
        "p90": round(float(p90), 3),
    }


def _hear_utterances(
    path: Path, backend: str, utterances: list[Utterance], label: str, condition: Condition
) -> Heard:
    classifier = opened(path, backend)
    rate = classifier.metadata.features.sample_rate
    clips = [read_utterance(utterance.path, rate) for utterance in utterances]
    first = utterances[0]
    source = f"{first.corpus}/{first.name}/{len(clips)}"
    listener = Listener(classifier)
    lead = classifier.metadata.window_seconds + LEAD_SECONDS
    stream = make_stream(clips, rate, source, lead, listener.hop_seconds, condition)
    return hear(listener, stream, label)


@lru_cache(maxsize=4)
def opened(path: Path, backend: str) -> Classifier:
    """Give a model, opened once in each process."""
    return Classifier(path, backend)


def make_stream(
    clips: Sequence[Audio],
    sample_rate: int,
    source: str,
    lead_seconds: float,
    hop_seconds: float,
    condition: Condition = CLEAN,
) -> Stream:
    """Put recordings in a row between two stretches of a quiet room.

    Parameters
    ----------
    clips : sequence of ndarray of float32, each of shape (n_samples,)
        At least one.
    sample_rate : int
        Samples per second.
    source : str
        What they are: fixes what is drawn.
    lead_seconds, hop_seconds : float
        The first stretch is as long as the one and up to the other longer, so that speech begins
        anywhere within a hop.
    condition : Condition
        In which all of it is heard.

    Returns
    -------
    Stream
        With `TAIL_SECONDS` behind the recordings.
    """
    rng = np.random.default_rng(zlib.crc32(source.encode()))
    before = round((lead_seconds + hop_seconds * rng.random()) * sample_rate)
    after = round(TAIL_SECONDS * sample_rate)
    body = np.concatenate(clips)
    active = np.concatenate([active_part(clip, sample_rate) for clip in clips])
    sound = np.pad(body, (before, after))
    sound = heard_in(condition, sound, np.pad(active, (before, after)), sample_rate, source)
    deviation = 10.0 ** (ROOM_DBFS / 20.0) / np.sqrt(2.0)
    sound = sound + rng.normal(0.0, deviation, len(sound)).astype(np.float32)
    places = np.flatnonzero(active) if active.any() else np.array([0, len(body) - 1])
    return Stream(
        sound,
        (before + int(places[0])) / sample_rate,
        (before + int(places[-1]) + 1) / sample_rate,
        len(body) / sample_rate,
    )


def hear(listener: Listener, stream: Stream, label: str) -> Heard:
    """Push a stream through a listener that has heard nothing yet.

    Parameters
    ----------
    listener : Listener
        At the start of its stream.
    stream : Stream
        What it is to hear.
    label : str
        The right one.
    """
    hops = [step.hop for step in listener.push(stream.sound)]
    before = [hop for hop in hops if hop.end <= stream.begin]
    since = hops[len(before) :]
    speech = [hop for hop in since if hop.end <= stream.end]
    track = LabelTrack(label)
    for hop in since:
        track.push(hop.end - stream.begin, hop.label)
    return Heard(
        label=label,
        track=track,
        n_speech=len(speech),
        n_speech_open=sum(hop.is_open for hop in speech),
        n_before=len(before),
        n_before_open=sum(hop.is_open for hop in before),
        began_early=bool(before) and before[-1].label is not None,
        body_seconds=stream.body_seconds,
    )
