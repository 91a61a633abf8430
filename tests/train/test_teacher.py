"""The teacher: judged on speakers that it never heard, stored with the run, and learnt from."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import ENTRY
from train.cache import FeatureCache
from train.cli import main
from train.corpora import Utterance, read_corpora
from train.dataset import load_clips
from train.evaluate import Place, fit_recipe, run_split
from train.lineage import known_speakers
from train.material import has_one_voice, labelled_material, other_utterances, training_material
from train.recipe import Distillation, Recipe, load_recipe
from train.splits.split import Split, by_named_speakers
from train.teacher import TEACHERS
from train.teacher.soft_targets import TEACHER_FILE, out_of_fold, soft_targets, without_speakers
from train.teacher.statistics import statistics
from train.teacher.whisper import WhisperEmbedding, encoder_input

from .tones import RATE, RAVDESS_CODES, RECIPE, tone, write_wav

TAUGHT = (
    RECIPE.replace('"TESS", "RAVDESS"', '"RAVDESS"').replace(', "TESS-YAF"', "")
    + '[distillation]\nteacher = "whisper-base"\nweight = 0.25\n'
)


def write_actors(folder: Path, actors: range) -> Path:
    """RAVDESS made of tones, at the rate that the teacher needs."""
    for actor in actors:
        for code in RAVDESS_CODES:
            sound = np.repeat(tone(RAVDESS_CODES.index(code), actor), 2)
            name = f"03-01-{code}-01-01-01-{actor:02d}.wav"
            write_wav(folder / "RAVDESS" / f"Actor_{actor:02d}" / name, sound, 2 * RATE)
    return folder


def with_tess(folder: Path) -> Path:
    """Eight words of a woman of TESS, at the rate that the teacher needs."""
    words = ("back", "bar", "base", "bath", "bean", "beg", "bite", "boat")
    for word, path in zip(words, sorted((folder / "RAVDESS" / "Actor_05").iterdir())):
        target = folder / "TESS" / "OAF_angry" / f"OAF_{word}_angry.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return folder


def with_repetitions(folder: Path) -> Path:
    """Every recording of RAVDESS a second time: of one voice alone a class needs two."""
    for path in (folder / "RAVDESS").rglob("*-01-01-01-??.wav"):
        again = path.with_name(path.name.replace("-01-01-01-", "-01-01-02-"))
        again.write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    folder = write_actors(tmp_path_factory.mktemp("corpora"), range(1, 6))
    return Place(folder, FeatureCache(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    path = tmp_path_factory.mktemp("recipe") / "taught.toml"
    path.write_text(TAUGHT, encoding="utf-8")
    return load_recipe(str(path))


@pytest.fixture(scope="module")
def run(tmp_path_factory, recipe: Recipe, place: Place) -> Path:
    """The folder of a run that learnt from the teacher."""
    folder = tmp_path_factory.mktemp("runs") / "taught-seed0"
    fit_recipe(recipe, place, 0, folder)
    return folder


def spoken(n_speakers: int, seed: int, spread: float = 0.5) -> tuple[np.ndarray, ...]:
    """Embeddings in which the class shows, targets and speakers."""
    rng = np.random.default_rng(seed)
    targets = np.tile(np.arange(3), 4 * n_speakers)
    speakers = np.repeat([f"s{n}" for n in range(n_speakers)], 12)
    embeddings = np.eye(3)[targets] + spread * rng.normal(size=(len(targets), 3))
    return embeddings.astype(np.float32), targets, speakers


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_probabilities_are_probabilities(n_speakers, seed):
    taught = out_of_fold(*spoken(n_speakers, seed), 4)
    assert taught.shape == (12 * n_speakers, 4)
    assert np.all(taught >= 0.0)
    np.testing.assert_allclose(taught.sum(axis=1), 1.0, atol=1e-5)
    assert np.all(taught[:, 3] == 0.0)


def test_no_speaker_is_judged_by_who_heard_them():
    """Every speaker's classes are turned about: whoever heard them would be right."""
    embeddings, targets, speakers = spoken(2, 0, spread=0.01)
    turned = np.where(speakers == "s0", targets, (targets + 1) % 3)
    guesses = out_of_fold(embeddings, turned, speakers, 3).argmax(axis=1)
    assert balanced_accuracy_score(turned, guesses) == 0.0


def test_a_speaker_alone_is_judged_by_other_utterances():
    embeddings, targets, speakers = spoken(1, 0, spread=0.2)
    guesses = out_of_fold(embeddings, targets, speakers, 3).argmax(axis=1)
    assert balanced_accuracy_score(targets, guesses) == 1.0


@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_what_a_voice_is_like_is_taken_away(n_speakers, seed):
    """Moved by any amount, a speaker of many recordings is told apart as before."""
    rng = np.random.default_rng(seed)
    utterances = [
        Utterance(Path(f"{speaker}-{number}.wav"), "happy", f"X-{speaker}", "", "X")
        for speaker in range(n_speakers)
        for number in range(400)
    ]
    embeddings = rng.normal(size=(len(utterances), 4)).astype(np.float32)
    voice = np.repeat(rng.normal(size=(n_speakers, 4)), 400, axis=0).astype(np.float32)
    plain, moved = (without_speakers(one, utterances) for one in (embeddings, embeddings + voice))
    np.testing.assert_allclose(moved, plain, atol=0.06)
    np.testing.assert_allclose(plain.mean(axis=0), 0.0, atol=1e-2)


def test_a_speaker_of_one_recording_leans_on_the_corpus():
    utterances = [
        Utterance(Path(f"{number}.wav"), "happy", "X-a" if number else "X-b", "", "X")
        for number in range(101)
    ]
    embeddings = np.zeros((101, 1), np.float32)
    embeddings[0] = 4.0
    left = without_speakers(embeddings, utterances)
    # A mean of its own alone would leave nothing of it.
    assert 2.9 < left[0, 0] < 3.0


@pytest.mark.parametrize("n_frames", [1, 2, 50])
def test_statistics_do_not_know_the_level(n_frames):
    rng = np.random.default_rng(n_frames)
    log_mel = rng.normal(-30.0, 8.0, (n_frames, 80)).astype(np.float32)
    quiet = np.full((20, 80), -100.0, np.float32)
    plain = statistics(log_mel)
    assert plain.shape == (322,)
    np.testing.assert_allclose(statistics(log_mel + 12.0), plain, atol=2e-3)
    around = np.concatenate([quiet, log_mel, quiet])
    np.testing.assert_allclose(statistics(around), plain, atol=2e-3)


@pytest.mark.parametrize("targets", [[0, 0, 1, 1], [0, 0, 0, 1]], ids=["two", "one"])
def test_too_little_to_teach_is_said(targets):
    speakers = np.array(["a", "a", "b", "b"] if targets == [0, 0, 1, 1] else ["a"] * 4)
    with pytest.raises(SerEdgeError, match=r"^teacher: .*; (name more speakers|add recordings)"):
        out_of_fold(np.eye(4, dtype=np.float32), np.array(targets), speakers, 2)


def test_run_stores_what_the_teacher_thought(run, recipe, place):
    with np.load(run / TEACHER_FILE) as stored:
        assert set(stored.files) == {"teacher", "utterances", "labels", "probabilities"}
        np.testing.assert_allclose(stored["probabilities"].sum(axis=1), 1.0, atol=0.01)
    described = json.loads((run / "run.json").read_text())
    assert described["recipe"]["distillation"]["teacher"] == "whisper-base"
    taught = "trained on what whisper-base makes of the recordings, too"
    assert taught in described["warnings"]


def test_stored_run_is_had_again_without_the_teacher(run, recipe, place, tmp_path, monkeypatch):
    again = tmp_path / "again"
    again.mkdir()
    (again / TEACHER_FILE).write_bytes((run / TEACHER_FILE).read_bytes())
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    fit_recipe(recipe, Place(place.corpora, FeatureCache(tmp_path / "cache")), 0, again)
    one, other = (json.loads((path / "run.json").read_text()) for path in (run, again))
    assert one["predictions"] == other["predictions"]
    assert one["history"] == other["history"]


def split_of(recipe: Recipe, place: Place) -> Split:
    return by_named_speakers(
        read_corpora(place.corpora, list(recipe.corpora)),
        recipe.validation_speakers,
        recipe.test_speakers,
        recipe.labels,
        recipe.merge,
    )


def test_targets_are_the_weighted_mean(run, recipe, place):
    split = split_of(recipe, place)
    train = load_clips(split.train, split.labels, recipe, place.cache)
    hard, soft, both = (
        training_material(
            train,
            replace(recipe, distillation=distillation),
            split,
            place.cache,
            run,
            place.corpora,
        ).targets
        for distillation in (None, Distillation("whisper-base", 1.0), recipe.distillation)
    )
    np.testing.assert_allclose(both, 0.25 * soft + 0.75 * hard, atol=1e-6)
    np.testing.assert_array_equal(hard.argmax(axis=1), train.targets)
    np.testing.assert_allclose(both.sum(axis=1), 1.0, atol=2e-3)


def test_unlabelled_corpora_are_a_share_of_every_batch(recipe, place, tmp_path):
    """TESS is unlabelled here; RAVDESS, which the split knows, is left out of them."""
    folder = with_tess(write_actors(tmp_path, range(1, 6)))
    split = split_of(recipe, Place(folder, place.cache))
    train = load_clips(split.train, split.labels, recipe, place.cache)
    distillation = Distillation("whisper-base", 0.5, ("RAVDESS", "TESS"), 0.25)
    taught = replace(recipe, distillation=distillation)
    material = training_material(train, taught, split, place.cache, tmp_path / "run", folder)
    assert set(material.others) == {"TESS"}
    assert len(material.targets) == len(material.packed.length) == len(train.targets) + 8
    np.testing.assert_allclose(material.targets.sum(axis=1), 1.0, atol=2e-3)
    rng = np.random.default_rng(0)
    drawn = [material.draw(16, rng) for _ in range(50)]
    assert all(np.count_nonzero(batch >= len(train.targets)) == 4 for batch in drawn)
    assert set(np.concatenate(drawn)) == set(range(len(material.targets)))
    with np.load(tmp_path / "run" / TEACHER_FILE) as stored:
        assert sum(name.startswith("TESS/") for name in stored["utterances"]) == 8
    alone = labelled_material(train, material.targets)
    assert np.all(alone.draw(64, rng) < len(train.targets))


def test_beside_one_voice_others_are_trained_on_by_their_labels(recipe, place, tmp_path):
    """A teacher of one voice is not asked about others, nor anything taken that has no label."""
    folder = with_repetitions(with_tess(write_actors(tmp_path, range(1, 6))))
    tess = folder / "TESS" / "OAF_angry"
    (tess / "OAF_back_angry.wav").rename(tess / "OAF_back_sad.wav")
    (tess / "OAF_bar_angry.wav").rename(tess / "OAF_bar_disgust.wav")
    distillation = Distillation("whisper-base", 0.5, ("RAVDESS", "TESS"), 0.25)
    taught = replace(recipe, distillation=distillation)
    split = split_of(recipe, Place(folder, place.cache))
    labels = tuple(label for label in split.labels if label != "disgust")
    one = [u for u in split.train if u.speaker == split.train[0].speaker]
    alone = replace(split, train=one, labels=labels)
    assert has_one_voice(alone)
    assert not has_one_voice(split)
    beside = {u.emotion for u in other_utterances(taught, split, folder)}
    assert beside == {"angry", "sad", "disgust"}
    assert {u.emotion for u in other_utterances(taught, alone, folder)} == {"angry", "sad"}
    train = load_clips(alone.train, labels, recipe, place.cache)
    material = training_material(train, taught, alone, place.cache, tmp_path / "run", folder)
    others = other_utterances(taught, alone, folder)
    np.testing.assert_array_equal(
        material.targets[len(train.targets) :],
        np.eye(len(labels))[[labels.index(u.emotion) for u in others]],
    )
    with np.load(tmp_path / "run" / TEACHER_FILE) as stored:
        assert {name.partition("/")[0] for name in stored["utterances"]} == {"RAVDESS"}


def test_nobody_who_is_judged_is_heard_without_labels(recipe, place, tmp_path):
    """The actors of RAVDESS sing in another corpus, which the split does not know."""
    for actor in range(1, 6):
        song = tmp_path / "RAVDESS-song" / f"03-02-03-01-01-01-{actor:02d}.wav"
        write_wav(song, tone(2, actor), RATE)
    split = split_of(recipe, place)
    distillation = Distillation("whisper-base", 0.5, ("RAVDESS-song",), 0.25)
    taught = replace(recipe, distillation=distillation)
    heard = {u.speaker for u in other_utterances(taught, split, tmp_path)}
    assert heard == {utterance.speaker for utterance in split.train}
    assert not heard & {u.speaker for u in (*split.validation, *split.test)}


def test_a_corpus_that_an_ablation_judges_on_is_not_heard_without_labels(place, tmp_path):
    folder = with_tess(write_actors(tmp_path / "corpora", range(1, 6)))
    recipe = tmp_path / "taught.toml"
    recipe.write_text(f'{TAUGHT}unlabelled = ["TESS", "RAVDESS"]\n', encoding="utf-8")
    variants = tmp_path / "variants.toml"
    variants.write_text(
        f'recipe = "{recipe}"\njudge = "test"\n[[on]]\nprotocol = "cross-corpus"\n'
        'data = ["RAVDESS"]\ntest_on = ["TESS"]\n',
        encoding="utf-8",
    )
    # TESS has one emotion here, and a split needs two.
    word = folder / "TESS" / "OAF_angry" / "OAF_back_angry.wav"
    word.rename(word.with_name("OAF_back_sad.wav"))
    out = tmp_path / "runs"
    assert main(["ablate", str(variants), "--corpora", str(folder), "--out", str(out)]) == 0
    (path,) = out.rglob(TEACHER_FILE)
    with np.load(path) as stored:
        assert {name.partition("/")[0] for name in stored["utterances"]} == {"RAVDESS"}


def test_voices_heard_without_labels_are_known(recipe, place, tmp_path):
    folder = with_tess(write_actors(tmp_path, range(1, 6)))
    distillation = Distillation("whisper-base", 0.5, ("TESS",), 0.25)
    taught = replace(recipe, distillation=distillation)
    fit_recipe(taught, Place(folder, place.cache), 0, tmp_path / "run")
    provenance = json.loads((tmp_path / "run" / ENTRY).read_text(encoding="utf-8"))["provenance"]
    assert provenance["unlabelled_speakers"] == ["TESS-OAF"]
    assert {"TESS-OAF", "RAVDESS-01"} <= known_speakers(provenance)
    assert not known_speakers(provenance) & set(provenance["speakers"]["test"])
    (warning,) = json.loads((tmp_path / "run" / "run.json").read_text())["warnings"]
    assert warning.endswith(", and on recordings of TESS as it hears them")


def test_voices_beside_the_only_one_are_known(recipe, place, tmp_path):
    folder = with_repetitions(with_tess(write_actors(tmp_path, range(1, 6))))
    alone = replace(
        recipe,
        corpora=("TESS", "RAVDESS"),
        validation_speakers=("RAVDESS-02",),
        test_speakers=("RAVDESS-03",),
        distillation=Distillation("whisper-base", 0.5, ("TESS",)),
    )
    place = Place(folder, place.cache)
    split = split_of(replace(alone, corpora=("RAVDESS",)), place)
    alone_split = replace(split, train=[u for u in split.train if u.speaker == "RAVDESS-01"])
    run_split(alone, alone_split, "one voice", place, 0, tmp_path / "run")
    provenance = json.loads((tmp_path / "run" / ENTRY).read_text(encoding="utf-8"))["provenance"]
    assert provenance["other_speakers"] == ["TESS-OAF"]
    assert known_speakers(provenance) == {"TESS-OAF", "RAVDESS-01", "RAVDESS-02"}
    warnings = json.loads((tmp_path / "run" / "run.json").read_text())["warnings"]
    assert any(one.endswith(", and on recordings of TESS by their labels") for one in warnings)


def test_copies_of_a_recording_teach_nothing_of_it(place, tmp_path):
    """A recording is taught what it would be without them, and each of them the same."""
    write_actors(tmp_path, range(1, 4))
    given = read_corpora(tmp_path, ["RAVDESS"])
    emotions = sorted({u.emotion for u in given})
    targets = np.array([emotions.index(u.emotion) for u in given])
    plain, copied = (
        soft_targets(
            "whisper-base",
            times * given,
            np.tile(targets, times),
            [],
            tuple(emotions),
            place.cache,
            tmp_path / str(times),
        )
        for times in (1, 3)
    )
    np.testing.assert_array_equal(copied, np.tile(plain, (3, 1)))
    # As it is kept, too.
    stored = soft_targets(
        "whisper-base",
        3 * given,
        np.tile(targets, 3),
        [],
        tuple(emotions),
        place.cache,
        tmp_path / "3",
    )
    np.testing.assert_array_equal(stored, copied)


@pytest.mark.parametrize("damage", ["garbage", "zip", "lacks", "more", "labels", "teacher"])
def test_stored_probabilities_of_something_else_are_refused(run, place, tmp_path, damage):
    path = tmp_path / TEACHER_FILE
    labels = ("neutral", "happy")
    if damage in ("garbage", "zip"):
        path.write_bytes(b"garbage" if damage == "garbage" else b"PK\x03\x04 cut off")
    else:
        known = ("happy", "sad") if damage == "labels" else labels
        utterances = ["other/one"] if damage == "lacks" else ["RAVDESS/03-01-01-01-01-01-01"]
        utterances += ["RAVDESS/03-01-01-01-01-01-24"] * (damage == "more")
        rows = np.ones((len(utterances), 2)) / 2
        other = {"teacher": "whisper-base-by-speaker"} if damage == "teacher" else {}
        np.savez(path, utterances=utterances, labels=known, probabilities=rows, **other)
    write_actors(tmp_path, range(1, 2))
    given = [u for u in read_corpora(tmp_path, ["RAVDESS"]) if u.name == "03-01-01-01-01-01-01"]
    with pytest.raises(SerEdgeError, match=rf"^{path}: .*; delete it$"):
        soft_targets("whisper-base", given, np.array([0]), [], labels, place.cache, tmp_path)


def test_missing_teacher_is_one_line_that_says_what_to_install(place, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    write_actors(tmp_path, range(1, 3))
    given = read_corpora(tmp_path, ["RAVDESS"])
    with pytest.raises(SerEdgeError, match=r"ctranslate2 is not installed; pip install 'ser-edge"):
        soft_targets(
            "whisper-base", given, np.zeros(len(given), int), [], ("a", "b"), place.cache, None
        )


@pytest.mark.parametrize("n_samples", [1, 160, 399, 16_000, 31 * 16_000], ids=str)
def test_encoder_input_is_the_recognisers(n_samples):
    """The published front end, with librosa in place of its own transform."""
    audio = np.random.default_rng(0).normal(0, 0.1, n_samples).astype(np.float32)
    spectrum = encoder_input(audio)
    assert spectrum.shape[0] == 80
    assert spectrum.shape[1] % 2 == 0
    assert 2 <= spectrum.shape[1] <= 3000
    if n_samples < 16_000:
        return
    power = librosa.feature.melspectrogram(
        y=audio, sr=16_000, n_fft=400, hop_length=160, n_mels=80, pad_mode="reflect"
    )
    bels = np.log10(np.maximum(power, 1e-10))[:, : spectrum.shape[1]]
    known = (np.maximum(bels, bels.max() - 8.0) + 4.0) / 4.0
    assert spectrum.shape[1] == min(n_samples // 160, 3000)
    np.testing.assert_allclose(spectrum, known, atol=2e-3)


@pytest.mark.parametrize("name", TEACHERS)
def test_teacher_knows_emotion_of_strangers(name, real_corpora, tmp_path):
    """Far above chance (0.125) on real speech, of speakers that the teacher never heard."""
    actors = {f"RAVDESS-{number:02d}" for number in (1, 2)}
    utterances = [u for u in read_corpora(real_corpora, ["RAVDESS"]) if u.speaker in actors]
    labels = tuple(sorted({u.emotion for u in utterances}))
    targets = np.array([labels.index(u.emotion) for u in utterances])
    cache = FeatureCache(tmp_path)
    assert cache.load([utterances[0].path], WhisperEmbedding())[0].shape == (1, 1024)
    taught = soft_targets(name, utterances, targets, [], labels, cache, None)
    assert balanced_accuracy_score(targets, taught.argmax(axis=1)) > 0.25
