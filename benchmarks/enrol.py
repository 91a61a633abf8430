"""What enrolment gains: UAR against clips of each emotion, speaker by speaker."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.accuracy_selection import Selection, of_run
from benchmarks.random_clips import random_clips
from edge_runtime.classifier import Classifier
from edge_runtime.profiles.clips import Clip, Clips
from edge_runtime.profiles.fit import fit
from edge_runtime.profiles.making import make_profile
from edge_runtime.profiles.profile import Profile
from edge_runtime.profiles.profile_file import write_profile
from train.audio import read_utterance

KIND = "enrol"
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


@dataclass(frozen=True)
class Heard:
    """What the model makes of an utterance, window by window.

    Attributes
    ----------
    weights, scores, embeddings : ndarray of float32
        See `edge_runtime.Classifier.window_outputs`.
    emotion, speaker : str
        Of the utterance.
    """

    weights: NDArray[np.float32]
    scores: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    emotion: str
    speaker: str

    def as_clip(self, source: str) -> Clip:
        """The utterance as one that is enrolled."""
        embedding = self.weights @ self.embeddings
        return Clip(embedding, self.weights @ self.scores, self.emotion, source)


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
        Which run, and ``speakers``: for each a list of ``clips``, ``emotions``, and by draw the
        UAR ``before`` and ``after``; ``others``: what a profile does to another speaker, what one
        of two speakers does for both, and how often the nearer of two profiles is the speaker's;
        ``cost``: of a profile of ten clips of each label the time of the fit (median) and the size.

    Raises
    ------
    SerEdgeError
        When the run, the model or an utterance cannot be used.
    """
    selection = of_run(run, corpora)
    classifier = Classifier(model)
    heard = _heard(classifier, selection)
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


def _heard(classifier: Classifier, selection: Selection) -> list[Heard]:
    rate = classifier.metadata.features.sample_rate
    return [
        Heard(
            *classifier.window_outputs(read_utterance(utterance.path, rate)),
            emotion,
            utterance.speaker,
        )
        for utterance, emotion in zip(selection.utterances, selection.emotions)
    ]


def _of(heard: list[Heard], speaker: str) -> list[Heard]:
    return [one for one in heard if one.speaker == speaker]


def _curve(
    classifier: Classifier, own: list[Heard], count: int, draws: int
) -> Iterator[dict[str, Any]]:
    """A speaker's figures for a number of clips, if there are emotions enough."""
    drawn = [_draw(own, count, number) for number in range(draws)]
    if drawn[0] is None:
        return
    before, after = [], []
    for one in drawn:
        assert one is not None
        enrolled, rest, emotions = one
        profile = _profile(classifier, enrolled, emotions)
        before.append(_uar(classifier, rest, emotions, None))
        after.append(_uar(classifier, rest, emotions, profile))
    yield {"clips": count, "emotions": emotions, "before": before, "after": after}


def _draw(
    own: list[Heard], count: int, number: int
) -> tuple[list[Heard], list[Heard], list[str]] | None:
    """Clips to enrol, the others of the same emotions, and the emotions."""
    counts = dict.fromkeys(sorted({one.emotion for one in own}), 0)
    for one in own:
        counts[one.emotion] += 1
    emotions = [emotion for emotion, n_clips in counts.items() if n_clips > count]
    if len(emotions) < LEAST_EMOTIONS:
        return None
    rng = np.random.default_rng([number, count])
    order = [own[place] for place in rng.permutation(len(own))]
    by_emotion = {name: [one for one in order if one.emotion == name] for name in emotions}
    enrolled = [one for name in emotions for one in by_emotion[name][:count]]
    return enrolled, [one for name in emotions for one in by_emotion[name][count:]], emotions


def _profile(classifier: Classifier, enrolled: list[Heard], emotions: list[str]) -> Profile:
    clips = Clips([one.as_clip(str(number)) for number, one in enumerate(enrolled)])
    return make_profile("speaker", classifier, clips, emotions)


def _uar(
    classifier: Classifier, judged: list[Heard], emotions: list[str], profile: Profile | None
) -> float:
    from sklearn.metrics import recall_score

    labels = classifier.metadata.labels
    asked = [place for place, label in enumerate(labels) if label in emotions]
    answers = []
    for one in judged:
        scores = one.scores if profile is None else profile.scores(one.scores, one.embeddings)
        answers.append(labels[asked[int((one.weights @ scores)[asked].argmax())]])
    truth = [one.emotion for one in judged]
    return float(recall_score(truth, answers, labels=sorted(set(truth)), average="macro"))


def _others(classifier: Classifier, heard: list[Heard], speakers: list[str]) -> dict[str, Any]:
    """What profiles do for others than whom they were made for; means over pairs of speakers."""
    drawn = {one: _draw(_of(heard, one), USUAL_CLIPS, 0) for one in speakers}
    known = {speaker: one for speaker, one in drawn.items() if one is not None}
    profiles = {one: _profile(classifier, known[one][0], known[one][2]) for one in known}
    pairs = list(combinations(known, 2))
    chosen = np.random.default_rng(0).permutation(len(pairs))[:MOST_PAIRS]
    rows = [_pair(classifier, known, profiles, *pairs[place]) for place in sorted(chosen)]
    return {"clips": USUAL_CLIPS, "pairs": rows}


def _pair(
    classifier: Classifier,
    known: dict[str, tuple[list[Heard], list[Heard], list[str]]],
    profiles: dict[str, Profile],
    one: str,
    other: str,
) -> dict[str, Any]:
    emotions = [emotion for emotion in known[one][2] if emotion in known[other][2]]
    enrolled = [[h for h in known[who][0] if h.emotion in emotions] for who in (one, other)]
    judged = [[h for h in known[who][1] if h.emotion in emotions] for who in (one, other)]
    shared = _profile(classifier, [*enrolled[0], *enrolled[1]], emotions)

    def mean(first: Profile | None, second: Profile | None) -> float:
        uar = [
            _uar(classifier, rest, emotions, profile)
            for rest, profile in zip(judged, (first, second))
        ]
        return float(np.mean(uar))

    return {
        "speakers": [one, other],
        "alone": mean(None, None),
        "own": mean(profiles[one], profiles[other]),
        "the other's": mean(profiles[other], profiles[one]),
        "one of both": mean(shared, shared),
        "nearest voice": _told_apart(enrolled, judged),
    }


def _told_apart(enrolled: list[list[Heard]], judged: list[list[Heard]]) -> float:
    """How often the nearer of two enrolled voices is the speaker's, by linear discriminants."""
    rows = np.stack([h.as_clip("").embedding for side in enrolled for h in side])
    who = np.repeat([0, 1], [len(side) for side in enrolled])
    fitted = fit(rows, np.full((len(rows), 2), 0.5), who, 2)
    shares = [
        np.mean([int((h.as_clip("").embedding @ fitted.weights + fitted.bias).argmax()) == number])
        for number, side in enumerate(judged)
        for h in side
    ]
    return float(np.mean(shares))
