"""The peers' networks: what the recipes say, kept between runs, run by the interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.peer_models import CACHE, cache_folder, peer_models, window_frames
from benchmarks.soundscape import EXAMPLE
from edge_runtime.backends import load_backend
from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.clip import read_clip
from train.recipe import load_recipe

keras = pytest.importorskip("keras", reason="builds the peers' networks")
pytest.importorskip("tensorflow", reason="converts the peers' networks")

FORMS = {"tess-lstm256": ("keras", "float32", "dynamic"), "light-sernet": ("keras", "int8")}
# As in the tests of the architectures.
PARAMETERS = {"tess-lstm256": 264_192 + 32_896 + 8_256 + 455, "light-sernet": 463_335}
SHAPES = {"tess-lstm256": (40,), "light-sernet": (184, 40)}
Models = dict[str, dict[str, Path]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="module")
def models(folder: Path) -> Models:
    sound = read_clip(EXAMPLE, 16000)
    return {name: peer_models(name, forms, sound, folder) for name, forms in FORMS.items()}


@pytest.mark.parametrize("recipe", FORMS)
def test_the_network_is_that_of_the_recipe(recipe: str, models: Models) -> None:
    model = keras.saving.load_model(models[recipe]["keras"], compile=False, safe_mode=True)
    assert model.count_params() == PARAMETERS[recipe]
    assert model.input_shape == (None, *SHAPES[recipe])


@pytest.mark.parametrize(
    ("recipe", "form"),
    [(recipe, form) for recipe, forms in FORMS.items() for form in forms if form != "keras"],
)
def test_each_file_reads_a_window_and_gives_probabilities(
    recipe: str, form: str, models: Models
) -> None:
    network = load_backend(models[recipe][form])
    assert network.input_shape == SHAPES[recipe]
    assert (network.score_step > 0.0) == (form == "int8")
    scores = network.run(np.zeros(SHAPES[recipe], dtype=np.float32))[0]
    assert scores.shape == (len(load_recipe(recipe).labels),)
    assert scores.sum() == pytest.approx(1.0, abs=0.05)


def test_a_second_call_makes_nothing(folder: Path, models: Models) -> None:
    made = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    # Of no sound: nothing is calibrated with it.
    nothing = np.zeros(0, dtype=np.float32)
    again = {name: peer_models(name, forms, nothing, folder) for name, forms in FORMS.items()}
    assert again == models
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == made


def test_a_short_sound_cannot_calibrate(tmp_path: Path) -> None:
    with pytest.raises(SerEdgeError, match="the sound must have at least 3 s"):
        peer_models("light-sernet", ["int8"], np.zeros(16000, dtype=np.float32), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_folder_is_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path))
    assert cache_folder() == tmp_path / "peers"
    monkeypatch.delenv(CACHE)
    assert cache_folder() == Path.home() / ".cache" / "ser-edge" / "peers"


@pytest.mark.parametrize(
    ("recipe", "frames"),
    [("tess-lstm256", 90), ("tess-bilstm", 90), ("light-sernet", 184), ("reslstm-sa", 69)],
)
def test_every_window_has_three_seconds(recipe: str, frames: int) -> None:
    features = load_recipe(recipe).features
    assert window_frames(features) == frames
    assert features.samples_for(frames) <= 48000 < features.samples_for(frames + 1)
