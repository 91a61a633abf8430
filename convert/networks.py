"""Loads the networks that conversion starts from, for a batch of one. Needs TensorFlow."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError

# What may stand between the logits and the scores.
AFTER_LOGITS = (keras.layers.Softmax, keras.layers.Activation, keras.layers.Add)
RECURRENT = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)


def load_keras(model: Path, weights: Path | None) -> keras.Model:
    """Load a .keras file, or a network as JSON with its weights in H5.

    Code that a file carries is never run: Keras refuses it in its safe mode.

    Raises
    ------
    SerEdgeError
        When it is damaged, carries code, or has layers that are not Keras's own.
    """
    try:
        if weights is None:
            return keras.models.load_model(model, compile=False, safe_mode=True)
        loaded = keras.models.model_from_json(model.read_text(encoding="utf-8"))
        loaded.load_weights(weights)
        return loaded
    # Whatever a damaged or foreign file makes the loader stumble over.
    except Exception as error:
        raise SerEdgeError(_reason(error)) from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if "lambda" in text.lower():
        return "it carries code in a Lambda layer, which is never run: use a layer of Keras's own"
    # Of exceptions within exceptions the innermost says what is wrong.
    return f"Keras cannot load it: {text.rpartition('Exception encountered: ')[2][:200]}"


def with_batch_of_one(model: keras.Model, shape: tuple[int, ...]) -> keras.Model:
    """The same network for one window at a time, as the device feeds it.

    Every shape is known then, which the converters need. Networks that read a window as an image
    of one channel, or as (D, 1), get a reshape in front.

    Raises
    ------
    SerEdgeError
        When it reads something else than one window, or gives something else than scores.
    """
    if len(model.inputs) != 1:
        raise SerEdgeError(f"it reads {len(model.inputs)} inputs, not one window of features")
    wanted = tuple(model.input_shape[1:])
    inputs = keras.Input(batch_shape=(1, *shape))
    read = inputs
    if wanted != shape:
        sizes = [size for size in wanted if size is not None]
        if len(sizes) < len(wanted) or math.prod(sizes) != math.prod(shape):
            raise SerEdgeError(
                f"it reads windows of {wanted}, but its metadata describes {tuple(shape)}"
            )
        read = keras.layers.Reshape(wanted)(inputs)
    model = _functional(model)
    if len(model.outputs) != 1:
        raise SerEdgeError("it has several outputs; one, the scores, can be converted")
    pooled = embedding_parts(model)
    # Written out or as a loop: its forms must all have the same outputs.
    if not pooled or any(isinstance(layer, RECURRENT) for layer in _layers(model)):
        return keras.Model(inputs, model(read))
    scores, *parts = keras.Model(model.inputs, [model.output, *pooled])(read)
    embedding = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    return keras.Model(inputs, [scores, embedding])


def _functional(model: keras.Model) -> keras.Model:
    """The same layers, whose tensors are known; a sequence that was never run has none."""
    if not isinstance(model, keras.Sequential):
        return model
    inputs = keras.Input(model.input_shape[1:])
    x = inputs
    for layer in model.layers:
        x = layer(x)
    return keras.Model(inputs, x)


def embedding_parts(model: keras.Model) -> list[Any]:
    """What a network's last layers tell the classes apart by.

    Parameters
    ----------
    model : keras.Model
        With one output.

    Returns
    -------
    list of KerasTensor, each of shape (batch, n)
        The inputs of the dense layers that give the logits, in the order of the network; none where
        the network ends in something else.
    """
    wanted, found = [model.outputs[0]], []
    while wanted:
        tensor = wanted.pop(0)
        layer, node, _ = tensor._keras_history
        read = list(layer._inbound_nodes[node].input_tensors)
        if isinstance(layer, keras.layers.Dense):
            found += [_before_dropout(one) for one in read]
        elif isinstance(layer, AFTER_LOGITS):
            wanted = read + wanted
        else:
            return []
    return found if all(len(tensor.shape) == 2 for tensor in found) else []


def _before_dropout(tensor: Any) -> Any:
    layer, node, _ = tensor._keras_history
    if not isinstance(layer, keras.layers.Dropout):
        return tensor
    return _before_dropout(layer._inbound_nodes[node].input_tensors[0])


def is_recurrent(model: keras.Model) -> bool:
    """Whether a layer runs over time in a loop."""
    return any(isinstance(layer, RECURRENT) and not layer.unroll for layer in _layers(model))


def _layers(model: Any) -> list[Any]:
    found: list[Any] = []
    for layer in model.layers:
        inner = getattr(layer, "layers", None) or []
        halves = [getattr(layer, name, None) for name in ("layer", "forward_layer")]
        found += [layer, *(half for half in halves if half is not None)]
        if inner:
            found += _layers(layer)
    return found


def unrolled(model: keras.Model) -> keras.Model:
    """The same network, each recurrent layer written out step by step, with the same weights."""
    # By its JSON, for a wrapper's layers (Bidirectional) and networks in networks.
    config = json.loads(model.to_json())
    _unroll(config)
    copy = keras.models.model_from_json(json.dumps(config))
    copy.set_weights(model.get_weights())
    return copy


def _unroll(node: Any) -> None:
    names = {layer.__name__ for layer in RECURRENT}
    if isinstance(node, dict):
        if node.get("class_name") in names and isinstance(node.get("config"), dict):
            node["config"]["unroll"] = True
        for child in node.values():
            _unroll(child)
    elif isinstance(node, list):
        for child in node:
            _unroll(child)


def saved_function(folder: Path, shape: tuple[int, ...]) -> Any:
    """The serving function of a SavedModel, for one window at a time.

    Returns
    -------
    tf.function
        (1, ...) -> (1, n_labels).

    Raises
    ------
    SerEdgeError
        When the folder is damaged, has no serving function of one input and one output, or reads
        something else than one window.
    """
    served = _served(folder)
    (name, sizes), (output,) = _served_input(served), served.structured_outputs
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or math.prod(known) != math.prod(shape):
        raise SerEdgeError(
            f"it reads windows of {tuple(sizes)}, but its metadata describes {tuple(shape)}"
        )

    def classify(features: Any) -> Any:
        return served(**{name: tf.reshape(features, (1, *sizes))})[output]

    signature = [tf.TensorSpec((1, *shape), tf.float32, name="features")]
    return tf.function(classify, input_signature=signature)


def saved_input_shape(folder: Path) -> list[int | None]:
    """Shape of what a SavedModel reads, without the batch axis."""
    return _served_input(_served(folder))[1]


def _served(folder: Path) -> Any:
    try:
        loaded = tf.saved_model.load(str(folder))
    # Whatever a damaged folder makes the loader stumble over.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise SerEdgeError(f"TensorFlow cannot load it: {reason}") from error
    signatures = dict(loaded.signatures)
    served = signatures.get("serving_default") or next(iter(signatures.values()), None)
    if served is None:
        raise SerEdgeError("it has no serving signature: export it with model.export(FOLDER)")
    n_inputs, n_outputs = len(served.structured_input_signature[1]), len(served.structured_outputs)
    if (n_inputs, n_outputs) != (1, 1):
        raise SerEdgeError(
            f"its serving signature has {n_inputs} inputs and {n_outputs} outputs; one window and "
            "its scores can be converted"
        )
    _KEPT.append(loaded)
    return served


# Variables of a SavedModel live as long as the object that was loaded.
_KEPT: list[Any] = []


def _served_input(served: Any) -> tuple[str, list[int | None]]:
    ((name, wanted),) = served.structured_input_signature[1].items()
    return name, list(wanted.shape[1:])


def outputs_of(network: Any, windows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """A network's outputs for many windows: scores, (n, n_labels), and the embedding if any.

    Parameters
    ----------
    network : keras.Model or tf.function
        For a batch of one.
    windows : ndarray of float32, shape (n, ...)
        The inputs.
    """
    if isinstance(network, keras.Model):
        network = tf.function(network, reduce_retracing=True)
    rows = [tf.nest.flatten(network(tf.constant(window[None]))) for window in windows]
    return [np.concatenate(one).astype(np.float32) for one in zip(*rows)]
