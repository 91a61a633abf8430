"""How often a model that may say "unsure" is right, and how often it answers at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind

THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class CoverageCurve:
    """Accuracy against coverage, over all rejection thresholds.

    Attributes
    ----------
    threshold : ndarray of float, shape (n,)
        Every score of a guess that occurs, falling: what scores as much is answered.
    coverage : ndarray of float, shape (n,)
        Share of the utterances that are answered, rising to 1.
    accuracy : ndarray of float, shape (n,)
        Share of the answers that is right.

    References
    ----------
    Y. Geifman and R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017,
    section 2: coverage, and one minus the selective risk.
    """

    threshold: NDArray[np.float64]
    coverage: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def coverage_curve(targets: ArrayLike, scores: ArrayLike) -> CoverageCurve:
    """Compute the accuracy of what is answered for every rejection threshold.

    Parameters
    ----------
    targets : array_like of int, shape (n,)
        Index of each utterance's label, n >= 1.
    scores : array_like of float, shape (n, n_labels)
        Probabilities; the largest is the guess, and how sure it is.
    """
    rows = np.asarray(scores, np.float64)
    sure = rows.max(axis=1)
    right = rows.argmax(axis=1) == np.asarray(targets)
    order = np.argsort(-sure, kind="stable")
    ranked = sure[order]
    # Of equal scores all are answered or none.
    last = np.append(ranked[1:] != ranked[:-1], True)
    answered = np.arange(1, len(ranked) + 1)[last]
    return CoverageCurve(
        ranked[last], answered / len(ranked), np.cumsum(right[order])[last] / answered
    )


def at_threshold(curve: CoverageCurve, threshold: float) -> tuple[float, float | None]:
    """Coverage and accuracy of a rejection threshold; no accuracy where nothing is answered."""
    answered = np.flatnonzero(curve.threshold >= threshold)
    if not len(answered):
        return 0.0, None
    return float(curve.coverage[answered[-1]]), float(curve.accuracy[answered[-1]])


def coverage_table(results: Results) -> str:
    """What each form of the bundled model answers, and how much of it is right."""
    rows = [["model", "unsure below", "answered", "of it right"]]
    for run in of_kind(results, "bundled"):
        for name, model in run["models"].items():
            rows += _rows(name, run["targets"], model)
    return markdown(rows)


def _rows(name: str, targets: list[int], model: dict[str, Any]) -> list[list[str]]:
    curve = coverage_curve(targets, model["scores"])
    own = model["conversion"].get("calibration", {}).get("rejection_threshold")
    rows = []
    for threshold in sorted({*THRESHOLDS, *([own] if own is not None else [])}):
        answered, right = at_threshold(curve, threshold)
        mark = "**" if threshold == own else ""
        rows.append(
            [
                name,
                f"{mark}{threshold:.2f}{mark}",
                f"{answered:.1%}",
                "-" if right is None else f"{right:.1%}",
            ]
        )
    return rows
