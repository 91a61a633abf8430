"""How well model files do on utterances and on streams, on the device's code path."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import sound_conditions, streaming
from benchmarks.accuracy_jobs import in_parallel
from benchmarks.accuracy_selection import Selection
from benchmarks.sound_conditions import CLEAN, Condition, active_part, heard_in
from benchmarks.streaming import judge_streams, opened
from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from train.audio import read_utterance
from train.corpora import Utterance
from train.figures import figures_by_corpus, figures_of

SCORE_DECIMALS = 3
DECIMALS = 4
STORED_OF_CONDITION = ("utterances", "uar", "wa", "ece", "recall", "confusion")
WHOLE = (
    "Each utterance classified whole along the code path of ser-edge classify. UAR: the mean of "
    "the recalls of the classes that occur; WA: the share that is right; ECE: the expected "
    "calibration error in 15 bins of equal width"
)


def judge(
    selection: Selection,
    classifiers: Sequence[Classifier],
    conditions: Sequence[Condition] = (CLEAN,),
    stream: bool = False,
    jobs: int = 1,
) -> dict[str, Any]:
    """Judge model files on utterances: clean, in other conditions and as streams.

    Parameters
    ----------
    selection : Selection
        Utterances and their labels.
    classifiers : sequence of Classifier
        The models, of files with different names.
    conditions : sequence of Condition
        The first is `sound_conditions.CLEAN`.
    stream : bool
        Whether to let them be heard as streams, too, in each condition.
    jobs : int
        Number of processes; -1 is one per core.

    Returns
    -------
    dict
        As JSON types: ``protocol``, ``labels``, ``utterances``, ``targets``, what `selection` says
        about itself, ``method`` in words where there is more than clean utterances, and in
        ``models`` by file name ``bytes``, ``sha256``, ``backend``, ``conversion``; ``figures``
        (`train.figures.figures_of`, by corpus too) and ``scores`` of the clean utterances;
        ``conditions`` (`judge_conditions`) without the clean one and ``streams``
        (`benchmarks.streaming.judge_streams`) where asked for.

    Raises
    ------
    SerEdgeError
        When a model does not fit the selection, or an utterance cannot be judged.
    """
    judged = {}
    for classifier in classifiers:
        path = classifier.path
        if classifier.metadata.labels != selection.labels:
            raise SerEdgeError(f"{path}: its labels are not those of the run in {selection.origin}")
        if path.name in judged:
            raise SerEdgeError(f"{path}: another model has the same file name; rename one")
        judged[path.name] = _judged(selection, classifier, conditions, stream, jobs)
    method = _method(len(conditions) > 1, stream)
    return {
        "protocol": selection.protocol,
        "labels": list(selection.labels),
        "versions": versions(),
        **selection.about,
        **({"method": method} if method else {}),
        "utterances": selection.names,
        "targets": selection.targets.tolist(),
        "models": judged,
    }


def judge_conditions(
    classifier: Classifier, selection: Selection, conditions: Sequence[Condition], jobs: int = 1
) -> tuple[NDArray[np.float32], dict[str, dict[str, Any]]]:
    """Classify utterances whole, in each of several conditions.

    Parameters
    ----------
    classifier : Classifier
        The model.
    selection : Selection
        Utterances and their labels.
    conditions : sequence of Condition
        The first is the one that the others are compared with.
    jobs : int
        Number of processes; -1 is one per core.

    Returns
    -------
    scores : ndarray of float32, shape (n_utterances, n_labels)
        In the first condition.
    figures : dict of str to dict
        By name of each other condition its ``group``, ``utterances``, ``uar``, ``wa``, ``ece``,
        ``recall`` and ``confusion`` (`train.figures.figures_of`), and ``uar_lost`` and ``wa_lost``
        against the first.

    Raises
    ------
    SerEdgeError
        When an utterance cannot be judged.
    """
    model = (classifier.path, classifier.backend.name, list(conditions))
    calls = [(*model, utterance) for utterance in selection.utterances]
    rows = in_parallel(_scores_of, calls, jobs, classifier.path.name, "utt")
    # As they are stored, so that the figures follow from the stored scores exactly.
    scores = np.asarray(np.round(np.stack(rows), SCORE_DECIMALS), dtype=np.float32)
    all_figures = [
        figures_of(selection.targets, scores[:, number], selection.labels)
        for number in range(len(conditions))
    ]
    clean = all_figures[0]
    figures = {
        condition.name: {
            "group": condition.group,
            **{name: one[name] for name in STORED_OF_CONDITION},
            "uar_lost": round(clean["uar"] - one["uar"], DECIMALS),
            "wa_lost": round(clean["wa"] - one["wa"], DECIMALS),
        }
        for condition, one in zip(conditions[1:], all_figures[1:])
    }
    return scores[:, 0], figures


def versions() -> dict[str, str]:
    """Name the versions of what computes scores."""
    modules = ("numpy", "sklearn", "scipy", "soxr")
    return {
        "python": platform.python_version(),
        **{name: importlib.import_module(name).__version__ for name in modules},
    }


def _judged(
    selection: Selection,
    classifier: Classifier,
    conditions: Sequence[Condition],
    stream: bool,
    jobs: int,
) -> dict[str, Any]:
    names = [utterance.corpus for utterance in selection.utterances]
    scores, figures = judge_conditions(classifier, selection, conditions, jobs)
    result = {
        "bytes": classifier.path.stat().st_size,
        "sha256": classifier.hash,
        "backend": f"{classifier.backend.name} {classifier.backend.version}",
        "conversion": classifier.metadata.provenance.get("conversion", {}),
        "figures": figures_by_corpus(names, selection.targets, scores, selection.labels),
        "scores": [[round(float(s), SCORE_DECIMALS) for s in row] for row in scores],
    }
    if figures:
        result["conditions"] = figures
    if stream:
        result["streams"] = judge_streams(
            classifier, selection.utterances, selection.emotions, conditions, jobs
        )
    return result


def _scores_of(
    path: Path, backend: str, conditions: list[Condition], utterance: Utterance
) -> NDArray[np.float32]:
    """Scores of an utterance in each condition, (n_conditions, n_labels)."""
    classifier = opened(path, backend)
    rate = classifier.metadata.features.sample_rate
    speech = read_utterance(utterance.path, rate)
    active = active_part(speech, rate)
    source = f"{utterance.corpus}/{utterance.name}"
    try:
        rows = [
            classifier.clip_scores(heard_in(condition, speech, active, rate, source))
            for condition in conditions
        ]
    except SerEdgeError as error:
        raise SerEdgeError(f"{utterance.path}: {error}") from error
    return np.stack(rows)


def _method(has_conditions: bool, stream: bool) -> dict[str, str]:
    method = {"utterances": WHOLE} if has_conditions or stream else {}
    if has_conditions:
        method["conditions"] = sound_conditions.protocol()
    if stream:
        method["streams"] = streaming.protocol()
    return method
