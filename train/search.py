"""Looks for better values of a recipe, judged on its validation part alone.

What may vary stands in the recipe's table ``[search]``, by dotted key::

    [search]
    "training.learning_rate" = {low = 1e-4, high = 1e-2, log = true}
    "training.batch_size" = {choices = [16, 32, 64]}
    "model.dropout" = {low = 0.1, high = 0.5}
    "features.n_mfcc" = {low = 13, high = 40}

Between whole numbers only whole ones are tried. The folder keeps every trial in
``trials.journal``, so that a search that was ended goes on; ``best.toml`` is the recipe with the
best values, ``trials.csv`` and ``search.png`` show them all.
"""

from __future__ import annotations

import csv
import hashlib
import inspect
import json
import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Union

import keras
import numpy as np
import optuna
import tomli_w
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from edge_runtime.errors import SerEdgeError
from train.architectures import ARCHITECTURES
from train.checkpoint import remove_checkpoint
from train.evaluate import Place, own_split
from train.fit import fit
from train.plots import BLUE, GREY, VERMILLION, in_house_style, short, to_png
from train.progress import say
from train.recipe import Recipe, recipe_of
from train.splits import Split

EXAMPLE = '[search] with a line such as "training.learning_rate" = {low = 1e-4, high = 1e-2}'
FORMS = "{low = 0.1, high = 0.5}, perhaps with log = true or a step, or {choices = [16, 32]}"
# What changes the split changes what a trial is judged on, and is not for choosing by that.
TABLES = ("features", "training", "augmentation", "audio_augmentation")
PLAIN = ("window_frames", "normalise")
COLUMNS = 3

Distribution = Union[CategoricalDistribution, FloatDistribution, IntDistribution]
Space = dict[str, Distribution]


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


@dataclass(frozen=True)
class Trial:
    """One training: its number from 1, its values by key, its UAR or why it failed."""

    number: int
    values: dict[str, Any]
    uar: float | None
    reason: str


def search(recipe: Recipe, place: Place, seed: int, trials: int, folder: Path) -> Best:
    """Try values for what a recipe's table ``[search]`` names, and write the best as a recipe.

    The first trial has the recipe's own values, as far as they are among those to be tried. A
    trial is judged by the best validation UAR of its history; the test part is never read. The
    values follow from the seed and the trials before, in however many calls those were done.

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
        When the table is empty or wrong, a part of the split is empty, every trial failed, or the
        folder cannot be written, is damaged or holds another search.
    """
    space = _space(recipe)
    on_split, split = _open_parts(recipe, place, seed)
    study = _study(folder, _fingerprint(recipe, split, seed))
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(_own_values(recipe, space))
    done = _done(study)
    if done:
        say(f"{folder}: {len(done)} trials are done")
        _write(folder, recipe, seed, space, done)
    while len(done) < trials:
        number, encoded = _next_trial(study, space, seed, len(done))
        try:
            uar = _uar(_with_values(on_split, _decoded(encoded)), split, place, seed, folder)
        except SerEdgeError as error:
            study.set_user_attr(_reason_key(number), str(error))
            study.tell(number, state=TrialState.FAIL)
        else:
            study.tell(number, uar)
        remove_checkpoint(folder)
        done = _done(study)
        say(_line(done, trials))
        _write(folder, recipe, seed, space, done)
    best = _best(done)
    if best is None or best.uar is None:
        raise SerEdgeError(
            f"all {len(done)} trials failed, the last with: {done[-1].reason}; change [search] or "
            f"the recipe, delete {folder} and search again"
        )
    return Best(folder / "best.toml", best.uar, len(done))


def _space(recipe: Recipe) -> Space:
    """What may vary, checked before anything is trained."""
    if not recipe.search:
        raise SerEdgeError(f"recipe {recipe.name}: nothing to search; give it a table {EXAMPLE}")
    known = _known_values(recipe)
    for key in recipe.search:
        if key not in known:
            near = [name for name in known if name.partition(".")[0] == key.partition(".")[0]]
            listed = ", ".join(f'"{name}"' for name in near or known)
            raise SerEdgeError(f'search: "{key}" cannot vary; what can is {listed}')
    return {key: _distribution(key, spec, known[key]) for key, spec in recipe.search.items()}


def _known_values(recipe: Recipe) -> dict[str, Any]:
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
    if not _is_number(current):
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
    if not _is_number(low) or not _is_number(high) or low >= high:
        raise SerEdgeError(f"search: {key}: low and high must be numbers, low below high")
    if type(log) is not bool:
        raise SerEdgeError(f"search: {key}: log must be true or false, not {log!r}")
    if log and (step is not None or low <= 0):
        raise SerEdgeError(f"search: {key}: log = true needs a low above 0, and takes no step")
    if step is not None and not (_is_number(step) and 0 < step <= high - low):
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


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _own_values(recipe: Recipe, space: Space) -> dict[str, Any]:
    """The recipe's own values, encoded, as far as they lie in the space."""
    known = _known_values(recipe)
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


def _open_parts(recipe: Recipe, place: Place, seed: int) -> tuple[Recipe, Split]:
    """The recipe with the labels of its split, and the split without its test part."""
    on_split, split, _ = own_split(recipe, place, seed)
    for part in ("train", "validation"):
        if not getattr(split, part):
            raise SerEdgeError(f"split {split.name}: its {part} part holds no utterance")
    return on_split, replace(split, test=[])


def _study(folder: Path, fingerprint: str) -> optuna.Study:
    """The search that a folder holds, or a new one."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = folder / "trials.journal"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _drop_torn_line(journal)
        # Locked by a plain file: not every system lets everyone make the links of the default.
        backend = JournalFileBackend(str(journal), JournalFileOpenLock(str(journal)))
        study = optuna.create_study(
            storage=JournalStorage(backend),
            study_name="search",
            direction="maximize",
            load_if_exists=True,
        )
    except OSError as error:
        raise SerEdgeError(f"{folder}: cannot be written ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SerEdgeError(f"{journal}: is damaged ({error}); delete it to begin anew") from error
    if study.user_attrs.setdefault("fingerprint", fingerprint) != fingerprint:
        raise SerEdgeError(
            f"{folder}: holds a search of another version of the recipe or of other recordings; "
            "delete it or choose another --out"
        )
    study.set_user_attr("fingerprint", fingerprint)
    return study


def _drop_torn_line(journal: Path) -> None:
    """Cut off what a crash left of a last line, or the next one would be lost with it."""
    if journal.is_file():
        written = journal.read_bytes()
        whole = written.rfind(b"\n") + 1
        if whole < len(written):
            journal.write_bytes(written[:whole])


def _fingerprint(recipe: Recipe, split: Split, seed: int) -> str:
    """What every trial of a search has in common."""
    parts = [[(u.corpus, u.name) for u in part] for part in (split.train, split.validation)]
    described = json.dumps([recipe.to_dict(), split.labels, parts, seed])
    return hashlib.sha256(described.encode()).hexdigest()


def _next_trial(
    study: optuna.Study, space: Space, seed: int, n_done: int
) -> tuple[int, dict[str, Any]]:
    """Number and encoded values of the trial that was under way, else of a new one."""
    for left in study.get_trials(states=(TrialState.RUNNING,)):
        if set(left.params) == set(space):
            return left.number, left.params
        # Ended while its values were drawn: with no reason kept, it does not count.
        study.tell(left.number, state=TrialState.FAIL)
    # A generator of its own for each: those of a search that goes on would begin again.
    own_seed = np.random.SeedSequence([seed, n_done]).generate_state(1)[0]
    study.sampler = optuna.samplers.TPESampler(seed=int(own_seed))
    trial = study.ask(dict(space))
    return trial.number, trial.params


def _decoded(encoded: dict[str, Any]) -> dict[str, Any]:
    """Values as a recipe has them: choices are kept as JSON."""
    return {
        key: json.loads(value) if isinstance(value, str) else value
        for key, value in encoded.items()
    }


def _with_values(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    fields = {**recipe.to_dict(), "search": {}}
    for key, value in values.items():
        table, _, option = key.rpartition(".")
        if table:
            fields[table] = {**fields[table], option: value}
        else:
            fields[option] = value
    return recipe_of(fields)


def _uar(recipe: Recipe, split: Split, place: Place, seed: int, folder: Path) -> float:
    """Train, and give the best validation UAR; an interrupted training goes on where it was."""
    try:
        fitted = fit(recipe, split, place.cache, seed, folder, place.corpora)
    except ValueError as error:
        # Keras and scikit-learn have no other for values that do not go together.
        raise SerEdgeError(str(error).strip().partition("\n")[0]) from error
    finally:
        # Or the networks of all trials would add up in memory.
        keras.utils.clear_session()
    return max(look["validation_uar"] for look in fitted.history)


def _reason_key(number: int) -> str:
    return f"failed {number}"


def _done(study: optuna.Study) -> list[Trial]:
    """Trials that ended, in order."""
    reasons = study.user_attrs
    ended = [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))
        if trial.state == TrialState.COMPLETE or _reason_key(trial.number) in reasons
    ]
    return [
        Trial(
            number, _decoded(trial.params), trial.value, reasons.get(_reason_key(trial.number), "")
        )
        for number, trial in enumerate(ended, start=1)
    ]


def _best(done: list[Trial]) -> Trial | None:
    judged = [trial for trial in done if trial.uar is not None]
    return max(judged, key=lambda trial: trial.uar or 0.0, default=None)


def _line(done: list[Trial], trials: int) -> str:
    """The last trial and the best so far, for a log."""
    last, best = done[-1], _best(done)
    values = ", ".join(f"{key} {_text(value)}" for key, value in last.values.items())
    outcome = f"failed ({last.reason})" if last.uar is None else f"validation UAR {last.uar:.3f}"
    so_far = "none yet" if best is None else f"{best.uar:.3f} (trial {best.number})"
    return f"trial {last.number} of {trials}: {values}: {outcome}; best {so_far}"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def _write(folder: Path, recipe: Recipe, seed: int, space: Space, done: list[Trial]) -> None:
    """Write the best recipe so far, the table and the picture of all trials."""
    best = _best(done)
    try:
        _write_table(folder / "trials.csv", space, done)
        if best is not None:
            (folder / "search.png").write_bytes(_picture(space, done))
            text = _recipe_text(_with_values(recipe, best.values))
            comment = (
                f"# Best of {len(done)} trials with seed {seed}: UAR {best.uar:.4f} on the "
                "validation part.\n"
            )
            (folder / "best.toml").write_text(comment + text, encoding="utf-8")
    except OSError as error:
        raise SerEdgeError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _recipe_text(recipe: Recipe) -> str:
    fields = recipe.to_dict()
    del fields["search"]
    # TOML has no null: what is None is left out.
    return tomli_w.dumps({key: value for key, value in fields.items() if value is not None})


def _write_table(path: Path, space: Space, done: list[Trial]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["number", *space, "uar", "state"])
        for trial in done:
            values = [v if _is_number(v) else _text(v) for v in map(trial.values.get, space)]
            state = "failed" if trial.uar is None else "complete"
            table.writerow([trial.number, *values, trial.uar, state])


@in_house_style
def _picture(space: Space, done: list[Trial]) -> bytes:
    """Draw the UAR over the trials, and over each value."""
    judged = [trial for trial in done if trial.uar is not None]
    columns = min(COLUMNS, 1 + len(space))
    rows = -(-(1 + len(space)) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.8 * rows))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    _draw_progress(panels[0], judged)
    for axes, (key, distribution) in zip(panels[1:], space.items()):
        _draw_value(axes, key, distribution, judged)
    for axes in panels[1 + len(space) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel("validation UAR")
    return to_png(figure)


def _draw_progress(axes: Axes, judged: list[Trial]) -> None:
    numbers, uars = [t.number for t in judged], np.array([t.uar for t in judged], dtype=float)
    axes.plot(numbers, uars, "o", color=BLUE, markersize=4)
    best = np.maximum.accumulate(uars)
    axes.step(numbers, best, where="post", color=VERMILLION, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("trial")
    axes.grid(True)
    axes.legend(loc="best")


def _draw_value(axes: Axes, key: str, distribution: Distribution, judged: list[Trial]) -> None:
    uars = np.array([trial.uar for trial in judged], dtype=float)
    values = [trial.values[key] for trial in judged]
    if isinstance(distribution, CategoricalDistribution):
        choices = [str(choice) for choice in distribution.choices]
        axes.set_xticks(range(len(choices)), [short(_text(json.loads(c))) for c in choices])
        axes.set_xlim(-0.5, len(choices) - 0.5)
        values = [choices.index(json.dumps(value)) for value in values]
    else:
        if distribution.log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            # The default writes formulas, which the house style does not.
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.tick_params(axis="x", labelrotation=40)
        axes.set_xlim(distribution.low, distribution.high)
    axes.plot(values, uars, "o", color=BLUE, markersize=4, clip_on=False)
    best = _best(judged)
    if best is not None:
        axes.axvline(values[judged.index(best)], color=GREY, linestyle="--", zorder=0)
    axes.set_title(key)
    axes.grid(True)
