"""What each part of a recipe is worth: the recipe beside variants of it.

They are judged on validation, or on the test part of splits that no figure is quoted of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from train.checkpoint import remove_checkpoint
from train.corpora import Utterance, read_corpora
from train.dataset import ClipInputs, load_clips
from train.evaluate import Place, on_split
from train.figures import figures_of
from train.fit import fit
from train.progress import say
from train.recipe import ClipTraining, Recipe, Training, load_recipe
from train.search.space import known_values, with_values
from train.splits import Protocol, Split, protocol_of
from train.toml_text import read_toml

BASE = "as it is"
KEYS = {"recipe", "values", "judge", "about", "seeds", "on", "steps"}
STEP_KEYS = {"name", "recipe", "values", "without"}
ON_KEYS = {"protocol", "data", "test_on", "splits"}
PARTS = ("validation", "test")
FIGURES = ("utterances", "uar", "wa")


@dataclass(frozen=True)
class Step:
    """A variant.

    Attributes
    ----------
    name : str
        What stands in the table.
    recipe : Recipe
        The whole of it.
    changes : dict
        What is not as in the base: other values by dotted key, ``recipe`` where it is another.
    """

    name: str
    recipe: Recipe
    changes: dict[str, Any]


@dataclass(frozen=True)
class Ablation:
    """Variants of a recipe, and what they are judged on.

    Attributes
    ----------
    judge : {"validation", "test"}
        The part of each split that is judged. ``test`` is for splits that no figure is quoted of.
    about : str
        What stands beside the table.
    seeds : tuple of int
        Every variant is trained with each.
    on : tuple of (Protocol, tuple of str)
        Where, and the names of the splits; none stands for all.
    steps : tuple of Step
        The base first.
    """

    judge: str
    about: str
    seeds: tuple[int, ...]
    on: tuple[tuple[Protocol, tuple[str, ...]], ...]
    steps: tuple[Step, ...]

    @property
    def corpora(self) -> tuple[str, ...]:
        """What it needs, each once."""
        return tuple(dict.fromkeys(name for protocol, _ in self.on for name in protocol.corpora))


def load_ablation(path: Path) -> Ablation:
    """Read variants from a TOML file.

    Parameters
    ----------
    path : Path
        With ``recipe`` and ``values`` (what is other than in it, by dotted key, in all variants
        made of it), ``judge``, ``about``, ``seeds``, tables ``[[on]]`` (``protocol``, with
        ``data`` and ``test_on`` where it takes them, and ``splits``) and tables ``[[steps]]``
        (``name``, and ``values`` by dotted key, tables ``without`` which, or another ``recipe``).

    Raises
    ------
    SerEdgeError
        When it cannot be read, or a key or value in it is wrong.
    """
    fields = read_toml(path)
    try:
        return _ablation(fields)
    except SerEdgeError as error:
        raise SerEdgeError(f"{path}: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SerEdgeError(f"{path}: {type(error).__name__} {error}") from error


def _ablation(fields: dict[str, Any]) -> Ablation:
    _known("", fields, KEYS)
    judge = fields.get("judge", "validation")
    if judge not in PARTS:
        raise SerEdgeError(f"judge must be {' or '.join(PARTS)}, not {judge!r}")
    base = _changed(load_recipe(fields["recipe"]), fields.get("values", {}))
    steps = [Step(BASE, base, {}), *(_step(base, given) for given in fields.get("steps", []))]
    names = [step.name for step in steps]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise SerEdgeError(f"steps: two have the name {twice[0]!r}")
    on = tuple(_on(given) for given in fields["on"])
    seeds = tuple(int(seed) for seed in fields.get("seeds", [0]))
    return Ablation(judge, str(fields.get("about", "")), seeds, on, tuple(steps))


def _step(base: Recipe, given: dict[str, Any]) -> Step:
    _known("steps: ", given, STEP_KEYS)
    values = {**given.get("values", {}), **dict.fromkeys(given.get("without", []))}
    named = {"recipe": given["recipe"]} if "recipe" in given else {}
    recipe = load_recipe(given["recipe"]) if named else base
    return Step(str(given["name"]), _changed(recipe, values), {**named, **values})


def _changed(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """A recipe with other values by dotted key; None takes a table away."""
    known = known_values(recipe)
    # Of the other tables the recipe itself refuses what it does not know.
    unknown = [key for key in values if key.startswith("model.") and key not in known]
    if unknown:
        options = ", ".join(key for key in known if key.startswith("model."))
        raise SerEdgeError(f"unknown key {unknown[0]!r}; known are {options}")
    return with_values(recipe, values)


def _on(given: dict[str, Any]) -> tuple[Protocol, tuple[str, ...]]:
    _known("on: ", given, ON_KEYS)
    protocol = protocol_of(given["protocol"], given.get("data"), given.get("test_on"))
    return protocol, tuple(given.get("splits", ()))


def _known(where: str, given: dict[str, Any], keys: set[str]) -> None:
    unknown = sorted(set(given) - keys)
    if unknown:
        raise SerEdgeError(
            f"{where}unknown key {unknown[0]!r}; known are {', '.join(sorted(keys))}"
        )


def run_ablation(ablation: Ablation, place: Place, folder: Path, only: list[str]) -> None:
    """Train and judge all variants, as far as they are not there yet.

    Each result is a file of its own, so that several processes may share a folder, each with
    `only` its variants, and what was interrupted goes on.

    Parameters
    ----------
    ablation : Ablation
        What to do.
    place : Place
        Where recordings and features are.
    folder : Path
        Where results are kept, one JSON file each.
    only : list of str
        Names of the variants to train; none stands for all.

    Raises
    ------
    SerEdgeError
        When a variant of `only` is unknown, one cannot be trained, or the folder cannot be written
        or holds results of other variants or speakers.
    """
    steps = [step for step in ablation.steps if step.name in only or not only]
    unknown = sorted(set(only) - {step.name for step in ablation.steps})
    if unknown:
        known = ", ".join(step.name for step in ablation.steps)
        raise SerEdgeError(f"--only: unknown {unknown[0]!r}; known are {known}")
    stored_results(ablation, folder)  # what is there of other variants is refused before training
    splits = list(_splits(ablation, place))
    places = [(split.name, seed) for _, split, seed in splits]
    if len(set(places)) < len(places):
        raise SerEdgeError("on: two splits have the same name; put them into files of their own")
    cells = [(step, where) for where in splits for step in steps]
    for number, (step, (protocol, split, seed)) in enumerate(cells, start=1):
        path = folder / _file(step.name) / f"{_file(split.name)}-seed{seed}.json"
        done = f"{number} of {len(cells)}: {step.name}, {split.name}, seed {seed}"
        if path.is_file():
            _require_judged_on(getattr(split, ablation.judge), path)
            say(f"{done}: is there")
            continue
        result = _judged(ablation, step, protocol, split, seed, place, path.with_suffix(""))
        _write(path, result)
        say(f"{done}: UAR {result['uar']:.3f}")


def _require_judged_on(judged: list[Utterance], path: Path) -> None:
    """Refuse a result of other speakers, of whom a split of the same name was before."""
    before = json.loads(path.read_text(encoding="utf-8"))["judged_speakers"]
    if before != _speakers(judged):
        raise SerEdgeError(
            f"{path}: was judged on other speakers ({', '.join(before)}); delete it, or choose "
            "another --out"
        )


def _speakers(utterances: list[Utterance]) -> list[str]:
    return sorted({utterance.speaker for utterance in utterances})


def _splits(ablation: Ablation, place: Place) -> Iterator[tuple[Protocol, Split, int]]:
    for seed in ablation.seeds:
        for protocol, names in ablation.on:
            splits = protocol.split(read_corpora(place.corpora, list(protocol.corpora)), seed)
            unknown = sorted(set(names) - {split.name for split in splits})
            if unknown:
                known = ", ".join(split.name for split in splits)
                raise SerEdgeError(f"on: unknown split {unknown[0]!r}; known are {known}")
            for split in splits:
                if not names or split.name in names:
                    yield protocol, split, seed


def _judged(
    ablation: Ablation,
    step: Step,
    protocol: Protocol,
    split: Split,
    seed: int,
    place: Place,
    folder: Path,
) -> dict[str, Any]:
    recipe = on_split(step.recipe, protocol, split)
    if ablation.judge == "validation":
        recipe = replace(recipe, training=_without_selection(recipe.training))
    judged = getattr(split, ablation.judge)
    try:
        # Whole, though the test part is not looked at: a teacher must know whom not to hear.
        fitted = fit(recipe, split, place.cache, seed, folder, place.corpora)
        clips = load_clips(judged, split.labels, recipe, place.cache)
        scores = ClipInputs(clips, recipe, fitted.metadata).scores(fitted.model)
    finally:
        # Or the networks of all variants would add up in memory.
        keras.utils.clear_session()
    remove_checkpoint(folder)
    figures = figures_of(clips.targets, scores, split.labels)
    return {
        "step": step.name,
        "changes": step.changes,
        "base": ablation.steps[0].recipe.name,
        "recipe": step.recipe.to_dict(),
        "judge": ablation.judge,
        "about": ablation.about,
        "protocol": protocol.described([split]),
        "split": split.name,
        "seed": seed,
        "judged_speakers": _speakers(judged),
        "parameters": fitted.model.count_params(),
        **{name: figures[name] for name in FIGURES},
    }


def _without_selection(training: Training | ClipTraining) -> Training | ClipTraining:
    """A training that nothing on the validation part decides about, which is to be judged on."""
    if isinstance(training, ClipTraining):
        return replace(training, restore_best=False, patience=0, reduce_patience=0)
    return replace(training, restore_best=False)


def stored_results(ablation: Ablation, folder: Path) -> list[dict[str, Any]]:
    """Give what is in a folder of the variants, in their order.

    Raises
    ------
    SerEdgeError
        When a file is damaged, of another variant that had the same name, or judged on another
        part.
    """
    results = []
    for step in ablation.steps:
        for path in sorted((folder / _file(step.name)).glob("*.json")):
            try:
                result = json.loads(path.read_text(encoding="utf-8"))
                same = result["recipe"] == json.loads(json.dumps(step.recipe.to_dict()))
                judge, _ = result["judge"], result["judged_speakers"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise SerEdgeError(f"{path}: cannot be read ({error}); delete it") from error
            if not same:
                raise SerEdgeError(
                    f"{path}: is of another variant of this name; delete it, or rename the variant"
                )
            if judge != ablation.judge:
                raise SerEdgeError(
                    f"{path}: was judged on {judge}, not on {ablation.judge}; delete it, or choose "
                    "another --out"
                )
            results.append(result)
    return results


def store(results: list[dict[str, Any]], path: Path) -> None:
    """Keep results in one file.

    Raises
    ------
    SerEdgeError
        When it cannot be written.
    """
    _write(path, {"results": results})


def _write(path: Path, result: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(result) + "\n", encoding="utf-8")
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error


def _file(name: str) -> str:
    """A name as part of a path."""
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in name).strip("-.") or "-"
