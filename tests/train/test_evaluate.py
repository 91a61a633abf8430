"""Figures: right, recomputable from what is stored, and not recomputed without need."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS, ModelMetadata
from train.cache import FeatureCache
from train.evaluate import Place, evaluate_recipe, fit_recipe, own_split, run_split
from train.figures import figures_of
from train.recipe import Training
from train.splits import PROTOCOLS, RAVDESS_LABELS, Protocol, Split, by_speakers

from .tones import tone, touch, write_ravdess, write_tess, write_wav

EMOVO_CODES = ("neu", "dis", "gio", "pau", "rab", "sor", "tri")
CASIA_WORDS = ("angry", "fear", "happy", "neutral", "sad", "surprise")


def stored(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def recomputed(predictions: list[dict], labels: list[str]) -> dict:
    targets = np.array([p["target"] for p in predictions])
    scores = np.array([p["scores"] for p in predictions], dtype=np.float32)
    return figures_of(targets, scores, tuple(labels))


def test_run_leaves_what_conversion_and_a_report_need(tiny_run):
    assert sorted(path.name for path in tiny_run.iterdir()) == [
        "class_bars.png",
        "confusion_matrix.png",
        "held_out.npz",
        "model.keras",
        "reliability.png",
        "report.html",
        "representative.npz",
        "run.json",
        "ser_edge.json",
        "training_curves.png",
    ]
    run = stored(tiny_run)
    assert run["seed"] == 0
    assert run["speakers"]["validation"] == ["RAVDESS-02"]
    assert run["speakers"]["test"] == ["RAVDESS-03", "TESS-YAF"]
    assert run["speakers"]["train"] == ["RAVDESS-01", "RAVDESS-04", "TESS-OAF"]
    assert set(run["versions"]) == {"python", "numpy", "tensorflow", "keras", "sklearn", "soxr"}
    assert [look["step"] for look in run["history"]] == [10, 20]


def test_figures_follow_from_the_stored_predictions(tiny_run):
    run = stored(tiny_run)
    figures = run["figures"]
    assert len(run["predictions"]) == 16 + 35
    assert figures.pop("by_corpus") == {
        corpus: recomputed([p for p in run["predictions"] if p["corpus"] == corpus], run["labels"])
        for corpus in ("RAVDESS", "TESS")
    }
    assert figures == recomputed(run["predictions"], run["labels"])
    for prediction in run["predictions"]:
        assert sum(prediction["scores"]) == pytest.approx(1.0, abs=1e-4)
    names = {(p["corpus"], p["name"]) for p in run["predictions"]}
    assert len(names) == len(run["predictions"])


def test_metadata_of_a_run(tiny_run, tiny_recipe):
    text = (tiny_run / "ser_edge.json").read_text(encoding="utf-8")
    metadata = ModelMetadata.from_json(text)
    assert metadata.labels == LABELS
    assert metadata.features == tiny_recipe.features
    assert metadata.input_shape == (31, 20)
    provenance = metadata.provenance
    assert provenance["corpora"] == ["TESS", "RAVDESS"]
    figures = stored(tiny_run)["figures"]
    assert provenance["figures"] == {k: figures[k] for k in ("utterances", "uar", "wa", "recall")}
    assert provenance["licence"] == "test"
    assert "tested on RAVDESS-03, TESS-YAF" in provenance["protocol"]
    assert provenance["speakers"] == stored(tiny_run)["speakers"]


def test_complete_run_is_not_run_again(tiny_run, tiny_recipe, tone_corpora, tmp_path):
    before = [(p, p.stat().st_ino, p.stat().st_mtime_ns) for p in sorted(tiny_run.iterdir())]
    cache = FeatureCache(tmp_path / "cache")
    figures = fit_recipe(tiny_recipe, Place(tone_corpora, cache), 0, tiny_run)
    assert figures == stored(tiny_run)["figures"]
    assert [(p, p.stat().st_ino, p.stat().st_mtime_ns) for p in sorted(tiny_run.iterdir())] == (
        before
    )
    assert not (tmp_path / "cache").exists()


def test_run_of_another_recipe_is_not_taken_for_this_one(tiny_run, tiny_recipe, place):
    changed = replace(tiny_recipe, training=Training(steps=21))
    with pytest.raises(SerEdgeError, match="another version of the recipe tiny"):
        fit_recipe(changed, place, 0, tiny_run)


def as_by_an_earlier_version(run: Path, folder: Path) -> Path:
    """A copy of a run that was stored before there were fingerprints."""
    shutil.copytree(run, folder)
    fields = stored(folder)
    del fields["fingerprint"], fields["start"]
    (folder / "run.json").write_text(json.dumps(fields), encoding="utf-8")
    return folder


@pytest.mark.parametrize("earlier", [False, True])
def test_run_of_other_recordings_is_not_taken_for_this_one(
    tiny_run, tiny_recipe, place, tmp_path, earlier
):
    """As when recordings are added, or the corpora lie elsewhere."""
    folder = as_by_an_earlier_version(tiny_run, tmp_path / "run") if earlier else tiny_run
    assert fit_recipe(tiny_recipe, place, 0, folder) == stored(tiny_run)["figures"]
    write_tess(tmp_path / "TESS", words=("back", "bar", "base", "bath", "bean", "beg"))
    (tmp_path / "RAVDESS").symlink_to(place.corpora / "RAVDESS")
    with pytest.raises(SerEdgeError, match="a run of other recordings or of another split; delete"):
        fit_recipe(tiny_recipe, replace(place, corpora=tmp_path), 0, folder)


def test_run_of_another_seed_is_not_taken_for_this_one(tiny_run, tiny_recipe, place):
    with pytest.raises(SerEdgeError, match="holds a run of another seed; delete it"):
        fit_recipe(tiny_recipe, place, 1, tiny_run)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_run_of_another_split_is_not_taken_for_this_one(tiny_run, tiny_recipe, place, part):
    """Also where only a recording's emotion was corrected."""
    recipe, split, sentence = own_split(tiny_recipe, place, 0)
    assert run_split(recipe, split, sentence, place, 0, tiny_run)
    first, *others = getattr(split, part)
    corrected = replace(first, emotion="happy" if first.emotion != "happy" else "sad")
    for changed in ([corrected, *others], others):
        with pytest.raises(SerEdgeError, match="other recordings or of another split"):
            run_split(recipe, replace(split, **{part: changed}), sentence, place, 0, tiny_run)


def test_run_from_a_start_that_was_trained_again(tiny_run, tiny_recipe, place, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "start")
    recipe = replace(tiny_recipe, training=Training(steps=1, batch_size=4))
    recipe = recipe.starting_from(str(tmp_path / "start"), "nothing")
    figures = fit_recipe(recipe, place, 0, tmp_path / "run")
    shutil.copy(tmp_path / "run" / "model.keras", tmp_path / "start")
    with pytest.raises(SerEdgeError, match="holds a run of another model to start from"):
        fit_recipe(recipe, place, 0, tmp_path / "run")
    shutil.rmtree(tmp_path / "start")
    assert fit_recipe(recipe, place, 0, tmp_path / "run") == figures


def test_report_that_failed_is_drawn_by_the_next_call(tiny_recipe, tone_corpora, place, tmp_path):
    folder = tmp_path / "run"
    (folder / "report.html").mkdir(parents=True)
    recipe = replace(tiny_recipe, training=Training(steps=1, batch_size=4))
    with pytest.raises(SerEdgeError, match=r"report\.html: cannot be written"):
        fit_recipe(recipe, place, 0, folder)
    (folder / "report.html").rmdir()
    (folder / "checkpoint.npz").write_bytes(b"left over")
    written = (folder / "run.json").stat().st_mtime_ns
    fit_recipe(recipe, place, 0, folder)
    assert (folder / "run.json").stat().st_mtime_ns == written
    assert (folder / "report.html").is_file()
    assert not (folder / "checkpoint.npz").exists()


@pytest.mark.parametrize("text", ["", '{"figures": {"uar": 0.', "[]", "{}"])
def test_damaged_run_is_named(tiny_recipe, place, tmp_path, text):
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(SerEdgeError, match=r"run\.json: is damaged .* delete it"):
        fit_recipe(tiny_recipe, place, 0, tmp_path)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_empty_part_is_refused_before_training(tiny_recipe, place, tmp_path, part):
    some = list(range(3))
    parts = {"train": some, "validation": some, "test": some, part: []}
    with pytest.raises(SerEdgeError, match=f"its {part} part holds no utterance"):
        run_split(tiny_recipe, Split("mine", LABELS, **parts), "p", place, 0, tmp_path / "run")


def test_folder_that_cannot_be_made_is_refused_before_training(tiny_recipe, tone_corpora, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    place = Place(tone_corpora, FeatureCache(tmp_path / "cache"))
    with pytest.raises(SerEdgeError, match="cannot be made"):
        fit_recipe(tiny_recipe, place, 0, tmp_path / "file" / "run")
    assert not (tmp_path / "cache").exists()


def test_protocol_runs_every_split_and_resumes(tiny_recipe, tmp_path):
    write_tess(tmp_path / "TESS")
    recipe = replace(tiny_recipe, training=Training(steps=2, batch_size=4))
    folder = tmp_path / "runs"
    place = Place(tmp_path, FeatureCache(tmp_path / "cache"))
    arguments = (recipe, "tess-loso", PROTOCOLS["tess-loso"], place, 3, folder)
    figures = evaluate_recipe(*arguments)
    assert set(figures) == {"test-OAF", "test-YAF"}
    for name, split_figures in figures.items():
        run = stored(folder / name)
        assert run["figures"] == split_figures
        assert split_figures["utterances"] == 35
        assert run["speakers"]["test"] == [f"TESS-{name.removeprefix('test-')}"]
        assert run["protocol"].startswith("tess-loso: TESS, 7 classes")
    kept = (folder / "test-YAF" / "run.json").stat().st_mtime_ns
    (folder / "test-OAF" / "run.json").unlink()
    assert set(evaluate_recipe(*arguments)) == {"test-OAF", "test-YAF"}
    assert (folder / "test-YAF" / "run.json").stat().st_mtime_ns == kept
    assert stored(folder / "test-OAF")["seed"] == 3


@pytest.mark.parametrize(("most", "kept"), [(0, 2), (1, 1), (3, 2)])
def test_recipe_may_train_on_speakers_held_out_for_validation(tiny_recipe, tmp_path, most, kept):
    write_ravdess(tmp_path / "RAVDESS", range(1, 5))
    protocol = Protocol(
        ("RAVDESS",),
        "by hand",
        lambda utterances, seed: [
            by_speakers(utterances, ["RAVDESS-01", "RAVDESS-02"], ["RAVDESS-03"], RAVDESS_LABELS)
        ],
    )
    training = Training(steps=1, batch_size=4, validation_speakers=most)
    place = Place(tmp_path, FeatureCache(tmp_path / "cache"))
    folder = tmp_path / "runs"
    evaluate_recipe(replace(tiny_recipe, training=training), "x", protocol, place, 0, folder)
    run = stored(folder / "speakers")
    assert len(run["speakers"]["validation"]) == kept
    assert len(run["speakers"]["train"]) == 3 - kept
    assert run["speakers"]["test"] == ["RAVDESS-03"]
    told = "; of the validation speakers all but 1 of a corpus are trained on"
    assert run["protocol"] == "x: by hand" + (told if kept == 1 else "")


def test_protocol_over_corpora_merges_and_records_what_was_trained_on(tiny_recipe, tmp_path):
    """Whatever the recipe merges: the protocol decides."""
    sound = write_wav(tmp_path / "tone.wav", tone(0, 0)).read_bytes()
    write_tess(tmp_path / "TESS", words=("back", "bar"))
    write_ravdess(tmp_path / "RAVDESS", range(1, 4))
    names = {
        "EmoDB": [f"{who}a01{code}a.wav" for who in ("03", "08", "09") for code in "WLEAFTN"],
        "EMOVO": [f"{code}-{who}-b1.wav" for who in ("f1", "f2", "m1") for code in EMOVO_CODES],
        "CASIA": [f"201-{word}-{who}.wav" for who in ("a", "b", "c") for word in CASIA_WORDS],
        "ASED": [
            f"{code}-{text}-01-01-{who}.wav"
            for who in ("01", "02", "03")
            for text in ("01", "06")
            for code in ("n1", "f2", "h3", "s4", "a5")
        ],
    }
    for corpus, files in names.items():
        touch(tmp_path / corpus, *files)
        for name in files:
            (tmp_path / corpus / name).write_bytes(sound)
    merge = {"boredom": "neutral", "calm": "sad"}
    recipe = replace(tiny_recipe, merge=merge, training=Training(steps=1, batch_size=6))
    folder = tmp_path / "runs"
    place = Place(tmp_path, FeatureCache(tmp_path / "cache"))
    protocol = PROTOCOLS["cross-corpus"]
    figures = evaluate_recipe(recipe, "cross-corpus", protocol, place, 0, folder)
    counts = {name.removeprefix("test-"): part["utterances"] for name, part in figures.items()}
    assert counts == {"TESS": 28, "RAVDESS": 24, "EmoDB": 18, "EMOVO": 21, "CASIA": 18, "ASED": 15}
    run = stored(folder / "test-RAVDESS")
    assert run["recipe"]["corpora"] == ["TESS", "EmoDB", "EMOVO", "CASIA", "ASED"]
    neutral = run["labels"].index("neutral")
    assert sum(p["target"] == neutral for p in run["predictions"]) == 6  # calm among them
    assert stored(folder / "test-ASED")["labels"] == list(LABELS[:5])
