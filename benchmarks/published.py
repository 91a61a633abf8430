"""What others have published of the systems that the recipes rebuild."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A system as it was published.

    Attributes
    ----------
    figure : str
        What was said of it, and by what protocol.
    source : str
        Who said it, in words.
    """

    figure: str
    source: str


PUBLISHED = {
    "tess-lstm123": Published(
        "accuracy 98.26 % on a random split of TESS", "published with the network's summary"
    ),
    "tess-lstm": Published(
        "accuracy 98 % on TESS", "published without the network's size and the number of epochs"
    ),
    "tess-lstm256-dropout": Published(
        "accuracy 92.59 % on a random fifth of TESS (96.73 % on the training part)",
        "published with the layers and 50 epochs",
    ),
    "tess-lstm256": Published('"high" on TESS, no figure', "notebooks on TESS"),
    "tess-bilstm": Published(
        "a report by class on a random split of TESS", "published without one figure over all"
    ),
    "reslstm-sa": Published(
        "UAR 0.623 on ravdess-5fold, the mean of ten runs, the best of which has 0.652",
        "Krasnoproshin and Vashkevich, DSPA 2026",
    ),
    "light-sernet": Published(
        "other corpora only: EMO-DB and IEMOCAP by its own splits", "Aftab et al., ICASSP 2022"
    ),
    "edge": Published("ours", "nothing published"),
    "edge-1d": Published("ours, the first", "nothing published"),
}
# Recipes that change one thing about another.
VARIANTS = {"tess-lstm123-sequence": "tess-lstm123", "tess-lstm-prosody": "tess-lstm"}


def recipes(others: Iterable[str] = ()) -> list[str]:
    """All recipes of published systems, each followed by its variants; then others by name."""
    names = []
    for name in PUBLISHED:
        names.append(name)
        names += [variant for variant, parent in VARIANTS.items() if parent == name]
    return list(dict.fromkeys([*names, *sorted(others)]))


def published_text(recipe: str) -> str:
    """Say what was published, and how, of a recipe's system or the one it varies; "-": nothing."""
    known = PUBLISHED.get(VARIANTS.get(recipe, recipe))
    return f"{known.figure}; {known.source}" if known else "-"
