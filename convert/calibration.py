"""Fits what makes scores mean what they say: temperature, and the threshold of "unsure"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from convert.datasets import Recordings

COLDEST, HOTTEST = 0.05, 20.0
LEAST_UTTERANCES = 20


@dataclass(frozen=True)
class Calibration:
    """What was fitted on validation recordings.

    Attributes
    ----------
    temperature, rejection_threshold : float
        See `edge_runtime.metadata.ModelMetadata`.
    report : dict
        On how many utterances, the cross-entropy before and after, and what the threshold does.
    """

    temperature: float
    rejection_threshold: float
    report: dict[str, Any]


NONE = Calibration(1.0, 0.0, {"not_fitted": "no labelled recordings were held out"})


def fit_calibration(
    recordings: Recordings, scores: NDArray[np.float32], step: float = 0.0
) -> Calibration:
    """Fit the temperature, then the rejection threshold, to recordings.

    Parameters
    ----------
    recordings : Recordings
        Of validation.
    scores : ndarray of float32, shape (n_windows, n_labels)
        The converted model's, of every window.
    step : float
        Real value of one step of the scores; 0.0 where they are floating point. A quantised zero
        stands for anything below half a step, and counts as that.

    Returns
    -------
    Calibration
        The temperature of the least cross-entropy of the recordings' scores, and the threshold
        that refuses exactly what is more often wrong than right: above it, right answers outnumber
        wrong ones by most. With fewer than 20 utterances nothing is fitted.

    References
    ----------
    .. [1] C. Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.
    .. [2] C. K. Chow, "On optimum recognition error and reject tradeoff", IEEE Transactions on
       Information Theory 16(1), 1970 (with a refusal that costs half of an error).
    .. [3] J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999, section 2.2 (targets
       a little below one, so that a few utterances that are all right do not make it certain).
    """
    if len(recordings.targets) < LEAST_UTTERANCES:
        n = len(recordings.targets)
        why = f"{n} {recordings.part} utterances; at least {LEAST_UTTERANCES} are needed"
        return Calibration(1.0, 0.0, {"not_fitted": why})
    found = minimize_scalar(
        lambda log: smoothed_cross_entropy(recordings, scores, float(np.exp(log)), step / 2),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-3},
    )
    temperature = round(float(np.exp(found.x)), 4)
    calibrated = recordings.scores(scores, temperature)
    confidence = calibrated.max(axis=1)
    right = calibrated.argmax(axis=1) == recordings.targets
    threshold = round(rejection_threshold(confidence, right), 4)
    accepted = confidence >= threshold
    before, after = (cross_entropy(recordings, scores, t, step / 2) for t in (1.0, temperature))
    return Calibration(
        temperature,
        threshold,
        {
            "fitted_on": f"{len(right)} {recordings.part} utterances",
            "cross_entropy_before": round(before, 4),
            "cross_entropy_after": round(after, 4),
            "accepted": round(float(accepted.mean()), 4),
            "right_when_accepted": round(float(right[accepted].mean()), 4)
            if accepted.any()
            else None,
        },
    )


def cross_entropy(
    recordings: Recordings, scores: NDArray[np.float32], temperature: float, least: float = 0.0
) -> float:
    """Mean negative log-likelihood of the labels, in nats, of scores that are at least `least`."""
    given = _scores_from(recordings, scores, temperature, least)
    return float(-np.mean(np.log(given[np.arange(len(given)), recordings.targets])))


def smoothed_cross_entropy(
    recordings: Recordings, scores: NDArray[np.float32], temperature: float, least: float = 0.0
) -> float:
    """Cross-entropy with targets of (n + 1) / (n + 2), the rest spread over the other labels."""
    given = _scores_from(recordings, scores, temperature, least)
    n, n_labels = given.shape
    rest = 1.0 / (n + 2) / (n_labels - 1)
    targets = np.full(given.shape, rest)
    targets[np.arange(n), recordings.targets] = (n + 1) / (n + 2)
    return float(-np.mean(np.sum(targets * np.log(given), axis=1)))


def _scores_from(
    recordings: Recordings, scores: NDArray[np.float32], temperature: float, least: float
) -> NDArray[np.float64]:
    # Before the temperature: after it, a sharp one would cost the wrong answers nothing more.
    told = np.maximum(scores, np.float32(least))
    tiny = float(np.finfo(np.float32).tiny)
    return np.maximum(recordings.scores(told, temperature).astype(np.float64), tiny)


def rejection_threshold(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """The confidence from which on right answers outnumber wrong ones by most.

    Parameters
    ----------
    confidence : ndarray of float32, shape (n,)
        Score of each answer, 0 to 1.
    right : ndarray of bool, shape (n,)
        Whether it is right.

    Returns
    -------
    float
        0 to 1; halfway between the last refused and the first accepted. 0 when refusing gains
        nothing.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order].astype(np.float64)
    gain = np.cumsum(np.where(right[order], 1.0, -1.0))
    # Of equal scores all are accepted or none.
    gain[:-1][ranked[:-1] == ranked[1:]] = -np.inf
    # Among equally good ones, the threshold that refuses least.
    accepted = len(gain) - 1 - int(np.argmax(gain[::-1]))
    if accepted == len(ranked) - 1 or gain[accepted] <= 0:
        return 0.0
    return float((ranked[accepted] + ranked[accepted + 1]) / 2)
