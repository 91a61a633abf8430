"""Recipes: the bundled one, one's own, and everything that can be wrong with one."""

from __future__ import annotations

import json

import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.architectures import build
from train.recipe import load_recipe
from train.splits.cross_corpus import CORPORA

from .tones import RECIPE


def load(tmp_path, text: str):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(str(path))


def changed(line: str) -> str:
    """The tiny recipe with one line of it in another form."""
    key = line.partition("=")[0].strip()
    lines = RECIPE.splitlines()
    places = [i for i, old in enumerate(lines) if old.partition("=")[0].strip() == key]
    assert len(places) == 1, key
    lines[places[0]] = line
    return "\n".join(lines)


def on_clips(line: str) -> str:
    """The tiny recipe on whole recordings, with a line for its training."""
    start = RECIPE.partition("[training]")[0]
    return f'examples = "clips"\n{start}[training]\nepochs = 2\n{line}\n'


def test_bundled_recipe():
    recipe = load_recipe("edge")
    assert recipe.name == "edge"
    assert recipe.labels == LABELS
    assert recipe.corpora == CORPORA
    assert recipe.features.kinds == ("mfcc",)
    assert not set(recipe.validation_speakers) & set(recipe.test_speakers)
    model = build(
        recipe.architecture,
        (recipe.window_frames, recipe.features.feature_dim),
        len(recipe.labels),
        recipe.model,
    )
    assert model.output_shape == (None, 7)


def test_on_recordings_of_ones_own_there_is_no_teacher():
    recipe = load_recipe("edge")
    assert recipe.distillation is not None
    assert recipe.on_data(("folder:mine",)).distillation is None


def test_own_recipe_by_path(tmp_path):
    recipe = load(tmp_path, RECIPE)
    assert recipe.name == "tiny"
    assert recipe.merge == {"calm": "neutral"}
    assert recipe.training.steps == 20
    assert recipe.training.label_smoothing == 0.1
    assert recipe.augmentation.noise_db == (35.0, 80.0)
    assert recipe.model["kernels"] == (3,)
    assert json.loads(json.dumps(recipe.to_dict()))["features"]["n_mels"] == 24


def test_no_labels_stand_for_all(tmp_path):
    assert load(tmp_path, f"labels = []\n{RECIPE}").labels == ()


@pytest.mark.parametrize(
    ("corpora", "name"),
    [
        (("TESS", "RAVDESS-song"), "tiny-TESS-RAVDESS-song"),
        (("folder:.",), "tiny-home"),
        (("folder:voices/..", "folder:voices/"), "tiny-home-voices"),
        (("table:lists/mine.csv", "folder:/somewhere/else"), "tiny-mine-else"),
        (("folder:link",), "tiny-link"),
    ],
)
def test_name_on_other_recordings(tmp_path, tiny_recipe, corpora, name):
    (tmp_path / "home" / "voices").mkdir(parents=True)
    (tmp_path / "home" / "link").symlink_to("voices")
    assert tiny_recipe.on_data(corpora, (), tmp_path / "home").name == name


def test_unknown_recipe_names_the_bundled():
    with pytest.raises(SerEdgeError, match=r"nothing: no such recipe; .* one of edge"):
        load_recipe("nothing")


@pytest.mark.parametrize("name", ["missing.toml", "folder.toml"])
def test_recipe_that_is_no_file(tmp_path, name):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SerEdgeError, match="no such recipe"):
        load_recipe(str(tmp_path / name))


def test_bad_toml(tmp_path):
    with pytest.raises(SerEdgeError, match=r"mine\.toml: not TOML \(.*line 2"):
        load(tmp_path, 'name = "x"\nwindow_frames = = 3\n')


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SerEdgeError, match="not TOML"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "window_frames|name"),
        ('windows = 3\nname = "x"', "windows"),
        (RECIPE.replace("[model]", "[training.more]\nx = 1\n[model]"), "training|more"),
        (RECIPE.replace("steps = 20", "step = 20"), "step"),
        (RECIPE.replace("tempo = 0.1", "speed = 0.1"), "speed"),
        (RECIPE.replace("n_mels = 24", "n_mel = 24"), "n_mel "),
        (RECIPE.replace("n_mels = 24", "n_mels = 24.5"), "n_mels"),
        (RECIPE.replace("n_mels = 24", "n_mels = 5"), "n_mfcc"),
        (RECIPE.replace('level = "peak"', 'level = "loud"'), "level"),
        (RECIPE.replace('kinds = ["mfcc"]', 'kinds = "mfcc"'), "kinds"),
        ("features = 3", "features must be a table, not 3"),
        ('features = "x"', "features must be a table, not 'x'"),
        ("training = 5", "training must be a table, not 5"),
        ("training = 0", "training must be a table, not 0"),
        ('augmentation = "x"', "augmentation must be a table, not 'x'"),
        ('audio_augmentation = ""', "audio_augmentation must be a table, not ''"),
        ("model = 3", "model must be a table, not 3"),
        ('transfer = "x"', "transfer must be a table, not 'x'"),
        (f"search = 1\n{RECIPE}", "search must be a table, not 1"),
        (f'examples = "Clips"\n{RECIPE}', "examples must be one of windows, clips, not 'Clips'"),
        (f"examples = []\n{RECIPE}", r"examples must be one of windows, clips, not \[\]"),
        (changed("corpora = []"), "corpora must name one or more"),
        (changed('corpora = ["TESS", "TESS"]'), "corpora: 'TESS' is given twice"),
        (f'labels = ["sad"]\n{RECIPE}', "labels must name two or more, not 'sad' alone"),
        (f'labels = ["sad", "happy", "sad"]\n{RECIPE}', "labels: 'sad' is given twice"),
        (changed('test_speakers = ["RAVDESS-02"]'), "'RAVDESS-02' is in both validation_speakers"),
        (changed('name = "../x"'), "name must be fit for a folder"),
        (changed('name = ".."'), "name must be fit for a folder"),
        (changed("name = 'x\\y'"), "name must be fit for a folder"),
        (changed("learning_rate = 0"), "learning_rate must be above 0"),
        (changed("hop_seconds = 0.0"), "hop_seconds must be above 0"),
        (f"test_share = 0.0\n{RECIPE}", "test_share must be above 0"),
        (f"test_share = 1\n{RECIPE}", "test_share must be below 1"),
        (f"validation_share = 0\n{RECIPE}", "validation_share must be above 0"),
        (f"validation_share = 1.5\n{RECIPE}", "validation_share must be below 1"),
        (on_clips("reduce_factor = 1.0"), "reduce_factor must be below 1"),
        (on_clips("reduce_factor = 0"), "reduce_factor must be above 0"),
        (changed("window_frames = 31.5"), "window_frames must be a whole number"),
        (changed("window_frames = 0"), "window_frames must be a whole number"),
        (changed("window_frames = true"), "window_frames must be a whole number"),
        (changed('hop_seconds = "often"'), "hop_seconds must be a number"),
        (changed('corpora = "TESS"'), "corpora must be a list"),
        (changed('validation_speakers = "RAVDESS-02"'), "validation_speakers must be a list"),
        (changed("test_speakers = [3]"), "test_speakers must be a list"),
        (changed("calm = 0"), "merge must be a table of texts"),
        (changed("name = 3"), "name must be a text"),
        (changed('name = ""'), "name must be a text"),
        (changed("steps = 0"), "steps must be a whole number above 0"),
        (changed("batch_size = -1"), "batch_size must be a whole number above 0"),
        (changed("validation_interval = 0"), "validation_interval must be a whole number above 0"),
        (changed("learning_rate = -0.1"), "learning_rate must be a number"),
        (changed("learning_rate = nan"), "learning_rate must be a number"),
        (changed("steps = 20\nlabel_smoothing = 1.0"), "label_smoothing must be below 1"),
        (changed("tempo = 1.0"), "tempo must be below 1"),
        (changed("time_mask = 2"), "time_mask must be below 1"),
        (changed("noise_db = [35.0]"), "noise_db must be a list of two numbers"),
        (changed("noise_db = [80.0, 35.0]"), "noise_db must be .*the smaller first"),
        (changed("noise_db = 35.0"), "noise_db must be a list of two numbers"),
        (changed("gain_db = inf"), "gain_db must be a number"),
    ],
)
def test_wrong_recipe_names_file_and_field(tmp_path, text, named):
    with pytest.raises(SerEdgeError, match=rf"mine\.toml: .*({named})") as caught:
        load(tmp_path, text)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("transformer", {}, "unknown architecture 'transformer'; known are edge"),
        ("edge", {"depth": 3}, "depth"),
        ("edge", {"channels": 0}, "architecture edge"),
        ("edge", {"channels": "many"}, "architecture edge"),
        ("edge", {"kernels": 5}, "architecture edge"),
        ("edge", {"dropout": 2.0}, "architecture edge"),
    ],
)
def test_wrong_network(name, options, said):
    with pytest.raises(SerEdgeError, match=said) as caught:
        build(name, (31, 20), 7, options)
    assert len(str(caught.value).splitlines()) == 1
