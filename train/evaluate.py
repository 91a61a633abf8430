"""Figures of a classifier on test utterances, and the protocols that ask for them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from train.corpora import read_corpora
from train.features import FeatureCache
from train.fit import clip_scores, fit, load_clips
from train.recipe import Recipe
from train.runs import save_run
from train.splits import PROTOCOLS, Split, by_speakers


def figures_of(
    targets: NDArray[np.int64], scores: NDArray[np.float32], labels: tuple[str, ...]
) -> dict[str, Any]:
    """UAR, WA, recall of every class and the confusion matrix.

    Parameters
    ----------
    targets : ndarray of int, shape (n,)
        Index of each utterance's label.
    scores : ndarray of float32, shape (n, n_labels)
        Scores, in the order of the labels.
    labels : tuple of str
        The classes.

    Returns
    -------
    dict
        ``utterances``, ``uar`` (mean recall over the classes that occur), ``wa`` (accuracy),
        ``recall`` by label and ``confusion`` (rows are the truth), as JSON types.
    """
    guesses = scores.argmax(axis=1)
    present = np.unique(targets)
    recalls = recall_score(targets, guesses, labels=present, average=None)
    matrix = confusion_matrix(targets, guesses, labels=range(len(labels)))
    return {
        "utterances": len(targets),
        "uar": round(float(np.mean(recalls)), 4),
        "wa": round(float(accuracy_score(targets, guesses)), 4),
        "recall": {labels[i]: round(float(r), 4) for i, r in zip(present, recalls)},
        "confusion": matrix.tolist(),
    }


def run_split(
    recipe: Recipe, split: Split, protocol: str, cache: FeatureCache, seed: int, folder: Path
) -> dict[str, Any]:
    """Train on a split, judge on its test part once, and store the run.

    A run that is complete in `folder` already is not run again.

    Returns
    -------
    dict
        The figures, see `figures_of`.
    """
    done = folder / "run.json"
    if done.is_file():
        return dict(json.loads(done.read_text(encoding="utf-8"))["figures"])
    fitted = fit(recipe, split, cache, seed)
    test = load_clips(split.test, split.labels, recipe.merge, cache)
    scores = clip_scores(fitted.model, test.log_mel, fitted.metadata)
    figures = figures_of(test.targets, scores, split.labels)
    by_corpus = np.array([u.corpus for u in test.utterances])
    if len(set(by_corpus)) > 1:
        figures["by_corpus"] = {
            corpus: figures_of(
                test.targets[by_corpus == corpus], scores[by_corpus == corpus], split.labels
            )
            for corpus in sorted(set(by_corpus))
        }
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
        Figures of every split, see `figures_of`; runs already in `folder` are taken as they are.
    """
    protocol = PROTOCOLS[protocol_name]
    # A protocol names its own labels, so nothing is merged but what they leave out.
    utterances = read_corpora(corpora, list(protocol.corpora))
    cache = FeatureCache(cache_folder, recipe.features, recipe.window_frames)
    figures = {}
    for split in protocol.split(utterances, seed):
        merge = {a: b for a, b in recipe.merge.items() if a not in split.labels}
        fold_recipe = replace(
            recipe,
            merge=merge,
            corpora=protocol.corpora,
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
