"""A recipe: everything that decides a training run, read from one TOML file."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureConfig
from edge_runtime.metadata import LABELS
from train.augment import Augmentation

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPES = Path(__file__).parent / "recipes"

# By the annotation of a field: what its value must be, and whether it is.
TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("a whole number above 0", lambda value: type(value) is int and value > 0),
    "float": ("a number, 0 or more", lambda value: _is_number(value) and value >= 0),
    "str": ("a text", lambda value: isinstance(value, str) and bool(value)),
    "tuple[str, ...]": (
        "a list of texts",
        lambda value: isinstance(value, tuple) and all(isinstance(v, str) for v in value),
    ),
    "tuple[float, float]": (
        "a list of two numbers, the smaller first",
        lambda value: (
            isinstance(value, tuple)
            and len(value) == 2
            and all(map(_is_number, value))
            and value[0] <= value[1]
        ),
    ),
    "dict[str, str]": (
        "a table of texts",
        lambda value: isinstance(value, dict) and all(isinstance(v, str) for v in value.values()),
    ),
    "dict[str, Any]": ("a table", lambda value: isinstance(value, dict)),
}
BELOW_ONE = {"label_smoothing", "tempo", "warp", "time_mask", "band_mask"}


@dataclass(frozen=True)
class Training:
    """How the network is fitted.

    Attributes
    ----------
    steps : int
        Number of batches.
    batch_size : int
        Windows in a batch, classes and corpora drawn equally often.
    learning_rate : float
        Peak of the one-cycle schedule.
    weight_decay : float
        Of AdamW.
    label_smoothing : float
        0 to below 1.
    validation_interval : int
        Batches between looks at the validation speakers.
    """

    steps: int = 3000
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    validation_interval: int = 250


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run but the seed.

    Attributes
    ----------
    name : str
        Also the model's name.
    corpora : tuple of str
        What to train on.
    labels : tuple of str
        The classes.
    merge : dict of str to str
        Emotions of a corpus that count as another.
    validation_speakers, test_speakers : tuple of str
        Who is held out.
    window_frames : int
        Frames in the model's window.
    hop_seconds : float
        Time between decisions on a stream.
    features : FeatureConfig
        What the model reads.
    architecture : str
        Key of `train.architectures.ARCHITECTURES`.
    model : dict
        Options of the architecture.
    training : Training
        How the network is fitted.
    augmentation : Augmentation
        How windows are varied.
    licence : str
        Of the weights.
    """

    name: str
    corpora: tuple[str, ...]
    window_frames: int
    features: FeatureConfig
    architecture: str
    labels: tuple[str, ...] = LABELS
    merge: dict[str, str] = field(default_factory=dict)
    validation_speakers: tuple[str, ...] = ()
    test_speakers: tuple[str, ...] = ()
    hop_seconds: float = 0.5
    model: dict[str, Any] = field(default_factory=dict)
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)
    licence: str = "unspecified"

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        return {**dataclasses.asdict(self), "features": self.features.to_dict()}


def load_recipe(name: str) -> Recipe:
    """Load a recipe by the name of a bundled one, or from a TOML file.

    Raises
    ------
    SerEdgeError
        When it does not exist, is not TOML, or a key or value is wrong.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise SerEdgeError(f"{name}: no such recipe; give a .toml file or one of {known}")
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SerEdgeError(f"{path}: not TOML ({error})") from error
    try:
        fields["features"] = FeatureConfig.from_dict(fields.get("features", {}))
        fields["training"] = _checked(Training(**fields.get("training", {})))
        fields["augmentation"] = _checked(Augmentation(**_tuples(fields.get("augmentation", {}))))
        fields["model"] = _tuples(fields.get("model", {}))
        return _checked(Recipe(**_tuples(fields)))
    except (TypeError, AttributeError, SerEdgeError) as error:
        raise SerEdgeError(f"{path}: {error}") from error


Record = TypeVar("Record", Training, Augmentation, Recipe)


def _checked(record: Record) -> Record:
    """Give the record back, or say which of its values has no sense."""
    for item in dataclasses.fields(record):
        value = getattr(record, item.name)
        wanted, fits = TYPES.get(str(item.type), ("", _anything))
        if not fits(value):
            raise SerEdgeError(f"{item.name} must be {wanted}, not {value!r}")
        if item.name in BELOW_ONE and value >= 1:
            raise SerEdgeError(f"{item.name} must be below 1, not {value!r}")
    return record


def _anything(value: Any) -> bool:
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """TOML's lists as tuples, so that a recipe cannot change under way."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
