"""The networks, built with Keras from what a recipe says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from edge_runtime.errors import SerEdgeError
from train.architectures.edge import edge
from train.architectures.edge_2d import begin_with_inverse_dct, edge_2d
from train.architectures.light_sernet import light_sernet
from train.architectures.recurrent import bilstm, lstm, lstm123, lstm256, lstm256_dropout
from train.architectures.reslstm_sa import reslstm_sa

ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {
    "edge": edge,
    "edge_2d": edge_2d,
    "lstm": lstm,
    "lstm123": lstm123,
    "lstm256": lstm256,
    "lstm256_dropout": lstm256_dropout,
    "bilstm": bilstm,
    "light_sernet": light_sernet,
    "reslstm_sa": reslstm_sa,
}

__all__ = ["ARCHITECTURES", "begin_with_inverse_dct", "build", "edge"]


def build(
    name: str, input_shape: tuple[int, ...], n_labels: int, options: dict[str, Any]
) -> keras.Model:
    """Build the network that a recipe names.

    Raises
    ------
    SerEdgeError
        When the name or an option is unknown, or an option has no sense.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise SerEdgeError(f"recipe: unknown architecture {name!r}; known are {known}")
    try:
        return ARCHITECTURES[name](input_shape, n_labels, **options)
    except (TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SerEdgeError(f"recipe: architecture {name}: {reason}") from error
