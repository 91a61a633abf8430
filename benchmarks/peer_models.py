"""The networks of the peers, built from bundled recipes, converted, and kept.

What a network costs does not depend on the numbers in it: the weights are random, always the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureConfig, FeatureExtractor
from edge_runtime.metadata import LABELS, ModelMetadata

CACHE = "SER_EDGE_CACHE"
WINDOW_SECONDS = 3.0  # what every peer reads, whatever else its recipe says
KERAS = "keras"
ENDINGS = {
    KERAS: ".keras",
    "float32": ".float32.tflite",
    "dynamic": ".dynamic.tflite",
    "int8": ".int8.tflite",
}
# By module, for TensorFlow goes by several names as a package.
MODULES = ("tensorflow", "keras")
PACKAGES = ("tensorflow", "tensorflow-cpu", "keras")
SEED = 0
N_WINDOWS = 40  # that int8 is calibrated with
LAYOUT = 1  # raise it when models are made in another way


def peer_models(
    recipe_name: str, forms: Iterable[str], sound: NDArray[np.float32], folder: Path | None = None
) -> dict[str, Path]:
    """Give a recipe's network in several forms, made now or earlier.

    Parameters
    ----------
    recipe_name : str
        Of a bundled recipe.
    forms : iterable of {"keras", "float32", "dynamic", "int8"}
        Which files are wanted.
    sound : ndarray of float32, shape (n_samples,)
        At the recipe's rate, longer than 3 s; windows of it calibrate int8.
    folder : Path, optional
        Where they are kept; ``$SER_EDGE_CACHE/peers`` or ``~/.cache/ser-edge/peers`` by default.

    Returns
    -------
    dict of str to Path
        A file by form; a network of 3 s and of a batch of one, without metadata.

    Raises
    ------
    SerEdgeError
        When TensorFlow or Keras is missing, or a conversion fails.
    """
    from train.recipe import RECIPES, load_recipe

    require_builders()
    recipe = load_recipe(recipe_name)
    content = (RECIPES / f"{recipe_name}.toml").read_bytes()
    kept = (folder or cache_folder()) / f"{recipe_name}-{_digest(content)}"
    paths = {form: kept / f"model{ENDINGS[form]}" for form in forms}
    missing = {form: path for form, path in paths.items() if not path.exists()}
    if missing:
        _make(recipe, missing, sound)
    return paths


def cache_folder() -> Path:
    """Where the networks are kept between runs."""
    return Path(os.environ.get(CACHE) or "~/.cache/ser-edge").expanduser() / "peers"


def require_builders() -> None:
    """Raise an error where what builds and converts networks is missing.

    Raises
    ------
    SerEdgeError
        Naming what to install.
    """
    for module in MODULES:
        if find_spec(module) is None:
            raise SerEdgeError(f"{module} is not installed: pip install 'ser-edge[train,convert]'")


def window_frames(features: FeatureConfig) -> int:
    """Number of whole frames in 3 s."""
    return features.frames_in(int(WINDOW_SECONDS * features.sample_rate))


def installed_version(package: str) -> str:
    """Version of a package; "" where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _digest(recipe: bytes) -> str:
    """Differs wherever the files may."""
    made_by = {package: installed_version(package) for package in PACKAGES}
    described = json.dumps([LAYOUT, SEED, WINDOW_SECONDS, made_by, sys.version_info[:2]])
    return hashlib.sha256(recipe + described.encode()).hexdigest()[:16]


def _make(recipe: Any, missing: dict[str, Path], sound: NDArray[np.float32]) -> None:
    metadata = _metadata(recipe)
    windows = _windows(metadata, sound)
    with tempfile.TemporaryDirectory(prefix="ser-bench-") as name:
        model = Path(name) / f"model{ENDINGS[KERAS]}"
        _build(recipe, metadata, model)
        _convert(model, metadata, missing, windows)


def _metadata(recipe: Any) -> ModelMetadata:
    """What conversion must know of the network; nothing is fitted, so nothing is standardised."""
    width = recipe.features.feature_dim
    return ModelMetadata(
        name=recipe.name,
        labels=recipe.labels or LABELS,
        features=recipe.features,
        window_frames=window_frames(recipe.features),
        hop_seconds=recipe.hop_seconds,
        feature_mean=(0.0,) * width,
        feature_scale=(1.0,) * width,
    )


def _build(recipe: Any, metadata: ModelMetadata, output: Path) -> None:
    """Have the network built in a process of its own: this one stays without TensorFlow."""
    from convert.child import Child

    task = {
        "recipe": recipe.name,
        "shape": list(metadata.input_shape),
        "labels": len(metadata.labels),
        "output": str(output),
    }
    with closing(Child("benchmarks.peer_models")) as builder:
        builder.run(task, {}, f"{recipe.name}: building it")


def _convert(
    model: Path, metadata: ModelMetadata, missing: dict[str, Path], windows: NDArray[np.float32]
) -> None:
    from convert.attempts import Attempt, make
    from convert.datasets import Representative
    from convert.devices import DEVICES
    from convert.original import Original
    from convert.targets import TARGETS
    from convert.workbench import Settings, Workbench

    original = Original(model, "keras", None, metadata)
    bench = Workbench(
        original, Representative("sound", windows), None, Settings(DEVICES["any"]), model.parent
    )
    with closing(bench):
        for form, path in missing.items():
            made = model.with_name(f"made{ENDINGS[form]}")
            if form == KERAS:
                shutil.copy(model, made)
            else:
                make(bench, TARGETS[form], Attempt(), made)
            _keep(made, path)


def _keep(made: Path, path: Path) -> None:
    from edge_runtime.atomic import replacing

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, path.with_name(f".{os.getpid()}{path.suffix}")) as temporary:
            shutil.copy(made, temporary)
    except OSError as error:
        raise SerEdgeError(
            f"{path}: cannot be written ({error.strerror or error}); set {CACHE} to another folder"
        ) from error


def _windows(metadata: ModelMetadata, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inputs from all over a sound, (n, T, D) or (n, D)."""
    extractor = FeatureExtractor(metadata.features)
    length = metadata.features.samples_for(metadata.window_frames)
    if len(sound) < length:
        raise SerEdgeError(f"the sound must have at least {WINDOW_SECONDS:g} s")
    starts = np.linspace(0, len(sound) - length, N_WINDOWS).astype(int)
    return np.stack([extractor(sound[start : start + length]) for start in starts])


def _work(task: dict[str, Any], arrays: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Build one network with random weights: the side of `_build` that has TensorFlow."""
    import keras

    from train.architectures import build
    from train.recipe import load_recipe

    keras.utils.set_random_seed(SEED)
    recipe = load_recipe(task["recipe"])
    model = build(recipe.architecture, tuple(task["shape"]), task["labels"], recipe.model)
    model.save(task["output"])
    return {"parameters": model.count_params()}, {}


if __name__ == "__main__":
    from convert.child import serve

    serve(_work)
