"""Searches: asks for values, trains with them, keeps what comes of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import keras

from edge_runtime.errors import SerEdgeError
from train.checkpoint import remove_checkpoint
from train.evaluate import Place, own_split
from train.fit import fit
from train.progress import say
from train.recipe import ClipTraining, Recipe, Training
from train.search.outputs import write
from train.search.space import own_values, space_of, with_values
from train.search.study import Study
from train.search.trial import best_of, line_of
from train.splits import Split


@dataclass(frozen=True)
class Best:
    """What a search yields.

    Attributes
    ----------
    path : Path
        The recipe with the best values, as TOML.
    uar : float
        Best UAR on the validation part, 0 to 1.
    trials : int
        How many there were, failed ones and those of earlier calls included.
    """

    path: Path
    uar: float
    trials: int


def search(recipe: Recipe, place: Place, seed: int, trials: int, folder: Path) -> Best:
    """Try values for what a recipe's table ``[search]`` names, and write the best as a recipe.

    The first trial has the recipe's own values, as far as they are among those to be tried. A
    trial is judged by the validation UAR of the weights that it keeps; the test part is never
    read. The values follow from the seed and the trials before, in however many calls those were
    done.

    Parameters
    ----------
    recipe : Recipe
        What to vary.
    place : Place
        Where its recordings and features are.
    seed : int
        Of the split, of the values and of every training.
    trials : int
        How many in all, those that the folder holds included.
    folder : Path
        Where the search is kept.

    Returns
    -------
    Best
        The best trial, the first of equals.

    Raises
    ------
    SerEdgeError
        When the table is empty or wrong, there is nothing to train on or to validate on,
        every trial failed, or the folder cannot be written, is damaged or holds another search.
    """
    space = space_of(recipe)
    on_split, split = _split(recipe, place, seed)
    study = Study(folder, _fingerprint(recipe, split, seed), space, seed)
    study.begin_with(own_values(recipe, space))
    done = study.done()
    if done:
        say(f"{folder}: {len(done)} trials are done")
        write(folder, recipe, seed, space, done)
    while len(done) < trials:
        key, values = study.next_trial()
        try:
            study.succeeded(key, _uar(with_values(on_split, values), split, place, seed, folder))
        except SerEdgeError as error:
            study.failed(key, str(error))
        remove_checkpoint(folder)
        done = study.done()
        say(line_of(done, trials))
        write(folder, recipe, seed, space, done)
    best = best_of(done)
    if best is None or best.uar is None:
        raise SerEdgeError(
            f"all {len(done)} trials failed, the last with: {done[-1].reason}; change [search] or "
            f"the recipe, delete {folder} and search again"
        )
    return Best(folder / "best.toml", best.uar, len(done))


def _split(recipe: Recipe, place: Place, seed: int) -> tuple[Recipe, Split]:
    """The recipe with the labels of its split, and the split."""
    on_split, split, _ = own_split(recipe, place, seed)
    if not split.validation:
        raise SerEdgeError(f"split {split.name}: its validation part holds no utterance")
    # Whole, though no test recording is read: a teacher must know whom not to hear.
    return on_split, split


def _fingerprint(recipe: Recipe, split: Split, seed: int) -> str:
    """What every trial of a search has in common."""
    parts = [[(u.corpus, u.name) for u in part] for part in (split.train, split.validation)]
    described = json.dumps([recipe.to_dict(), split.labels, parts, seed])
    return hashlib.sha256(described.encode()).hexdigest()


def _uar(recipe: Recipe, split: Split, place: Place, seed: int, folder: Path) -> float:
    """Train, and give the validation UAR; an interrupted training goes on where it was."""
    try:
        fitted = fit(recipe, split, place.cache, seed, folder, place.corpora)
    except ValueError as error:
        # Keras and scikit-learn have no other for values that do not go together.
        raise SerEdgeError(str(error).strip().partition("\n")[0]) from error
    finally:
        # Or the networks of all trials would add up in memory.
        keras.utils.clear_session()
    return _kept(fitted.history, recipe.training)["validation_uar"]


def _kept(history: list[dict[str, float]], training: Training | ClipTraining) -> dict[str, float]:
    """The look at the weights that a training keeps: what did better before them is gone."""
    if not training.restore_best:
        return history[-1]
    monitor = training.monitor if isinstance(training, ClipTraining) else "uar"
    sign = -1.0 if monitor == "loss" else 1.0
    return max(history, key=lambda look: sign * look[f"validation_{monitor}"])
