"""What a search leaves: the best recipe, and a table and a picture of all trials."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path

import tomli_w

from train.numbers import is_number
from train.output_files import write_bytes
from train.recipe import Recipe
from train.search.picture import picture_of
from train.search.space import Space, with_values
from train.search.trial import Trial, best_of, text_of


def write(folder: Path, recipe: Recipe, seed: int, space: Space, done: list[Trial]) -> None:
    """Write the best recipe so far, the table and the picture of all trials.

    Raises
    ------
    SerEdgeError
        When one cannot be written.
    """
    best = best_of(done)
    write_bytes(folder / "trials.csv", _table(space, done).encode("utf-8"))
    if best is None:
        return
    write_bytes(folder / "search.png", picture_of(space, done))
    # Under a name of its own, or its run would be taken for one of the recipe.
    found = replace(with_values(recipe, best.values), name=f"{recipe.name}-searched")
    comment = (
        f"# Best of {len(done)} trials with seed {seed}: UAR {best.uar:.4f} on the "
        "validation part.\n"
    )
    write_bytes(folder / "best.toml", (comment + _recipe_text(found)).encode("utf-8"))


def _recipe_text(recipe: Recipe) -> str:
    fields = recipe.to_dict()
    del fields["search"]
    # TOML has no null: what is None is left out.
    return tomli_w.dumps({key: value for key, value in fields.items() if value is not None})


def _table(space: Space, done: list[Trial]) -> str:
    text = StringIO()
    table = csv.writer(text)
    table.writerow(["number", *space, "uar", "state"])
    for trial in done:
        values = [v if is_number(v) else text_of(v) for v in map(trial.values.get, space)]
        state = "failed" if trial.uar is None else "complete"
        table.writerow([trial.number, *values, trial.uar, state])
    return text.getvalue()
