"""Which utterances a model file is judged on: of speakers whom it never heard."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from train.corpora import Utterance, read_corpora
from train.corpora.registry import FOLDER_PREFIX, TABLE_PREFIX
from train.lineage import known_speakers
from train.listing import first_of
from train.splits.classes import Classes, classes_of
from train.splits.cross_corpus import MERGE
from train.splits.judged import is_judged
from train.splits.names import listed, merges


@dataclass(frozen=True)
class Selection:
    """Utterances, and what is asked of them.

    Attributes
    ----------
    utterances : list of Utterance
        At least one.
    targets : ndarray of int, shape (n,)
        Index of each utterance's label.
    labels : tuple of str
        The classes, in the order of the models' scores.
    protocol : str
        In words: whose utterances these are, and what was left out.
    about : dict
        What stands beside the protocol in a stored result, as JSON types.
    origin : str
        The folder of the run that the labels are from, if any.
    """

    utterances: list[Utterance]
    targets: NDArray[np.int64]
    labels: tuple[str, ...]
    protocol: str
    about: dict[str, Any] = field(default_factory=dict)
    origin: str = ""

    @property
    def names(self) -> list[str]:
        """Corpus and name of each utterance."""
        return [f"{utterance.corpus}/{utterance.name}" for utterance in self.utterances]

    @property
    def emotions(self) -> list[str]:
        """The right label of each utterance."""
        return [self.labels[target] for target in self.targets]


def of_run(run_folder: Path, corpora: Path) -> Selection:
    """Select the test utterances of a training run.

    Parameters
    ----------
    run_folder : Path
        A folder that ser-train wrote.
    corpora : Path
        Folder of the corpora.

    Raises
    ------
    SerEdgeError
        When the run is missing or damaged, or an utterance is missing.
    """
    run = _load_run(run_folder)
    try:
        return Selection(
            _find(run["predictions"], corpora),
            np.array([prediction["target"] for prediction in run["predictions"]]),
            tuple(run["labels"]),
            run["protocol"],
            {
                "recipe": run["recipe"]["name"],
                "split": run["split"],
                "seed": run["seed"],
                "speakers": run["speakers"],
                "versions": run["versions"],
            },
            str(run_folder),
        )
    except (KeyError, TypeError) as error:
        raise SerEdgeError(
            f"{run_folder / 'run.json'}: is damaged ({error!r}); train again"
        ) from error


def require_of_run(classifiers: Sequence[Classifier], selection: Selection) -> None:
    """Refuse a model of another run that knows speakers of this run's test part.

    The model of the run itself is judged as the run's protocol says.

    Parameters
    ----------
    classifiers : sequence of Classifier
        What is to be judged.
    selection : Selection
        What `of_run` gave.

    Raises
    ------
    SerEdgeError
        Naming the first such model, and whom it knows.
    """
    tested = {utterance.speaker for utterance in selection.utterances}
    for classifier in classifiers:
        told = classifier.metadata.provenance
        if all(told.get(name) == selection.about[name] for name in ("recipe", "split", "seed")):
            continue
        heard = sorted(tested & (_provenance(classifier).known or frozenset()))
        if heard:
            raise SerEdgeError(
                f"{classifier.path}: was trained or selected on {_named(heard)}, on whom "
                f"{selection.origin} is tested; name the run that it is of, or judge it on --data"
            )


def own_test_speakers(
    classifiers: Sequence[Classifier], corpora: Path, known_too: bool = False
) -> Selection:
    """Select the utterances of the test speakers that model files name in their provenance.

    Parameters
    ----------
    classifiers : sequence of Classifier
        At least one; several must name the same test speakers.
    corpora : Path
        Folder of the corpora.
    known_too : bool
        Whether to take speakers whom a model was trained or selected on, too.

    Returns
    -------
    Selection
        Of the corpora in the provenance.

    Raises
    ------
    SerEdgeError
        When a provenance names no test speakers, two of them differ, a corpus is missing, or no
        utterance is left.
    """
    told = [_provenance(classifier) for classifier in classifiers]
    for classifier, one in zip(classifiers, told):
        if not one.test:
            raise SerEdgeError(
                f"{classifier.path}: does not say whose voices it was tested on; name corpora to "
                "judge it on: --data CORPUS"
            )
        if (one.corpora, one.test) != (told[0].corpora, told[0].test):
            raise SerEdgeError(
                f"{classifier.path}: was tested on other speakers than {classifiers[0].path}; "
                "judge them one by one, or on --data CORPUS"
            )
    data, speakers = told[0].corpora, told[0].test
    chosen = [u for u in read_corpora(corpora, list(data)) if u.speaker in speakers]
    missing = sorted(speakers - {u.speaker for u in chosen})
    if missing:
        raise SerEdgeError(
            f"{corpora}: lacks {_named(missing)} of {listed(data)}, on whom "
            f"{classifiers[0].path} was tested"
        )
    names = ", ".join(sorted({u.speaker for u in chosen}))
    whose = f"{listed(data)}, the test speakers that the model itself names ({names})"
    selection = _unheard(classifiers, chosen, whose, known_too)
    n_stated = told[0].n_utterances
    if n_stated is None or n_stated == len(selection.utterances):
        return selection
    note = f"; its own figures are of {n_stated} utterances, which these are not"
    return replace(selection, protocol=selection.protocol + note)


def of_corpora(
    classifiers: Sequence[Classifier], corpora: Path, data: Sequence[str], known_too: bool = False
) -> Selection:
    """Select the utterances of corpora, without the speakers whom a model knows.

    Parameters
    ----------
    classifiers : sequence of Classifier
        At least one.
    corpora : Path
        Folder of the corpora.
    data : sequence of str
        Names of corpora; see `train.corpora.read_corpora`.
    known_too : bool
        Whether to take speakers whom a model was trained or selected on, too.

    Returns
    -------
    Selection
        Its protocol says whom and what was left out.

    Raises
    ------
    SerEdgeError
        When a corpus is unknown or missing, or no utterance is left.
    """
    found = read_corpora(corpora, list(data))
    return _unheard(classifiers, found, listed(data), known_too)


def sample(selection: Selection, n_utterances: int) -> Selection:
    """Draw some of the utterances, of every corpus and class in proportion.

    Parameters
    ----------
    selection : Selection
        What to draw from.
    n_utterances : int
        How many; all where there are no more.

    Returns
    -------
    Selection
        In the same order, the same whenever it is drawn.
    """
    total = len(selection.utterances)
    if n_utterances >= total:
        return selection
    from sklearn.utils import resample

    strata = [
        f"{utterance.corpus} {target}"
        for utterance, target in zip(selection.utterances, selection.targets)
    ]
    drawn = np.sort(
        resample(
            np.arange(total),
            replace=False,
            n_samples=n_utterances,
            stratify=strata,
            random_state=0,
        )
    )
    return replace(
        selection,
        utterances=[selection.utterances[index] for index in drawn],
        targets=selection.targets[drawn],
        protocol=f"{selection.protocol}; of {total} utterances {n_utterances} drawn, of every "
        "corpus and class in proportion",
        about={**selection.about, "drawn_from": total},
    )


def _load_run(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise SerEdgeError(
            f"{folder}: no run.json; ser-train writes one when it is done"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise SerEdgeError(f"{folder / 'run.json'}: cannot be read ({error})") from error


def _find(predictions: list[dict[str, Any]], corpora: Path) -> list[Utterance]:
    """The utterances that the predictions name, in their order."""
    names = sorted({prediction["corpus"] for prediction in predictions})
    by_name = {(u.corpus, u.name): u for u in read_corpora(corpora, names)}
    try:
        return [by_name[prediction["corpus"], prediction["name"]] for prediction in predictions]
    except KeyError as error:
        raise SerEdgeError(f"{corpora}: lacks the test utterance {error}") from error


@dataclass(frozen=True)
class _Provenance:
    """What a model says about its speakers; empty where it says nothing."""

    corpora: tuple[str, ...] = ()
    test: frozenset[str] = frozenset()
    known: frozenset[str] | None = None
    n_utterances: int | None = None


def _provenance(classifier: Classifier) -> _Provenance:
    told = classifier.metadata.provenance
    try:
        return _Provenance(
            tuple(map(str, told["corpora"])),
            frozenset(told["speakers"]["test"]),
            frozenset(known_speakers(told)),
            told.get("figures", {}).get("utterances"),
        )
    except (KeyError, TypeError, AttributeError):
        return _Provenance()


def _unheard(
    classifiers: Sequence[Classifier], found: list[Utterance], whose: str, known_too: bool
) -> Selection:
    """Leave out what the models know and what has none of their labels."""
    labels = _common_labels(classifiers)
    classes = classes_of(found, labels, MERGE)
    fitting = [u for u in classes.keep(found) if is_judged(u)]
    if not fitting:
        emotions = ", ".join(sorted({u.emotion for u in found})) or "nothing"
        raise SerEdgeError(
            f"{whose}: none of the labels that {classifiers[0].path} knows "
            f"({', '.join(labels)}); there is {emotions}"
        )
    told = [_provenance(classifier).known for classifier in classifiers]
    known = {speaker for one in told for speaker in one or ()}
    heard = sorted({u.speaker for u in fitting} & known)
    kept = [u for u in fitting if known_too or u.speaker not in heard]
    if not kept:
        raise SerEdgeError(
            f"{whose}: {classifiers[0].path} was trained or selected on {_named(heard)}, and there "
            "is nobody else; judge it on --data of other voices, or see how well it knows these "
            "with --include-training-speakers"
        )
    sentences = [f"{whose}{merges(_merged(classes, kept))}"]
    sentences += _about_classes(classes, found)
    own = any(u.corpus.startswith((FOLDER_PREFIX, TABLE_PREFIX)) for u in kept)
    sentences += _about_voices(heard, known_too, None not in told, own)
    return Selection(
        kept,
        np.array([labels.index(classes.of(u)) for u in kept]),
        labels,
        "; ".join(sentences),
        {"speakers": {"test": sorted({u.speaker for u in kept})}},
    )


def _common_labels(classifiers: Sequence[Classifier]) -> tuple[str, ...]:
    labels = classifiers[0].metadata.labels
    for classifier in classifiers[1:]:
        if classifier.metadata.labels != labels:
            raise SerEdgeError(
                f"{classifier.path}: its labels are not those of {classifiers[0].path}; judge "
                "them one by one"
            )
    return labels


def _merged(classes: Classes, kept: list[Utterance]) -> dict[str, str]:
    occurring = {utterance.emotion for utterance in kept}
    return {old: new for old, new in classes.merge.items() if old in occurring}


def _about_classes(classes: Classes, found: list[Utterance]) -> list[str]:
    others = Counter(u.emotion for u in found if classes.of(u) not in classes.labels)
    if not others:
        return []
    named = ", ".join(f"{count} of {emotion}" for emotion, count in sorted(others.items()))
    return [f"left out, being none of the model's labels: {named}"]


def _about_voices(heard: list[str], known_too: bool, all_told: bool, own: bool) -> list[str]:
    sentences = []
    if heard and known_too:
        sentences.append(
            f"WITH {_named(heard)} whom a model was trained or selected on: these figures say "
            "nothing about unknown voices"
        )
    elif heard:
        sentences.append(f"left out, having been trained or selected on: {_named(heard)}")
    elif all_told:
        # Another path to the same recordings makes other names of the same speakers.
        by_name = ", as far as the names of their folders or tables tell" if own else ""
        sentences.append(f"none of these voices was trained or selected on{by_name}")
    if not all_told:
        sentences.append(
            "a model does not say whose voices it was trained on: these figures may say nothing "
            "about unknown voices"
        )
    return sentences


def _named(speakers: list[str]) -> str:
    if len(speakers) == 1:
        return f"speaker {speakers[0]}"
    return f"{len(speakers)} speakers ({first_of(speakers)})"
