"""What a recipe's table ``[search]`` says may vary, and a recipe with such values."""

from __future__ import annotations

import inspect
import json
import math
import warnings
from typing import Any, Union

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from edge_runtime.errors import SerEdgeError
from train.architectures import ARCHITECTURES
from train.numbers import is_number
from train.recipe import Recipe, recipe_of

EXAMPLE = '[search] with a line such as "training.learning_rate" = {low = 1e-4, high = 1e-2}'
FORMS = "{low = 0.1, high = 0.5}, perhaps with log = true or a step, or {choices = [16, 32]}"
# What changes the split changes what a trial is judged on, and is not for choosing by that.
TABLES = ("features", "training", "augmentation", "audio_augmentation")
PLAIN = ("window_frames", "normalise")

Distribution = Union[CategoricalDistribution, FloatDistribution, IntDistribution]
Space = dict[str, Distribution]


def space_of(recipe: Recipe) -> Space:
    """What may vary, checked before anything is trained."""
    if not recipe.search:
        raise SerEdgeError(f"recipe {recipe.name}: nothing to search; give it a table {EXAMPLE}")
    known = known_values(recipe)
    for key in recipe.search:
        if key not in known:
            near = [name for name in known if name.partition(".")[0] == key.partition(".")[0]]
            listed = ", ".join(f'"{name}"' for name in near or known)
            raise SerEdgeError(f'search: "{key}" cannot vary; what can is {listed}')
    return {key: _distribution(key, spec, known[key]) for key, spec in recipe.search.items()}


def known_values(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says, or leaves to defaults, of everything that may vary."""
    fields = recipe.to_dict()
    architecture = ARCHITECTURES.get(recipe.architecture)
    options = inspect.signature(architecture).parameters.values() if architecture else ()
    defaults = {o.name: o.default for o in options if o.default is not inspect.Parameter.empty}
    tables = {name: fields[name] for name in TABLES}
    tables["model"] = {**defaults, **recipe.model}
    known = {f"{name}.{key}": v for name, table in tables.items() for key, v in table.items()}
    return {**known, **{name: fields[name] for name in PLAIN}}


def _distribution(key: str, spec: Any, current: Any) -> Distribution:
    keys = set(spec) if isinstance(spec, dict) else set()
    if keys == {"choices"}:
        return _choices(key, spec["choices"])
    if not {"low", "high"} <= keys <= {"low", "high", "log", "step"}:
        raise SerEdgeError(f"search: {key} must be {FORMS}")
    if not is_number(current):
        raise SerEdgeError(f"search: {key} is no single number; give it choices = [...]")
    return _range(key, whole=type(current) is int, **spec)


def _choices(key: str, values: Any) -> CategoricalDistribution:
    try:
        # As text: the storage takes no lists.
        texts = list(dict.fromkeys(json.dumps(value, allow_nan=False) for value in values))
    except (TypeError, ValueError):
        texts = []
    if not isinstance(values, list) or len(texts) < 2:
        raise SerEdgeError(
            f"search: {key}: choices must be a list of two or more values, not {values!r}"
        )
    return CategoricalDistribution(texts)


def _range(
    key: str, whole: bool, low: Any, high: Any, log: Any = False, step: Any = None
) -> FloatDistribution | IntDistribution:
    if not is_number(low) or not is_number(high) or low >= high:
        raise SerEdgeError(f"search: {key}: low and high must be numbers, low below high")
    if type(log) is not bool:
        raise SerEdgeError(f"search: {key}: log must be true or false, not {log!r}")
    if log and (step is not None or low <= 0):
        raise SerEdgeError(f"search: {key}: log = true needs a low above 0, and takes no step")
    if step is not None and not (is_number(step) and 0 < step <= high - low):
        raise SerEdgeError(f"search: {key}: step must be above 0 and fit between low and high")
    numbers = (low, high) if step is None else (low, high, step)
    all_whole = all(type(number) is int for number in numbers)
    if whole and not all_whole:
        raise SerEdgeError(f"search: {key} takes whole numbers: give low, high and step as such")
    with warnings.catch_warnings():
        # High need not be a whole number of steps away.
        warnings.simplefilter("ignore")
        if type(low) is int and type(high) is int and all_whole:
            return IntDistribution(low, high, log, step or 1)
        return FloatDistribution(low, high, log, step)


def own_values(recipe: Recipe, space: Space) -> dict[str, Any]:
    """The recipe's own values, encoded, as far as they lie in the space."""
    known = known_values(recipe)
    own: dict[str, Any] = {}
    for key, distribution in space.items():
        value = known[key]
        if isinstance(distribution, CategoricalDistribution):
            if json.dumps(value) in distribution.choices:
                own[key] = json.dumps(value)
        elif distribution.low <= value <= distribution.high and _on_grid(distribution, value):
            own[key] = value
    return own


def _on_grid(distribution: FloatDistribution | IntDistribution, value: float) -> bool:
    if distribution.step is None:
        return True
    steps = (value - distribution.low) / distribution.step
    return math.isclose(steps, round(steps), abs_tol=1e-6)


def decoded(encoded: dict[str, Any]) -> dict[str, Any]:
    """Values as a recipe has them: choices are kept as JSON."""
    return {
        key: json.loads(value) if isinstance(value, str) else value
        for key, value in encoded.items()
    }


def with_values(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """A recipe with these values, by key, and nothing left to vary."""
    fields = {**recipe.to_dict(), "search": {}}
    for key, value in values.items():
        table, _, option = key.rpartition(".")
        if table:
            fields[table] = {**fields[table], option: value}
        else:
            fields[option] = value
    return recipe_of(fields)
