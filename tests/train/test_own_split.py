"""The split by named speakers that a recipe describes: its classes, and what is judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.cache import FeatureCache
from train.evaluate import Place, own_split

from .tones import touch

ASED = [
    f"{code}-{text:02d}-01-01-{who}.wav"
    for who in ("01", "02", "03", "04")
    for text in range(1, 8)
    for code in ("n1", "f2", "h3", "s4", "a5")
]


@pytest.fixture
def on_ased(tmp_path, tiny_recipe):
    """A recipe on ASED and where its recordings are."""
    touch(tmp_path / "ASED", *ASED)
    recipe = replace(
        tiny_recipe,
        corpora=("ASED",),
        labels=LABELS[:5],
        validation_speakers=("ASED-02",),
        test_speakers=("ASED-03",),
    )
    return recipe, Place(tmp_path, FeatureCache(tmp_path / "cache"))


def test_no_labels_stand_for_all_that_occur(tiny_recipe, place):
    for merge, labels in (({}, (*LABELS, "calm")), ({"calm": "neutral"}, LABELS)):
        recipe, split, sentence = own_split(replace(tiny_recipe, labels=(), merge=merge), place, 0)
        assert recipe.labels == split.labels == labels
        assert f"{len(labels)} classes" in sentence


def test_other_emotions_are_left_out(tiny_recipe, place):
    _, split, _ = own_split(replace(tiny_recipe, labels=("sad", "happy")), place, 0)
    for part in (split.train, split.validation, split.test):
        assert {utterance.emotion for utterance in part} == {"sad", "happy"}


def test_sentences_that_give_the_emotion_away_are_not_judged(on_ased):
    _, split, sentence = own_split(*on_ased, 0)
    assert {u.text for u in split.validation} == {u.text for u in split.test} == {"06", "07"}
    assert {u.text for u in split.train} == {f"{text:02d}" for text in range(1, 8)}
    assert {u.speaker for u in split.train} == {"ASED-01", "ASED-04"}
    assert "ASED judged on the sentences 06 and 07" in sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ("sad", "sadd")}, r"too few utterances: 0 of sadd; .* leave the label out"),
        ({"labels": LABELS}, r"0 of disgust, 0 of surprise"),
        ({"labels": ("sad",)}, "only the label sad occurs; a model needs at least 2"),
        ({"labels": (), "merge": dict.fromkeys(LABELS[:5], "speech")}, "only the label speech"),
        ({"labels": ("sad", "sad")}, "labels: one is given twice"),
        (
            {"test_speakers": ("ASED-01", "ASED-03", "ASED-04")},
            r"too few utterances to train on: 0 of neutral",
        ),
        ({"test_speakers": ("ASED-09",)}, "no utterance of speaker 'ASED-09'"),
        ({"test_speakers": ("ASED-02",)}, "both validation and test"),
    ],
    ids=str,
)
def test_what_cannot_be_learnt_is_refused(on_ased, changes, said):
    recipe, place = on_ased
    with pytest.raises(SerEdgeError, match=said) as caught:
        own_split(replace(recipe, **changes), place, 0)
    assert "\n" not in str(caught.value)
