"""The training loop: rounds of batches, a look at the validation part, the best weights kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.errors import SerEdgeError
from train.averaging import WeightAverage
from train.checkpoint import Checkpoint
from train.progress import say, seconds_since_start

# Less than that is not worth the time that writing takes.
SECONDS_BETWEEN_CHECKPOINTS = 5.0


@dataclass(frozen=True)
class Plan:
    """How long the loop goes on, and what it keeps.

    Attributes
    ----------
    rounds : int
        At most.
    monitor : {"loss", "accuracy", "uar"}
        What of the validation part is better when lower (loss) or higher.
    restore_best : bool
        Whether to end with the best round's weights.
    later_of_equals : bool
        Whether a round that does as well as the best takes its place.
    patience, reduce_patience : int
        Rounds without a better one after which to end, or to reduce the learning rate; 0 never.
    reduce_factor : float
        What the learning rate is multiplied by.
    average : float
        Momentum of the average of weights that is looked at and kept in place of the last weights;
        0 averages nothing.
    """

    rounds: int
    monitor: str
    restore_best: bool = True
    later_of_equals: bool = False
    patience: int = 0
    reduce_patience: int = 0
    reduce_factor: float = 0.5
    average: float = 0.0


@dataclass
class Progress:
    """Where the loop is; JSON types only, for the checkpoint."""

    done: int = 0
    best: float = -math.inf
    waited: int = 0
    waited_to_reduce: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def run_rounds(
    model: keras.Model,
    batches: Callable[[int], keras.utils.PyDataset],
    scores: Callable[[keras.Model], NDArray[np.float32]],
    targets: NDArray[np.int64],
    plan: Plan,
    checkpoint: Checkpoint,
) -> list[dict[str, float]]:
    """Train a compiled model, from where the checkpoint left it.

    Parameters
    ----------
    model : keras.Model
        Left with the weights that the plan keeps.
    batches : callable
        Gives the batches of round r, always the same.
    scores : callable
        Gives the model's scores on the validation part, (n, n_labels).
    targets : ndarray of int, shape (n,)
        The truth there.
    plan : Plan
        When to stop.
    checkpoint : Checkpoint
        Where the state is kept between rounds.

    Returns
    -------
    list of dict
        For every round ``round``, ``step``, ``loss`` (mean over its batches), ``learning_rate``
        and the validation figures.

    Raises
    ------
    SerEdgeError
        When training diverges.
    """
    progress, best = Progress(), model.get_weights()
    average = WeightAverage(plan.average)
    stored = checkpoint.load(model, ("best", "average"), [item.name for item in fields(Progress)])
    if stored is not None:
        best, average.sums = stored[0]["best"], stored[0]["average"]
        progress = Progress(**stored[1])
        say(f"resumed after round {progress.done}")
    say(_beginning())
    bar = tqdm(
        total=plan.rounds, initial=progress.done, desc="training", unit="round", disable=None
    )
    saved = time.monotonic()
    while progress.done < plan.rounds and not _is_over(progress, plan):
        loss = _train(model, batches(progress.done), average, progress.done)
        with average.in_place(model):
            looked = _look(model, loss, scores, targets, progress.done)
            better = _judge(model, looked, progress, plan)
            best = model.get_weights() if better or not plan.restore_best else best
        if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            checkpoint.save(model, {"best": best, "average": average.sums}, asdict(progress))
            saved = time.monotonic()
        bar.set_postfix_str(_line(looked))
        bar.update()
        if bar.disable:
            say(f"round {progress.done} of {plan.rounds}: {_line(looked)}")
    bar.close()
    model.set_weights(best)
    return progress.history


def _beginning() -> str:
    seconds = seconds_since_start()
    return "training begins" + (
        "" if seconds is None else f", {seconds:.1f} s after the program's start"
    )


def _train(
    model: keras.Model, batches: keras.utils.PyDataset, average: WeightAverage, number: int
) -> float:
    """Train for a round, and give the mean loss over its batches."""
    fitted = model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[average])
    loss = float(fitted.history["loss"][0])
    if not math.isfinite(loss):
        raise _diverged(number, f"the loss is {loss}")
    return loss


def _look(
    model: keras.Model,
    loss: float,
    scores: Callable[[keras.Model], NDArray[np.float32]],
    targets: NDArray[np.int64],
    number: int,
) -> dict[str, float]:
    """Judge the model on the validation part."""
    validation = scores(model)
    # The last step may spoil weights that gave a finite loss before it.
    if not np.isfinite(validation).all():
        raise _diverged(number, "the scores are no numbers")
    return {
        "round": number + 1,
        "step": int(model.optimizer.iterations.numpy()),
        "loss": loss,
        "learning_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
        **validation_figures(targets, validation),
    }


def _diverged(number: int, sign: str) -> SerEdgeError:
    return SerEdgeError(
        f"training diverged in round {number + 1} ({sign}); try a lower learning_rate in the recipe"
    )


def validation_figures(targets: NDArray[np.int64], scores: NDArray[Any]) -> dict[str, float]:
    """Cross-entropy, accuracy and UAR on the validation part; UAR over the classes it has."""
    from sklearn.metrics import accuracy_score, log_loss, recall_score  # training has begun by now

    guesses = scores.argmax(axis=1)
    scores = scores.astype(np.float64)
    normalised = scores / scores.sum(axis=1, keepdims=True)
    return {
        "validation_loss": float(log_loss(targets, normalised, labels=range(scores.shape[1]))),
        "validation_accuracy": float(accuracy_score(targets, guesses)),
        "validation_uar": float(
            recall_score(targets, guesses, labels=np.unique(targets), average="macro")
        ),
    }


def _judge(model: keras.Model, looked: dict[str, float], progress: Progress, plan: Plan) -> bool:
    """Take note of a round, and say whether it did best so far."""
    progress.done += 1
    progress.history.append(looked)
    value = looked[f"validation_{plan.monitor}"] * (-1.0 if plan.monitor == "loss" else 1.0)
    equal = plan.later_of_equals and value == progress.best
    if value > progress.best or equal:
        progress.best, progress.waited, progress.waited_to_reduce = value, 0, 0
        return True
    progress.waited += 1
    progress.waited_to_reduce += 1
    if plan.reduce_patience and progress.waited_to_reduce >= plan.reduce_patience:
        progress.waited_to_reduce = 0
        model.optimizer.learning_rate = looked["learning_rate"] * plan.reduce_factor
    return False


def _is_over(progress: Progress, plan: Plan) -> bool:
    return bool(plan.patience) and progress.waited >= plan.patience


def _line(looked: dict[str, float]) -> str:
    return (
        f"loss {looked['loss']:.3f}, validation loss {looked['validation_loss']:.3f}, "
        f"UAR {looked['validation_uar']:.3f}"
    )


def rounds_of(steps: int, interval: int) -> list[range]:
    """Cut steps into rounds of an interval, the last as long as is left."""
    return [range(first, min(first + interval, steps)) for first in range(0, steps, interval)]
