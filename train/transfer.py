"""Starts a training from the model of another run."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import keras

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import ENTRY, ModelMetadata
from edge_runtime.quiet import quiet_libraries
from train.recipe import Recipe, Transfer


def started_metadata(recipe: Recipe, labels: tuple[str, ...]) -> ModelMetadata | None:
    """The normaliser that the weights know, with the recipe's labels; None without a start.

    Raises
    ------
    SerEdgeError
        When the run is missing, or made for other features or another window.
    """
    if recipe.transfer is None:
        return None
    known = _metadata(recipe.transfer)
    if known.features != recipe.features or known.window_frames != recipe.window_frames:
        raise SerEdgeError(
            f"{recipe.transfer.start}: its model reads other features or another window than the "
            f"recipe {recipe.name}; start from it with the recipe that it was made by"
        )
    return ModelMetadata(
        name=recipe.name,
        labels=labels,
        features=known.features,
        window_frames=known.window_frames,
        hop_seconds=recipe.hop_seconds,
        feature_mean=known.feature_mean,
        feature_scale=known.feature_scale,
    )


def _metadata(transfer: Transfer) -> ModelMetadata:
    path = Path(transfer.start) / ENTRY
    try:
        return ModelMetadata.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SerEdgeError(
            f"{transfer.start}: is no run that can be started from: its {ENTRY} cannot be read"
        ) from error
    except SerEdgeError as error:
        raise SerEdgeError(f"{path}: {error}; start from another run") from error


def start_from(model: keras.Model, labels: tuple[str, ...], transfer: Transfer) -> None:
    """Take over the weights of another run's model, but those of the head if the labels differ.

    The head are the last layers with weights on the way to the output. With ``freeze = "body"``
    all others stay as they are; batch normalisation then keeps its averages too.

    Parameters
    ----------
    model : keras.Model
        Not yet compiled.
    labels : tuple of str
        The classes that it tells apart.
    transfer : Transfer
        Where to start and what to freeze.

    Raises
    ------
    SerEdgeError
        When the other model is missing, damaged or of another shape.
    """
    path = Path(transfer.start) / "model.keras"
    other = _loaded(path)
    ours, theirs = ([layer for layer in m.layers if layer.weights] for m in (model, other))
    if [type(layer) for layer in ours] != [type(layer) for layer in theirs]:
        raise SerEdgeError(f"{path}: is of another architecture than the recipe's")
    heads = _heads(model)
    same_labels = _metadata(transfer).labels == labels
    for layer, known in zip(ours, theirs):
        shapes = [weight.shape for weight in layer.weights]
        if layer.name in heads and not same_labels:
            continue
        if shapes == [weight.shape for weight in known.weights]:
            layer.set_weights(known.get_weights())
        else:
            raise SerEdgeError(f"{path}: its layer {known.name} is of another size")
        layer.trainable = transfer.freeze == "nothing" or layer.name in heads


def _loaded(path: Path) -> keras.Model:
    if not path.is_file():
        raise SerEdgeError(f"{path.parent}: holds no {path.name} to start from")
    try:
        with quiet_libraries():
            return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, BadZipFile) as error:
        raise SerEdgeError(f"{path}: is damaged; start from another run, or train it anew") from (
            error
        )


def _heads(model: keras.Model) -> set[str]:
    """Names of the layers with weights after which there are no others."""
    makers = {id(layer.output): layer for layer in model.layers}
    heads: set[str] = set()
    waiting = list(model.outputs)
    while waiting:
        layer = makers[id(waiting.pop())]
        if layer.weights:
            heads.add(layer.name)
        else:
            waiting += keras.tree.flatten(layer.input)
    return heads
