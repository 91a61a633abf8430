"""What getting used to a voice gains: UAR after other utterances of the same speaker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.accuracy_selection import of_run
from benchmarks.heard import Heard, heard_by
from edge_runtime.adaptation import Adaptation
from edge_runtime.classifier import CLIP_HOPS_PER_WINDOW, Classifier

DRAWS = 5
DECIMALS = 5
PAST_UTTERANCES = 40
NEUTRAL = "neutral"
AS_RECORDED = "as recorded"
# What a speaker is heard to say before: what the recordings are, or mostly neutral, as at home.
PASTS: dict[str, float | None] = {AS_RECORDED: None, "0.70": 0.70, "0.90": 0.90, "0.97": 0.97}
ABOUT = (
    "Each speaker's utterances are dealt into halves, those of each emotion in turn. Those of one "
    f"half are judged after {PAST_UTTERANCES} utterances drawn with replacement from the other, "
    "and the other way round; then all together. All windows of the past are learnt in the order "
    "drawn, a quarter of a window each, as they lie in a clip; those that are judged are not "
    "learnt. The past is drawn as the recordings are, or an utterance of it is neutral with the "
    "probability named; there, speakers who have not a neutral and another recording in each half "
    "are left out. Alone: the same utterances by the model itself. The int8 file, through the code "
    "that runs on the device, over all classes of the model"
)


class Answer(NamedTuple):
    """What is right for an utterance, and what was said, as places among the labels."""

    right: int
    alone: int
    adapted: int


def bench_adaptation(
    run: Path, model: Path, corpora: Path, draws: int = DRAWS, seed: int = 0
) -> dict[str, Any]:
    """Judge the test speakers of a run alone and after a past of their own, drawn at random.

    Parameters
    ----------
    run : Path
        A folder that ser-train wrote; its test speakers must be strangers to the model.
    model : Path
        The run's model, converted.
    corpora : Path
        Folder of the corpora.
    draws : int
        How often halves and pasts are drawn.
    seed : int
        Of these draws.

    Returns
    -------
    dict
        Which run, ``about`` how it is judged, and ``pasts``: by the name of `PASTS` how many
        ``speakers`` and ``utterances`` were judged, and by draw ``uar alone`` and ``uar adapted``,
        whatever the threshold; and ``recall alone`` and ``recall adapted``, by label. A past that
        no speaker has is left out.

    Raises
    ------
    SerEdgeError
        When the run, the model or an utterance cannot be used, or the model knows a test speaker.
    """
    selection = of_run(run, corpora)
    classifier = Classifier(model)
    heard = heard_by(classifier, selection)
    by_speaker = [
        [one for one in heard if one.speaker == speaker]
        for speaker in sorted({one.speaker for one in heard})
    ]
    return {
        "model": classifier.hash,
        "about": ABOUT,
        "protocol_name": run.resolve().parents[1].name,
        "protocol": selection.protocol,
        **{name: selection.about[name] for name in ("recipe", "split", "seed")},
        "corpora": sorted({utterance.corpus for utterance in selection.utterances}),
        "draws": draws,
        "seed_of_draws": seed,
        "pasts": dict(_pasts(classifier, by_speaker, draws, seed)),
    }


def _pasts(
    classifier: Classifier, by_speaker: list[list[Heard]], draws: int, seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    for past, share in tqdm(PASTS.items(), desc=classifier.path.parent.name, disable=None):
        drawn, speakers = [], 0
        for number in range(draws):
            rng = np.random.default_rng([seed, number])
            answers = [_after_a_past(classifier, own, share, rng) for own in by_speaker]
            drawn.append([answer for some in answers for answer in some])
            speakers = sum(bool(some) for some in answers)
        if speakers:
            yield past, {"speakers": speakers, **_figures(drawn, classifier.metadata.labels)}


def _figures(drawn: list[list[Answer]], labels: tuple[str, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {"utterances": len(drawn[0])}
    occurring = sorted({one.right for one in drawn[0]})
    for which in ("alone", "adapted"):
        recalls = np.array(
            [
                _recalls([one.right for one in some], [getattr(one, which) for one in some])
                for some in drawn
            ]
        )
        told[f"uar {which}"] = recalls.mean(axis=1).round(DECIMALS).tolist()
        told[f"recall {which}"] = {
            labels[place]: of_label.round(DECIMALS).tolist()
            for place, of_label in zip(occurring, recalls.T)
        }
    return told


def _after_a_past(
    classifier: Classifier, own: list[Heard], share: float | None, rng: np.random.Generator
) -> list[Answer]:
    """Judge a speaker's utterances, each half after a past of the other; none where there is none.

    The past's utterances are neutral with the probability `share`.
    """
    halves = _halves(own, rng)
    if not all(_can_be_drawn(half, share) for half in halves):
        return []
    answers = []
    for judged, others in (halves, halves[::-1]):
        adaptation = _used_to(classifier, _drawn(others, share, rng))
        answers += [_answer(classifier, one, adaptation) for one in judged]
    return answers


def _halves(own: list[Heard], rng: np.random.Generator) -> tuple[list[Heard], list[Heard]]:
    """Deal utterances in a random order, those of each emotion in turn."""
    order = [own[place] for place in rng.permutation(len(own))]
    order.sort(key=lambda one: one.emotion)
    return order[::2], order[1::2]


def _can_be_drawn(half: list[Heard], share: float | None) -> bool:
    if share is None:
        return bool(half)
    return len({one.emotion == NEUTRAL for one in half}) == 2


def _drawn(half: list[Heard], share: float | None, rng: np.random.Generator) -> list[Heard]:
    if share is None:
        return [half[place] for place in rng.integers(len(half), size=PAST_UTTERANCES)]
    neutral = [one for one in half if one.emotion == NEUTRAL]
    others = [one for one in half if one.emotion != NEUTRAL]
    pools = [neutral if rests else others for rests in rng.random(PAST_UTTERANCES) < share]
    return [pool[rng.integers(len(pool))] for pool in pools]


def _used_to(classifier: Classifier, past: list[Heard]) -> Adaptation:
    metadata = classifier.metadata
    adaptation = Adaptation(metadata.labels)
    stride = max(1, metadata.window_frames // CLIP_HOPS_PER_WINDOW) * metadata.features.hop_length
    for one in past:
        for scores in one.scores:
            adaptation.learn(scores, stride / metadata.features.sample_rate)
    return adaptation


def _answer(classifier: Classifier, one: Heard, adaptation: Adaptation) -> Answer:
    def best(scores: NDArray[np.float32]) -> int:
        return int((one.weights @ scores).argmax())

    right = classifier.metadata.labels.index(one.emotion)
    return Answer(right, best(one.scores), best(adaptation.adapted(one.scores)))


def _recalls(right: Sequence[int], said: Sequence[int]) -> NDArray[np.float64]:
    """Of each class that occurs, in the order of the labels."""
    from sklearn.metrics import recall_score

    recalls = recall_score(right, said, labels=sorted(set(right)), average=None, zero_division=0.0)
    return np.asarray(recalls, np.float64)
