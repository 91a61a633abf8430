"""What enrolment gains: UAR against clips of each emotion, speaker by speaker."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.accuracy_selection import of_run
from benchmarks.heard import Heard, heard_by
from benchmarks.random_clips import random_clips
from edge_runtime.classifier import Classifier
from edge_runtime.profiles.clips import Clip, Clips
from edge_runtime.profiles.fit import fit
from edge_runtime.profiles.making import make_profile
from edge_runtime.profiles.profile import Profile
from edge_runtime.profiles.profile_file import write_profile

CLIP_COUNTS = (1, 3, 5, 10)
DRAWS = 5
# Fewer emotions that have a clip to spare are no task.
LEAST_EMOTIONS = 3
# What is asked about strangers and nearest voices is asked of profiles of so many clips.
USUAL_CLIPS = 5
MOST_PAIRS = 40
# Of each emotion, in the profile that is timed.
COSTLY_CLIPS, FITS_TIMED = 10, 9
ABOUT = (
    "each speaker alone, over those emotions that the speaker has more clips of than are enrolled; "
    "clips drawn at random, the others judged; before: the model over the same emotions and clips"
)


class Judged(NamedTuple):
    """How well some clips were answered.

    Attributes
    ----------
    uar : float
        Whatever the threshold.
    answered : float
        Share that scores no less than the model's threshold; the others are "unsure".
    right : float or None
        Share of those that is right; None where there are none.
    """

    uar: float
    answered: float
    right: float | None


class Known(NamedTuple):
    """A speaker who was enrolled."""

    emotions: list[str]
    enrolled: list[Heard]
    rest: list[Heard]
    profile: Profile


def bench_enrolment(
    run: Path, model: Path, corpora: Path, counts: Sequence[int] = CLIP_COUNTS, draws: int = DRAWS
) -> dict[str, Any]:
    """Enrol the test speakers of a run, each from clips drawn at random, and judge on the others.

    Parameters
    ----------
    run : Path
        A folder that ser-train wrote; its test speakers must be strangers to the model.
    model : Path
        The run's model, converted.
    corpora : Path
        Folder of the corpora.
    counts : sequence of int
        Clips of each emotion.
    draws : int
        How often they are drawn.

    Returns
    -------
    dict
        Which run, and ``speakers``: for each a list of ``clips``, ``emotions``, and by draw what
        `Judged` holds, before and after: ``uar before``, ``uar after`` and so on; ``others``: what
        a profile does to another speaker, what one of two speakers does for both, and how often the
        nearer of two profiles is the speaker's; ``cost``: of a profile of ten clips of each label
        the time of the fit (median) and the size.

    Raises
    ------
    SerEdgeError
        When the run, the model or an utterance cannot be used, or the model knows a test speaker.
    """
    selection = of_run(run, corpora)
    classifier = Classifier(model)
    heard = heard_by(classifier, selection)
    speakers = sorted({one.speaker for one in heard})
    return {
        "model": classifier.hash,
        "about": ABOUT,
        "protocol": selection.protocol,
        **{name: selection.about[name] for name in ("recipe", "split", "seed")},
        "utterances": len(heard),
        "draws": draws,
        "speakers": {
            speaker: [
                row
                for count in counts
                for row in _curve(classifier, _of(heard, speaker), count, draws)
            ]
            for speaker in tqdm(speakers, desc=selection.about["split"], disable=None)
        },
        "others": _others(classifier, heard, speakers),
        "cost": _cost(classifier),
    }


def _cost(classifier: Classifier) -> dict[str, Any]:
    """How long the fit of many clips takes, and how large the profile is."""
    clips, labels = random_clips(classifier, COSTLY_CLIPS), classifier.metadata.labels
    milliseconds = []
    for _ in range(FITS_TIMED):
        start = time.perf_counter()
        profile = make_profile("somebody", classifier, clips, labels)
        milliseconds.append(1000.0 * (time.perf_counter() - start))
    with TemporaryDirectory(prefix="ser-edge-enrol-") as folder:
        path = Path(folder) / "somebody.profile"
        write_profile(path, profile, clips)
        n_bytes = path.stat().st_size
    median = round(float(np.median(milliseconds)), 1)
    return {"clips": len(clips), "fit_ms": median, "profile_bytes": n_bytes}


def _of(heard: list[Heard], speaker: str) -> list[Heard]:
    return [one for one in heard if one.speaker == speaker]


def _curve(
    classifier: Classifier, own: list[Heard], count: int, draws: int
) -> Iterator[dict[str, Any]]:
    """A speaker's figures for a number of clips, if there are emotions enough."""
    emotions = _emotions(own, count)
    if len(emotions) < LEAST_EMOTIONS:
        return
    before, after = [], []
    for number in range(draws):
        enrolled, rest = _draw(own, emotions, count, number)
        profile = _profile(classifier, enrolled, emotions)
        before.append(_judged(classifier, rest, emotions, None))
        after.append(_judged(classifier, rest, emotions, profile))
    yield {
        "clips": count,
        "emotions": emotions,
        **{f"{name} before": [getattr(one, name) for one in before] for name in Judged._fields},
        **{f"{name} after": [getattr(one, name) for one in after] for name in Judged._fields},
    }


def _emotions(own: list[Heard], count: int) -> list[str]:
    """Those that there are more clips of than are enrolled."""
    clips = Counter(one.emotion for one in own)
    return sorted(emotion for emotion, n_clips in clips.items() if n_clips > count)


def _draw(
    own: list[Heard], emotions: list[str], count: int, number: int
) -> tuple[list[Heard], list[Heard]]:
    """Clips to enrol, and the others of the same emotions."""
    rng = np.random.default_rng([number, count])
    order = [own[place] for place in rng.permutation(len(own))]
    by_emotion = [[one for one in order if one.emotion == name] for name in emotions]
    enrolled = [one for clips in by_emotion for one in clips[:count]]
    return enrolled, [one for clips in by_emotion for one in clips[count:]]


def _profile(classifier: Classifier, enrolled: list[Heard], emotions: list[str]) -> Profile:
    clips = Clips([_as_clip(one, str(number)) for number, one in enumerate(enrolled)])
    return make_profile("speaker", classifier, clips, emotions)


def _as_clip(heard: Heard, source: str) -> Clip:
    embedding = heard.weights @ heard.embeddings
    return Clip(embedding, heard.weights @ heard.scores, heard.emotion, source)


def _judged(
    classifier: Classifier, clips: list[Heard], emotions: list[str], profile: Profile | None
) -> Judged:
    """Judge clips over some emotions, with a profile or without."""
    from sklearn.metrics import recall_score

    metadata = classifier.metadata
    asked = [place for place, label in enumerate(metadata.labels) if label in emotions]
    rows = [
        one.weights
        @ (one.scores if profile is None else profile.scores(one.scores, one.embeddings))
        for one in clips
    ]
    scores = np.stack(rows)[:, asked]
    answers = np.array(metadata.labels)[asked][scores.argmax(axis=1)]
    truth = np.array([one.emotion for one in clips])
    sure = scores.max(axis=1) >= metadata.rejection_threshold
    return Judged(
        float(recall_score(truth, answers, labels=np.unique(truth), average="macro")),
        float(sure.mean()),
        float((answers == truth)[sure].mean()) if sure.any() else None,
    )


def _others(classifier: Classifier, heard: list[Heard], speakers: list[str]) -> dict[str, Any]:
    """What profiles do for others than whom they were made for; means over pairs of speakers."""
    known = {}
    for speaker in speakers:
        own = _of(heard, speaker)
        emotions = _emotions(own, USUAL_CLIPS)
        if len(emotions) >= LEAST_EMOTIONS:
            enrolled, rest = _draw(own, emotions, USUAL_CLIPS, 0)
            profile = _profile(classifier, enrolled, emotions)
            known[speaker] = Known(emotions, enrolled, rest, profile)
    pairs = list(combinations(known, 2))
    chosen = np.random.default_rng(0).permutation(len(pairs))[:MOST_PAIRS]
    rows = [
        {"speakers": list(pair), **_pair(classifier, *(known[speaker] for speaker in pair))}
        for pair in (pairs[place] for place in sorted(chosen))
    ]
    return {"clips": USUAL_CLIPS, "pairs": rows}


def _pair(classifier: Classifier, one: Known, other: Known) -> dict[str, float]:
    emotions = [emotion for emotion in one.emotions if emotion in other.emotions]
    enrolled, judged = (
        [[clip for clip in clips if clip.emotion in emotions] for clips in sides]
        for sides in ((one.enrolled, other.enrolled), (one.rest, other.rest))
    )
    shared = _profile(classifier, [*enrolled[0], *enrolled[1]], emotions)

    def mean(*profiles: Profile | None) -> float:
        both = zip(judged, profiles)
        return float(np.mean([_judged(classifier, *(c, emotions, p)).uar for c, p in both]))

    return {
        "alone": mean(None, None),
        "own": mean(one.profile, other.profile),
        "the other's": mean(other.profile, one.profile),
        "one of both": mean(shared, shared),
        "nearest voice": _told_apart(enrolled, judged),
    }


def _told_apart(enrolled: list[list[Heard]], judged: list[list[Heard]]) -> float:
    """How often the nearer of two enrolled voices is the speaker's, by linear discriminants."""
    rows, who = _embeddings(enrolled)
    fitted = fit(rows, np.full((len(rows), 2), 0.5), who, 2)
    asked, truth = _embeddings(judged)
    nearer = (asked @ fitted.weights + fitted.bias).argmax(axis=1)
    return float((nearer == truth).mean())


def _embeddings(sides: list[list[Heard]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of the clips of two speakers, and which of them it is."""
    rows = np.stack([clip.weights @ clip.embeddings for side in sides for clip in side])
    return rows, np.repeat([0, 1], [len(side) for side in sides])
