"""A teacher's probabilities for the recordings that a network is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from train.cache import FeatureCache
from train.corpora import Utterance
from train.progress import say
from train.teacher.statistics import CepstralStatistics
from train.teacher.whisper import NAME, WhisperEmbedding, require_installed

TEACHER_FILE = "teacher.npz"
# As many as leave the teacher nearly all speakers to learn from.
MOST_FOLDS = 7
# Of 0.003, 0.01 and 0.03 the best on training speakers of RAVDESS.
INVERSE_PENALTY = 0.01
# A speaker's mean counts as much as that of the corpus with so many recordings.
CORPUS_COUNTS = 3.0
ITERATIONS = 300

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Teacher:
    """A regression, and what it hears of a recording.

    Attributes
    ----------
    hears : tuple of callable
        From a sound file to an embedding, (1, d), each with a ``key``.
    knows_speakers : bool
        Whether the mean of each speaker's recordings is taken away; see `without_speakers`.
    inverse_penalty : float
        Of the regression.
    """

    hears: tuple[Any, ...]
    knows_speakers: bool
    inverse_penalty: float


TEACHERS = {
    NAME: Teacher((WhisperEmbedding(),), False, INVERSE_PENALTY),
    # Of 0.003, 0.01 and 0.03 the best on training speakers of RAVDESS and of EmoDB.
    f"{NAME}-by-speaker": Teacher((WhisperEmbedding(), CepstralStatistics()), True, 0.03),
}


def soft_targets(
    name: str,
    utterances: list[Utterance],
    targets: NDArray[np.int64],
    unlabelled: list[Utterance],
    labels: tuple[str, ...],
    cache: FeatureCache,
    folder: Path | None,
) -> Probabilities:
    """Probabilities of the teacher for every training utterance, as stored or computed.

    Parameters
    ----------
    name : str
        Of `TEACHERS`.
    utterances : list of Utterance
        The training part; a recording of which there are varied copies as often as there are.
    targets : ndarray of int, shape (n,)
        Index of the label of each.
    unlabelled : list of Utterance
        Other recordings, of other speakers; the teacher is not told their emotions.
    labels : tuple of str
        The classes.
    cache : FeatureCache
        Keeps what the teacher hears in each recording.
    folder : Path or None
        The run's folder. What ``teacher.npz`` there holds is taken as it is, so that a run can be
        had again without the teacher; what is computed is written there.

    Returns
    -------
    ndarray of float32, shape (n + n_unlabelled, n_labels)
        Rows that sum to one.

    Raises
    ------
    SerEdgeError
        When the stored ones are of another teacher, other recordings or labels, or the teacher is
        not installed.
    """
    path = None if folder is None else folder / TEACHER_FILE
    asked = [_name(u) for u in (*utterances, *unlabelled)]
    if path is not None and path.is_file():
        return _stored(path, name, asked, labels)
    require_installed()
    # Once each: with a copy among the others, a recording would be judged by who heard it.
    once = {_name(u): (u, int(target)) for u, target in zip(utterances, targets)}
    known, classes = (list(one) for one in zip(*once.values()))
    names = [*once, *map(_name, unlabelled)]
    say(f"teacher {name}: listens to {len(names)} utterances")
    taught = _probabilities(TEACHERS[name], known, np.array(classes), unlabelled, labels, cache)
    if path is not None:
        _store(path, name, np.array(names), labels, taught)
    return _rows(names, taught.astype(np.float16), asked)


def _name(utterance: Utterance) -> str:
    return f"{utterance.corpus}/{utterance.name}"


def _rows(names: list[str], probabilities: NDArray[np.float16], asked: list[str]) -> Probabilities:
    """Those of what is asked for, by name."""
    place = {name: number for number, name in enumerate(names)}
    return np.asarray(probabilities[[place[name] for name in asked]], np.float32)


def _probabilities(
    teacher: Teacher,
    utterances: list[Utterance],
    targets: NDArray[np.int64],
    unlabelled: list[Utterance],
    labels: tuple[str, ...],
    cache: FeatureCache,
) -> Probabilities:
    """For each utterance from who never heard its speaker, for each unlabelled one from all."""
    taught_on = [*utterances, *unlabelled]
    paths = [u.path for u in taught_on]
    parts = [np.concatenate(cache.load(paths, hears)) for hears in teacher.hears]
    heard = np.concatenate(parts, axis=1)
    if teacher.knows_speakers:
        heard = without_speakers(heard, taught_on)
    known, other = heard[: len(utterances)], heard[len(utterances) :]
    speakers = np.array([u.speaker for u in utterances])
    taught = out_of_fold(known, targets, speakers, len(labels), teacher.inverse_penalty)
    if not unlabelled:
        return taught
    rows = _taught(known, targets, other, len(labels), teacher.inverse_penalty)
    return np.concatenate([taught, rows])


def without_speakers(
    embeddings: NDArray[np.float32], utterances: list[Utterance]
) -> NDArray[np.float32]:
    """Take from each embedding the mean of its speaker's.

    What a voice is like whatever it says is so out of the way: the teacher, who has all of a
    speaker's recordings before it, knows what the network on the device cannot.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, d)
        One for each utterance.
    utterances : list of Utterance
        Who speaks, in which corpus.

    Returns
    -------
    ndarray of float32, shape (n, d)
        The mean of a speaker with few recordings leans on that of the corpus.

    References
    ----------
    V. Vapnik and A. Vashist, "A new learning paradigm: learning using privileged information",
    Neural Networks, 2009.
    """
    corpora = np.array([utterance.corpus for utterance in utterances])
    speakers = np.array([utterance.speaker for utterance in utterances])
    left = np.empty_like(embeddings)
    for corpus in np.unique(corpora):
        of_corpus = embeddings[corpora == corpus].mean(axis=0)
        for speaker in np.unique(speakers[corpora == corpus]):
            own = (corpora == corpus) & (speakers == speaker)
            total = embeddings[own].sum(axis=0) + CORPUS_COUNTS * of_corpus
            left[own] = embeddings[own] - total / (np.count_nonzero(own) + CORPUS_COUNTS)
    return left


def out_of_fold(
    embeddings: NDArray[np.float32],
    targets: NDArray[np.int64],
    speakers: NDArray[np.str_],
    n_labels: int,
    inverse_penalty: float = INVERSE_PENALTY,
) -> Probabilities:
    """Probabilities for each utterance from a logistic regression that never heard its speaker.

    Where there is one speaker alone, from one that never heard the utterance.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, d)
        What is known of each utterance.
    targets : ndarray of int, shape (n,)
        Index of its label.
    speakers : ndarray of str, shape (n,)
        Who speaks.
    n_labels : int
        Number of classes.
    inverse_penalty : float
        Of the regression; the larger, the closer it follows the targets.

    Returns
    -------
    ndarray of float32, shape (n, n_labels)
        Rows that sum to one; a class that the others lack has probability 0.

    Raises
    ------
    SerEdgeError
        When there are too few utterances to learn from some and judge the others.
    """
    probabilities = np.zeros((len(targets), n_labels), np.float32)
    for known, judged in _folds(targets, speakers):
        if len(np.unique(targets[known])) < 2:
            raise SerEdgeError(
                "teacher: the other speakers have one class alone; name more speakers to train on"
            )
        probabilities[judged] = _taught(
            embeddings[known], targets[known], embeddings[judged], n_labels, inverse_penalty
        )
    return probabilities


def _taught(
    known: NDArray[np.float32],
    targets: NDArray[np.int64],
    judged: NDArray[np.float32],
    n_labels: int,
    inverse_penalty: float,
) -> Probabilities:
    """Probabilities for some embeddings of a regression on others."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(C=inverse_penalty, max_iter=ITERATIONS)
    model = make_pipeline(StandardScaler(), regression).fit(known, targets)
    probabilities = np.zeros((len(judged), n_labels), np.float32)
    probabilities[:, regression.classes_] = model.predict_proba(judged)
    return probabilities


def _folds(targets: NDArray[np.int64], speakers: NDArray[np.str_]) -> list[Any]:
    from sklearn.model_selection import GroupKFold, StratifiedKFold

    n_speakers = len(np.unique(speakers))
    if n_speakers > 1:
        return list(GroupKFold(min(n_speakers, MOST_FOLDS)).split(targets, groups=speakers))
    # Of the rarest class at least one is left to learn from.
    n_folds = min(MOST_FOLDS, int(np.bincount(targets)[np.unique(targets)].min()))
    if n_folds < 2:
        raise SerEdgeError(
            "teacher: a class with one utterance of one speaker cannot be taught; add recordings"
        )
    return list(StratifiedKFold(n_folds, shuffle=True, random_state=0).split(targets, targets))


def _stored(path: Path, teacher: str, asked: list[str], labels: tuple[str, ...]) -> Probabilities:
    try:
        with np.load(path, allow_pickle=False) as archive:
            known, of, rows = archive["utterances"], archive["labels"], archive["probabilities"]
            names, stored_labels = known.tolist(), tuple(of.tolist())
            # Files of before have no name in them.
            taught_by = str(archive["teacher"]) if "teacher" in archive else teacher
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise SerEdgeError(f"{path}: cannot be read ({error}); delete it") from error
    if taught_by != teacher:
        raise SerEdgeError(f"{path}: is of the teacher {taught_by}, not {teacher}; delete it")
    # Of more recordings, too: who is judged on today may have taught then.
    lacks, more = sorted(set(asked) - set(names)), sorted(set(names) - set(asked))
    if lacks or more or stored_labels != labels:
        what = f"has the labels {', '.join(stored_labels)}"
        what = f"lacks {lacks[0]}" if lacks else f"has {more[0]}, too" if more else what
        raise SerEdgeError(f"{path}: is of another training ({what}); delete it")
    return _rows(names, rows, asked)


def _store(
    path: Path,
    teacher: str,
    names: NDArray[np.str_],
    labels: tuple[str, ...],
    taught: Probabilities,
) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                teacher=np.array(teacher),
                utterances=names,
                labels=np.array(labels),
                probabilities=taught.astype(np.float16),
            )
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error
