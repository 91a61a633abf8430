"""Trains and judges recipes, on their own split or by a published protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import SerEdgeError
from train.corpora import read_corpora
from train.features import FeatureCache
from train.figures import figures_by_corpus
from train.fit import clip_scores, fit, load_clips
from train.recipe import Recipe
from train.runs import SCORE_DECIMALS, save_run, stored_figures
from train.splits import PROTOCOLS, Split, by_speakers


def run_split(
    recipe: Recipe, split: Split, protocol: str, cache: FeatureCache, seed: int, folder: Path
) -> dict[str, Any]:
    """Train on a split, judge on its test part once, and store the run.

    A run that is complete in `folder` already is not run again.

    Returns
    -------
    dict
        The figures, see `train.figures`.

    Raises
    ------
    SerEdgeError
        When a part of the split is empty, the folder cannot be written, or it holds a run of
        another recipe.
    """
    stored = stored_figures(folder, recipe)
    if stored is not None:
        return stored
    for part in ("train", "validation", "test"):
        if not getattr(split, part):
            raise SerEdgeError(f"split {split.name}: its {part} part holds no utterance")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SerEdgeError(f"{folder}: cannot be made ({error.strerror})") from error
    fitted = fit(recipe, split, cache, seed)
    test = load_clips(split.test, split.labels, recipe.merge, cache)
    # As they are stored, so that the figures follow from the stored scores exactly.
    scores = np.round(clip_scores(fitted.model, test.log_mel, fitted.metadata), SCORE_DECIMALS)
    corpora = [utterance.corpus for utterance in test.utterances]
    figures = figures_by_corpus(corpora, test.targets, scores, split.labels)
    save_run(folder, recipe, split, protocol, seed, fitted, test, scores, figures)
    return figures


def fit_recipe(
    recipe: Recipe, corpora: Path, cache_folder: Path, seed: int, folder: Path
) -> dict[str, Any]:
    """Train a recipe on its own split of its own corpora; see `run_split`."""
    utterances = read_corpora(corpora, list(recipe.corpora))
    split = by_speakers(
        utterances, list(recipe.validation_speakers), list(recipe.test_speakers), recipe.labels
    )
    protocol = (
        f"{' + '.join(recipe.corpora)}, {len(recipe.labels)} classes, one split by speakers; "
        f"validation on {', '.join(recipe.validation_speakers)}; "
        f"tested on {', '.join(recipe.test_speakers)}"
    )
    cache = FeatureCache(cache_folder, recipe.features, recipe.window_frames)
    return run_split(recipe, split, protocol, cache, seed, folder)


def evaluate_recipe(
    recipe: Recipe, protocol_name: str, corpora: Path, cache_folder: Path, seed: int, folder: Path
) -> dict[str, dict[str, Any]]:
    """Train and judge a recipe on every split of a protocol.

    Returns
    -------
    dict of str to dict
        Figures of every split, see `train.figures`; runs already in `folder` are taken as they are.
    """
    protocol = PROTOCOLS[protocol_name]
    utterances = read_corpora(corpora, list(protocol.corpora))
    cache = FeatureCache(cache_folder, recipe.features, recipe.window_frames)
    figures = {}
    for split in protocol.split(utterances, seed):
        # A protocol names its own labels, so nothing is merged but what they leave out.
        merges = {**recipe.merge, **protocol.merge}
        trained_on = {utterance.corpus for utterance in split.train}
        fold_recipe = replace(
            recipe,
            merge={a: b for a, b in merges.items() if a not in split.labels},
            corpora=tuple(corpus for corpus in protocol.corpora if corpus in trained_on),
            labels=split.labels,
            validation_speakers=(),
            test_speakers=(),
        )
        print(f"{protocol_name} {split.name}, seed {seed}", flush=True)
        figures[split.name] = run_split(
            fold_recipe,
            split,
            f"{protocol_name}: {protocol.description}",
            cache,
            seed,
            folder / split.name,
        )
        print(
            f"{protocol_name} {split.name}: UAR {figures[split.name]['uar']:.3f}, "
            f"WA {figures[split.name]['wa']:.3f}",
            flush=True,
        )
    return figures
