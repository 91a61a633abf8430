"""Fits what a speaker's enrolled clips teach: shrinkage LDA over the model's embedding.

Everything is in closed form, and so is leaving each clip out in turn, by which its strength and
the weight of what the model thinks by itself are chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

# What is tried: the share of the identity in the covariance; the weight of the logarithm of the
# model's own probabilities; what the discriminant counts.
SHRINKAGES = (1.0, 0.7, 0.4, 0.2, 0.1, 0.05)
PRIOR_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
DISCRIMINANT_WEIGHTS = tuple(0.0125 * 2.0 ** (step / 2.0) for step in range(15))
# Where there are too few clips to choose by, and what choices lean on: the likeliest with one to
# three clips of each emotion, of speakers of TESS and ASED.
USUAL_SHRINKAGE, USUAL_PRIOR_WEIGHT, USUAL_DISCRIMINANT_WEIGHT = 1.0, 0.2, 0.05
# Nats that a choice of twice or half the usual weight must gain over all clips.
NATS_PER_OCTAVE = 0.5
LEAST_WEIGHT = 0.0125  # counts as zero when octaves are measured
SQUARED_LENGTH = 100.0  # of a standardised embedding, on average
LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Fit:
    """What decides: the softmax of ``embedding @ weights + bias + prior_weight * log p``.

    Attributes
    ----------
    weights : ndarray of float32, shape (d, n_classes)
        What each value of the embedding counts for each class.
    bias : ndarray of float32, shape (n_classes,)
        What is added.
    prior_weight : float
        What the logarithm of the model's own probability counts, 0 to 1.
    shrinkage : float
        Share of the identity in the covariance within classes, above 0 to 1.
    left_out : ndarray of float64, shape (n_clips, n_classes)
        Logits of each clip by a fit to the others; those of a class that has no other clip are
        minus infinity.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    prior_weight: float
    shrinkage: float
    left_out: Array


def fit(embeddings: NDArray[Any], scores: NDArray[Any], classes: Labels, n_classes: int) -> Fit:
    """Fit a profile to clips.

    Linear discriminants with one covariance for all classes, shrunk towards the identity, are added
    to a share of what the model thinks by itself. How much it is shrunk and what both count is
    what makes the clips likeliest, each left out in turn.

    Parameters
    ----------
    embeddings : ndarray of float, shape (n_clips, d)
        Of each clip.
    scores : ndarray of float, shape (n_clips, n_classes)
        The model's own probabilities for the classes.
    classes : ndarray of int, shape (n_clips,)
        Which class each clip is of; of every class there is at least one.
    n_classes : int
        How many classes.

    Returns
    -------
    Fit
        The best.

    References
    ----------
    .. [1] J. Friedman, "Regularized discriminant analysis", Journal of the American Statistical
       Association, 1989, eq. 18 (with one covariance).
    .. [2] M. Bartlett, "An inverse matrix adjustment arising in discriminant analysis", Annals of
       Mathematical Statistics, 1951 (how a clip is left out).
    """
    given = np.asarray(embeddings, np.float64)
    centre, scale = _standard(given, classes, n_classes)
    standardised = (given - centre) / scale
    log_prior = np.log(np.maximum(np.asarray(scores, np.float64), LEAST_PROBABILITY))
    shrinkage, prior_weight, weight = _chosen(standardised, log_prior, classes, n_classes)
    directions, offsets = _discriminants(standardised, classes, n_classes, shrinkage)
    weights = weight * directions / scale[:, None]
    left_out = _left_out(standardised, classes, n_classes, shrinkage)
    return Fit(
        weights.astype(np.float32),
        (weight * offsets - centre @ weights).astype(np.float32),
        prior_weight,
        shrinkage,
        prior_weight * log_prior + weight * left_out,
    )


def _chosen(
    embeddings: Array, log_prior: Array, classes: Labels, n_classes: int
) -> tuple[float, float, float]:
    """Choose shrinkage, weight of the prior and of the discriminant."""
    judged = np.bincount(classes, minlength=n_classes)[classes] > 1
    # One class can judge nothing, and without a degree of freedom to spare there is no covariance.
    if len(np.unique(classes[judged])) < 2 or len(classes) - n_classes < 2:
        return USUAL_SHRINKAGE, USUAL_PRIOR_WEIGHT, USUAL_DISCRIMINANT_WEIGHT
    best = (np.inf, USUAL_SHRINKAGE, 0, 0)
    for shrinkage in SHRINKAGES:
        left_out = _left_out(embeddings, classes, n_classes, shrinkage)
        costs = _costs(log_prior[judged], left_out[judged], classes[judged])
        prior, weight = np.unravel_index(int(costs.argmin()), costs.shape)
        # Of equals the first, which shrinks most.
        if costs[prior, weight] < best[0]:
            best = (costs[prior, weight], shrinkage, int(prior), int(weight))
    return best[1], PRIOR_WEIGHTS[best[2]], DISCRIMINANT_WEIGHTS[best[3]]


def _costs(log_prior: Array, left_out: Array, classes: Labels) -> Array:
    """Cross-entropy of clips in nats, and what unusual weights cost, (n_priors, n_weights)."""
    priors, weights = np.array(PRIOR_WEIGHTS), np.array(DISCRIMINANT_WEIGHTS)
    prior_logits = priors[:, None, None, None] * log_prior
    logits = prior_logits + weights[:, None, None] * left_out
    most = logits.max(axis=-1)
    total = most + np.log(np.exp(logits - most[..., None]).sum(axis=-1))
    own = logits[..., np.arange(len(classes)), classes]
    entropy = (total - own).sum(axis=-1)
    return np.asarray(
        entropy
        + _unusual(priors, USUAL_PRIOR_WEIGHT)[:, None]
        + _unusual(weights, USUAL_DISCRIMINANT_WEIGHT)
    )


def _unusual(weights: Array, usual: float) -> Array:
    """What it costs to choose other weights than the usual one, in nats."""
    octaves = np.log2(np.maximum(weights, LEAST_WEIGHT) / usual)
    return np.asarray(NATS_PER_OCTAVE * np.square(octaves))


def _standard(embeddings: Array, classes: Labels, n_classes: int) -> tuple[Array, Array]:
    """Mean over classes, and the scale of each value, which leans on that of all of them."""
    centre = _means(embeddings, classes, n_classes).mean(axis=0)
    variance = np.square(embeddings - centre).mean(axis=0)
    leaning = 0.5 * (variance + variance.mean())
    length = np.sqrt(embeddings.shape[1] / SQUARED_LENGTH)
    return centre, np.maximum(np.sqrt(leaning), np.finfo(np.float32).tiny) * length


def _means(embeddings: Array, classes: Labels, n_classes: int) -> Array:
    return np.stack([embeddings[classes == one].mean(axis=0) for one in range(n_classes)])


def _discriminants(
    embeddings: Array, classes: Labels, n_classes: int, shrinkage: float
) -> tuple[Array, Array]:
    """Directions, (d, n_classes), and offsets, (n_classes,), of linear discriminants."""
    means = _means(embeddings, classes, n_classes)
    covariance = _covariance(embeddings - means[classes], len(classes) - n_classes, shrinkage)
    directions = np.linalg.solve(covariance, means.T)
    return directions, -0.5 * np.einsum("cd,dc->c", means, directions)


def _covariance(residuals: Array, degrees: int, shrinkage: float) -> Array:
    identity: Array = np.eye(residuals.shape[1])
    if degrees < 1:
        return identity
    within: Array = residuals.T @ residuals / degrees
    return np.asarray(shrinkage * identity + (1.0 - shrinkage) * within)


def _left_out(embeddings: Array, classes: Labels, n_classes: int, shrinkage: float) -> Array:
    """Discriminants of each clip from all others, (n_clips, n_classes).

    Without a clip the scatter is less by a multiple of the square of its residual, so its
    covariance is inverted by a correction to the inverse that all clips share. A class that has
    no other clip is minus infinity.
    """
    counts = np.bincount(classes, minlength=n_classes)
    means = _means(embeddings, classes, n_classes)
    residuals = embeddings - means[classes]
    degrees = len(classes) - n_classes - 1
    inverse = np.linalg.inv(_covariance(residuals, degrees, shrinkage))
    share = (1.0 - shrinkage) / degrees if degrees > 0 else 0.0
    logits = np.empty((len(classes), n_classes))
    for number, (clip, own) in enumerate(zip(embeddings, classes)):
        others, count = means.copy(), counts[own]
        correction = 0.0
        if count > 1:
            others[own] -= residuals[number] / (count - 1)
            correction = share * count / (count - 1)
        away = inverse @ residuals[number]
        correction /= 1.0 - correction * residuals[number] @ away
        # Of the clip, and of the means, by the inverse without it.
        towards = inverse @ clip + correction * away * (away @ clip)
        lengths = np.einsum("cd,cd->c", others @ inverse, others)
        lengths += correction * np.square(others @ away)
        logits[number] = others @ towards - 0.5 * lengths
        if count == 1:
            logits[number, own] = -np.inf
    return logits
