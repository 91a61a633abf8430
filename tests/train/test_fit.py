"""Fitting: learns, repeats itself, and looks at nothing but what it may."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.augment import Augmentation
from train.cache import FeatureCache
from train.corpora import Utterance, read_corpora
from train.dataset import ClipInputs, Clips, inputs_of, load_clips, one_hot
from train.figures import figures_of
from train.fit import FittedModel, fit
from train.material import labelled_material
from train.recipe import Recipe, Training
from train.splits import RAVDESS_LABELS, Split, by_speakers
from train.window_batches import WindowBatches

from .tones import RAVDESS_CODES, tone, write_wav


@pytest.fixture(scope="module")
def split(tone_corpora: Path) -> Split:
    utterances = read_corpora(tone_corpora, ["RAVDESS"])
    return by_speakers(utterances, ["RAVDESS-02"], ["RAVDESS-03"], RAVDESS_LABELS)


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    """The tiny recipe on the labels of RAVDESS, for one step."""
    return replace(tiny_recipe, merge={}, labels=RAVDESS_LABELS, training=Training(1, 4))


@pytest.fixture(scope="module")
def fitted(recipe: Recipe, split: Split, cache: FeatureCache) -> FittedModel:
    return fit(recipe, split, cache, 0)


def other_recordings(folder: Path, actor: str) -> list[Utterance]:
    """Recordings of an actor that sound like nobody else's."""
    return [
        Utterance(
            write_wav(folder / f"03-01-{code}-01-01-01-{actor}.wav", tone(9, n, level=0.9)),
            RAVDESS_LABELS[n],
            f"RAVDESS-{actor}",
            "01",
            "RAVDESS",
        )
        for n, code in enumerate(RAVDESS_CODES)
    ]


def judged(
    utterances: list[Utterance],
    split: Split,
    recipe: Recipe,
    cache: FeatureCache,
    fitted: FittedModel,
) -> dict:
    clips = load_clips(utterances, split.labels, recipe, cache)
    scores = ClipInputs(clips, recipe, fitted.metadata).scores(fitted.model)
    return figures_of(clips.targets, scores, split.labels)


def test_tones_are_learnt(recipe, split, cache):
    training = Training(steps=150, batch_size=24, learning_rate=2e-2, validation_interval=75)
    fitted = fit(replace(recipe, training=training), split, cache, 0)
    figures = judged(split.test, split, recipe, cache, fitted)
    assert [look["step"] for look in fitted.history] == [75, 150]
    assert fitted.history[-1]["loss"] < fitted.history[0]["loss"]
    assert figures["uar"] > 3 / 8  # chance is 1 / 8


def test_best_weights_on_validation_are_kept(recipe, split, cache):
    """What comes back has the best validation figure of the history, not the last one."""
    training = Training(steps=60, batch_size=16, learning_rate=5e-2, validation_interval=10)
    fitted = fit(replace(recipe, training=training), split, cache, 1)
    got = judged(split.validation, split, recipe, cache, fitted)["uar"]
    assert got == pytest.approx(max(look["validation_uar"] for look in fitted.history), abs=1e-3)


def test_seed_fixes_the_weights(recipe, split, cache):
    recipe = replace(recipe, training=Training(steps=5, batch_size=8, validation_interval=5))
    first, again, other = (fit(recipe, split, cache, seed) for seed in (7, 7, 8))
    for one, two in zip(first.model.get_weights(), again.model.get_weights()):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    assert first.history[0]["loss"] == pytest.approx(again.history[0]["loss"], rel=1e-5)
    assert any(
        not np.allclose(one, two, atol=1e-3)
        for one, two in zip(first.model.get_weights(), other.model.get_weights())
    )


def test_normaliser_sees_training_clips_only(recipe, split, cache, fitted, tmp_path):
    elsewhere = replace(
        split,
        validation=other_recordings(tmp_path / "validation", "02"),
        test=other_recordings(tmp_path / "test", "03"),
    )
    refitted = fit(recipe, elsewhere, cache, 0)
    assert refitted.metadata == fitted.metadata
    more = replace(split, train=split.train + other_recordings(tmp_path / "train", "05"))
    assert fit(recipe, more, cache, 0).metadata.feature_mean != fitted.metadata.feature_mean


def test_normaliser_standardises_the_training_windows(recipe, split, cache, fitted):
    train = load_clips(split.train, split.labels, recipe, cache)
    inputs = np.concatenate([inputs_of(c, recipe, fitted.metadata)[0] for c in train.frames])
    np.testing.assert_allclose(inputs.mean(axis=(0, 1)), 0.0, atol=1e-2)
    np.testing.assert_allclose(inputs.std(axis=(0, 1)), 1.0, atol=1e-2)


def test_batches_draw_corpora_and_classes_equally(recipe, fitted):
    """Two corpora of very different size, with classes of very different size."""
    shape = (40, recipe.features.n_mels)
    sizes = {("A", 0): 300, ("A", 1): 3, ("B", 2): 10, ("B", 3): 1}
    utterances, targets = [], []
    for (corpus, target), size in sizes.items():
        for _ in range(size):
            utterances.append(Utterance(Path("x.wav"), LABELS[target], "s", "t", corpus))
            targets.append(target)
    log_mel = [np.random.default_rng(0).normal(-20, 9, shape).astype(np.float32)] * len(targets)
    metadata = fitted.metadata
    many = replace(recipe, training=Training(steps=100, batch_size=16), augmentation=Augmentation())
    clips = Clips(utterances, log_mel, np.array(targets))
    hard = one_hot(clips.targets, len(metadata.labels))
    dataset = WindowBatches(labelled_material(clips, hard), many, metadata, 5, range(100))
    assert len(dataset) == 100
    batches = [dataset[index] for index in range(len(dataset))]
    for inputs, wanted in batches:
        assert inputs.shape == (16, *metadata.input_shape)
        assert wanted[:, :2].sum() == wanted[:, 2:4].sum() == 8
    shares = np.mean([wanted[:, :4].mean(axis=0) for _, wanted in batches], axis=0)
    np.testing.assert_allclose(shares, 0.25, atol=0.03)
    np.testing.assert_array_equal(dataset[3][0], batches[3][0])
    assert not np.array_equal(batches[3][0], batches[4][0])


def test_merged_and_unknown_emotions(recipe, split, cache):
    merged = load_clips(split.test, LABELS, replace(recipe, merge={"calm": "neutral"}), cache)
    assert np.bincount(merged.targets).tolist() == [4, 2, 2, 2, 2, 2, 2]
    left_out = load_clips(split.test, LABELS, recipe, cache)
    assert len(left_out.utterances) == 14
    assert "calm" not in {u.emotion for u in left_out.utterances}
    with pytest.raises(SerEdgeError, match="no utterance with a label of bored, tired"):
        load_clips(split.test, ("bored", "tired"), recipe, cache)
