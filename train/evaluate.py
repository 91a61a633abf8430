"""Trains and judges recipes, on their own split or by a protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import ModelMetadata
from train.cache import FeatureCache
from train.checkpoint import remove_checkpoint
from train.conversion_data import (
    HELD_OUT_FILE,
    REPRESENTATIVE_FILE,
    held_out_dataset,
    representative_dataset,
)
from train.corpora import Utterance, read_corpora
from train.dataset import ClipInputs, load_clips, load_training_clips
from train.figures import figures_by_corpus
from train.fit import fit
from train.lineage import BESIDE, UNLABELLED, start_of
from train.material import has_one_voice, other_utterances
from train.progress import say
from train.recipe import Recipe, Training
from train.runs import SCORE_DECIMALS, Run, save_run, stored_figures, stored_metadata, write_arrays
from train.splits import (
    Protocol,
    Split,
    automatic,
    random_protocol,
    warnings_of,
    with_fewer_for_validation,
)
from train.splits.names import ASED_NOTE
from train.splits.split import by_named_speakers


@dataclass(frozen=True)
class Place:
    """Where recordings and features are.

    Attributes
    ----------
    corpora : Path
        Holds one subfolder per corpus; of no matter where only one's own folders are read.
    cache : FeatureCache
        Keeps the features.
    """

    corpora: Path
    cache: FeatureCache


def run_split(
    recipe: Recipe, split: Split, protocol: str, place: Place, seed: int, folder: Path
) -> dict[str, Any]:
    """Train on a split, judge on its test part once, and store the run with its report.

    A run that is complete in `folder` already is not run again; one that was interrupted goes on.

    Returns
    -------
    dict
        The figures, see `train.figures`.

    Raises
    ------
    SerEdgeError
        When a part of the split is empty, the folder cannot be written, or it holds a run of
        another recipe, split or seed, or one of other recordings.
    """
    stored = stored_figures(folder, recipe, split, seed)
    figures = stored or _train_and_judge(recipe, split, protocol, place, seed, folder)
    if not all((folder / name).is_file() for name in (REPRESENTATIVE_FILE, HELD_OUT_FILE)):
        write_conversion_data(folder, recipe, split, stored_metadata(folder), place, seed)
    _report(folder, anew=stored is None)
    remove_checkpoint(folder)
    return figures


def _report(folder: Path, anew: bool) -> None:
    """Write the report where there is none, or anew."""
    # Late: training need not wait for what draws.
    from train.report import REPORT_FILE, write_report

    if anew or not (folder / REPORT_FILE).is_file():
        write_report(folder)


def _train_and_judge(
    recipe: Recipe, split: Split, protocol: str, place: Place, seed: int, folder: Path
) -> dict[str, Any]:
    for part in ("train", "validation", "test"):
        if not getattr(split, part):
            raise SerEdgeError(f"split {split.name}: its {part} part holds no utterance")
    start = start_of(recipe.transfer)
    others = other_utterances(recipe, split, place.corpora)
    warnings = [
        *warnings_of(split, recipe.merge),
        *start.warnings(split.test),
        *_teaching(recipe, split, others),
    ]
    for warning in warnings:
        say(f"warning: {warning}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SerEdgeError(f"{folder}: cannot be made ({error.strerror or error})") from error
    fitted = fit(recipe, split, place.cache, seed, folder, place.corpora)
    test = load_clips(split.test, split.labels, recipe, place.cache)
    judged_on = ClipInputs(test, recipe, fitted.metadata)
    # As they are stored, so that the figures follow from the stored scores exactly.
    scores = np.round(judged_on.scores(fitted.model), SCORE_DECIMALS)
    corpora = [utterance.corpus for utterance in test.utterances]
    figures = figures_by_corpus(corpora, test.targets, scores, split.labels)
    run = Run(
        recipe=recipe,
        split=split,
        protocol=protocol,
        seed=seed,
        start=start,
        warnings=warnings,
        others=_by_name(split, others),
        fitted=fitted,
        test=judged_on,
        utterances=test.utterances,
        scores=scores,
        figures=figures,
    )
    write_conversion_data(folder, recipe, split, fitted.metadata, place, seed)
    save_run(folder, run)
    return figures


def _by_name(split: Split, others: list[Utterance]) -> dict[str, list[str]]:
    """Who that is, as provenance has it."""
    speakers = sorted({utterance.speaker for utterance in others})
    return {BESIDE if has_one_voice(split) else UNLABELLED: speakers} if speakers else {}


def _teaching(recipe: Recipe, split: Split, others: list[Utterance]) -> list[str]:
    """Say what stands behind the figures beside the labels, if anything."""
    if recipe.distillation is None:
        return []
    corpora = ", ".join(dict.fromkeys(utterance.corpus for utterance in others))
    how = "by their labels" if has_one_voice(split) else "as it hears them"
    also = f", and on recordings of {corpora} {how}" if others else ""
    return [f"trained on what {recipe.distillation.teacher} makes of the recordings, too{also}"]


def write_conversion_data(
    folder: Path, recipe: Recipe, split: Split, metadata: ModelMetadata, place: Place, seed: int
) -> None:
    """Write what `train.conversion_data` makes of a split beside the model.

    Raises
    ------
    SerEdgeError
        When the folder cannot be written.
    """
    train = load_training_clips(split.train, split.labels, recipe, place.cache, seed, place.corpora)
    parts = {
        part: load_clips(getattr(split, part), split.labels, recipe, place.cache)
        for part in ("validation", "test")
    }
    try:
        representative = representative_dataset(train, recipe, metadata, seed)
        write_arrays(folder / REPRESENTATIVE_FILE, **representative)
        write_arrays(folder / HELD_OUT_FILE, **held_out_dataset(parts, recipe, metadata))
    except OSError as error:
        raise SerEdgeError(f"{folder}: cannot be written ({error.strerror or error})") from error


def fit_recipe(recipe: Recipe, place: Place, seed: int, folder: Path) -> dict[str, Any]:
    """Train a recipe on its own split of its own corpora; see `run_split`."""
    recipe, split, sentence = own_split(recipe, place, seed)
    return run_split(recipe, split, sentence, place, seed, folder)


def own_split(recipe: Recipe, place: Place, seed: int) -> tuple[Recipe, Split, str]:
    """Split a recipe's own corpora as it says.

    Returns
    -------
    recipe : Recipe
        With the labels of the split.
    split : Split
        Its parts may be empty.
    sentence : str
        The split in a sentence.

    Raises
    ------
    SerEdgeError
        When a corpus is missing, or cannot be split so.
    """
    utterances = read_corpora(place.corpora, list(recipe.corpora))
    split, sentence = _described_split(recipe, utterances, seed)
    merge = _left_out(recipe.merge, split.labels)
    return replace(recipe, labels=split.labels, merge=merge), split, sentence


def _described_split(recipe: Recipe, utterances: list[Utterance], seed: int) -> tuple[Split, str]:
    """The split that a recipe describes, and it in a sentence."""
    labels = recipe.labels or None
    if recipe.split == "random":
        protocol = random_protocol(
            recipe.corpora, labels, recipe.test_share, recipe.validation_share, merge=recipe.merge
        )
        splits = protocol.split(utterances, seed)
        return splits[0], protocol.described(splits)
    names = " + ".join(recipe.corpora) + (f" ({ASED_NOTE})" if "ASED" in recipe.corpora else "")
    if recipe.split == "automatic":
        split = automatic(utterances, seed, labels, recipe.merge)
        return split, f"{names}, {len(split.labels)} classes, one split: {split.name}"
    split = by_named_speakers(
        utterances, recipe.validation_speakers, recipe.test_speakers, labels, recipe.merge
    )
    return split, (
        f"{names}, {len(split.labels)} classes, one split by speakers; "
        f"validation on {', '.join(recipe.validation_speakers)}; "
        f"tested on {', '.join(recipe.test_speakers)}"
    )


def _left_out(merge: dict[str, str], labels: tuple[str, ...]) -> dict[str, str]:
    """What may be merged: no emotion that is a label itself."""
    return {emotion: other for emotion, other in merge.items() if emotion not in labels}


def evaluate_recipe(
    recipe: Recipe, name: str, protocol: Protocol, place: Place, seed: int, folder: Path
) -> dict[str, dict[str, Any]]:
    """Train and judge a recipe on every split of a protocol.

    Returns
    -------
    dict of str to dict
        Figures of every split, see `train.figures`; runs already in `folder` are taken as they are.
    """
    utterances = read_corpora(place.corpora, list(protocol.corpora))
    figures = {}
    for protocols_split in protocol.split(utterances, seed):
        split, fewer = _with_fewer_for_validation(protocols_split, recipe, seed)
        fold_recipe = on_split(recipe, protocol, split)
        say(f"{name} {split.name}, seed {seed}")
        figures[split.name] = run_split(
            fold_recipe,
            split,
            f"{name}: {protocol.described([split])}{fewer}",
            place,
            seed,
            folder / split.name,
        )
        say(
            f"{name} {split.name}: UAR {figures[split.name]['uar']:.3f}, "
            f"WA {figures[split.name]['wa']:.3f}",
        )
    return figures


def on_split(recipe: Recipe, protocol: Protocol, split: Split) -> Recipe:
    """The recipe for a split of a protocol: of its corpora, with its labels and merges."""
    trained_on = {utterance.corpus for utterance in split.train}
    return replace(
        recipe,
        merge=_left_out({**recipe.merge, **protocol.merge}, split.labels),
        corpora=tuple(corpus for corpus in protocol.corpora if corpus in trained_on),
        labels=split.labels,
        validation_speakers=(),
        test_speakers=(),
    )


def _with_fewer_for_validation(split: Split, recipe: Recipe, seed: int) -> tuple[Split, str]:
    """A protocol's split as a recipe wants it, and what to add to the protocol's sentence."""
    training = recipe.training
    if not isinstance(training, Training):
        return split, ""
    most = training.validation_speakers
    fewer = with_fewer_for_validation(split, most, seed)
    if fewer is split:
        return split, ""
    return fewer, f"; of the validation speakers all but {most} of a corpus are trained on"
