"""Splits: nobody stands on two sides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.corpora import Utterance, read_corpora
from train.splits import (
    EMODB_LABELS,
    PROTOCOLS,
    RAVDESS_LABELS,
    by_speakers,
    cross_corpus,
    emodb_loso,
    ravdess_5fold,
    tess_loso,
    tess_random,
    with_fewer_for_validation,
)

PUBLISHED_FOLDS = [
    {2, 5, 14, 15, 16},
    {3, 6, 7, 13, 18},
    {10, 11, 12, 19, 20},
    {8, 17, 21, 23, 24},
    {1, 4, 9, 22},
]
SEEDS = st.integers(0, 2**32 - 1)

RAVDESS = [
    Utterance(
        Path(f"03-01-0{n}-01-{text}-01-{actor:02d}.wav"),
        emotion,
        f"RAVDESS-{actor:02d}",
        text,
        "RAVDESS",
    )
    for actor in range(1, 25)
    for n, emotion in enumerate(RAVDESS_LABELS, start=1)
    for text in ("01", "02")
]
TESS = [
    Utterance(Path(f"{who}_{word}_{emotion}.wav"), emotion, f"TESS-{who}", word, "TESS")
    for who in ("OAF", "YAF")
    for word in (f"word{number}" for number in range(200))
    for emotion in LABELS
]

EMODB_WOMEN, EMODB_MEN = {"08", "09", "13", "14", "16"}, {"03", "10", "11", "12", "15"}


def made_up(corpus: str, names: list[str], emotions: tuple[str, ...], texts: int = 2):
    """Every speaker says every text in every emotion."""
    return [
        Utterance(
            Path(f"{name}-{text:02d}-{emotion}.wav"),
            emotion,
            f"{corpus}-{name}",
            f"{text:02d}",
            corpus,
        )
        for name in names
        for text in range(1, texts + 1)
        for emotion in emotions
    ]


EMODB = made_up("EmoDB", sorted(EMODB_WOMEN | EMODB_MEN), EMODB_LABELS)
SIX = [
    *TESS,
    *RAVDESS,
    *EMODB,
    *made_up("EMOVO", ["f1", "f2", "f3", "m1", "m2", "m3"], LABELS),
    *made_up("CASIA", ["anna", "ben", "carl", "dora"], (*LABELS[:5], "surprise")),
    *made_up("ASED", [f"{number:02d}" for number in range(1, 66)], LABELS[:5], texts=7),
]


def speakers(utterances) -> set[str]:
    return {u.speaker for u in utterances}


def actors(utterances) -> set[int]:
    return {int(speaker.removeprefix("RAVDESS-")) for speaker in speakers(utterances)}


@given(SEEDS)
def test_ravdess_folds_are_the_published_and_share_no_actor(seed):
    splits = ravdess_5fold(RAVDESS, seed)
    assert [actors(split.test) for split in splits] == PUBLISHED_FOLDS
    for split in splits:
        train, validation, test = map(actors, (split.train, split.validation, split.test))
        assert not train & validation
        assert not (train | validation) & test
        assert train | validation | test == set(range(1, 25))
        # Two women (even) and two men of those who are not tested.
        assert sorted(actor % 2 for actor in validation) == [0, 0, 1, 1]
        assert len(split.train) + len(split.validation) + len(split.test) == len(RAVDESS)
        assert split.labels == RAVDESS_LABELS


def test_every_ravdess_actor_is_tested_once():
    tested = [actor for split in ravdess_5fold(RAVDESS, 0) for actor in sorted(actors(split.test))]
    assert sorted(tested) == list(range(1, 25))


@given(SEEDS)
def test_tess_loso_tests_the_other_woman_and_holds_out_words(seed):
    splits = tess_loso(TESS, seed)
    assert [split.name for split in splits] == ["test-OAF", "test-YAF"]
    for split in splits:
        assert len(split.test) == 1400
        assert speakers(split.test) == {f"TESS-{split.name.removeprefix('test-')}"}
        known = speakers(split.train) | speakers(split.validation)
        assert len(known) == 1
        assert not known & speakers(split.test)
        assert not {u.text for u in split.train} & {u.text for u in split.validation}
        assert len({u.text for u in split.validation}) == 40
        assert len(split.train) + len(split.validation) == 1400


@given(SEEDS)
def test_emodb_folds_hold_out_a_woman_and_a_man(seed):
    splits = emodb_loso(EMODB, seed)
    everyone = EMODB_WOMEN | EMODB_MEN
    assert [split.name for split in splits] == [f"test-{number}" for number in sorted(everyone)]
    for split in splits:
        train, validation, test = (
            {speaker.removeprefix("EmoDB-") for speaker in speakers(part)}
            for part in (split.train, split.validation, split.test)
        )
        assert test == {split.name.removeprefix("test-")}
        assert len(validation & EMODB_WOMEN) == len(validation & EMODB_MEN) == 1
        assert not validation & test
        assert train == everyone - validation - test
        assert len(split.train) + len(split.validation) + len(split.test) == len(EMODB)
        assert split.labels == EMODB_LABELS


@given(SEEDS)
def test_tess_random_draws_the_same_share_of_every_emotion(seed):
    [split] = tess_random(TESS, seed)
    for part, each in ((split.train, 256), (split.validation, 64), (split.test, 80)):
        assert Counter(u.emotion for u in part) == dict.fromkeys(LABELS, each)
        assert len(speakers(part)) == 2
    paths = [u.path for part in (split.train, split.validation, split.test) for u in part]
    assert len(set(paths)) == len(paths) == len(TESS)


@settings(max_examples=20)
@given(SEEDS)
def test_cross_corpus_shares_no_speaker_and_no_corpus_with_the_test(seed):
    splits = cross_corpus(SIX, seed)
    corpora = PROTOCOLS["cross-corpus"].corpora
    assert [split.name for split in splits] == [f"test-{corpus}" for corpus in corpora]
    for split in splits:
        tested = split.name.removeprefix("test-")
        train, validation, test = map(speakers, (split.train, split.validation, split.test))
        assert not train & validation
        assert not (train | validation) & test
        assert {u.corpus for u in split.test} == {tested}
        assert {u.corpus for u in split.train} == set(corpora) - {tested}
        held_out = Counter(speaker.split("-")[0] for speaker in validation)
        wanted = {"RAVDESS": 2, "EmoDB": 2, "EMOVO": 2, "CASIA": 1, "ASED": 2, tested: 0}
        assert held_out == Counter(wanted)


def test_cross_corpus_labels_are_those_of_the_tested_corpus():
    splits = {split.name.removeprefix("test-"): split for split in cross_corpus(SIX, 0)}
    six = tuple(label for label in LABELS if label != "surprise")
    assert splits["TESS"].labels == splits["RAVDESS"].labels == splits["EMOVO"].labels == LABELS
    assert splits["EmoDB"].labels == six
    assert splits["CASIA"].labels == (*LABELS[:5], "surprise")
    assert splits["ASED"].labels == LABELS[:5]
    for split in splits.values():
        for part in (split.train, split.validation, split.test):
            emotions = {"neutral" if u.emotion == "calm" else u.emotion for u in part}
            assert emotions == set(split.labels)
    assert "calm" in {u.emotion for u in splits["RAVDESS"].test}
    assert PROTOCOLS["cross-corpus"].merge == {"calm": "neutral"}


def test_cross_corpus_selects_and_judges_on_sentences_that_all_emotions_of_ased_share():
    for split in cross_corpus(SIX, 0):
        texts = {
            part: {u.text for u in getattr(split, part) if u.corpus == "ASED"}
            for part in ("train", "validation", "test")
        }
        judged = {"06", "07"}
        if split.name == "test-ASED":
            assert texts == {"train": set(), "validation": set(), "test": judged}
        else:
            every = {f"{number:02d}" for number in range(1, 8)}
            assert texts == {"train": every, "validation": judged, "test": set()}


@pytest.mark.parametrize(
    ("split", "utterances"),
    [
        (ravdess_5fold, RAVDESS),
        (tess_loso, TESS),
        (emodb_loso, EMODB),
        (tess_random, TESS),
        (cross_corpus, SIX),
    ],
)
def test_seed_fixes_the_split_and_matters(split, utterances):
    assert split(utterances, 3) == split(utterances, 3)
    assert split(utterances, 3) != split(utterances, 4)


@given(st.sets(st.integers(1, 24), max_size=12), st.sets(st.integers(1, 24), max_size=12))
def test_named_speakers_are_where_they_were_named(validation, test):
    names = [[f"RAVDESS-{actor:02d}" for actor in part] for part in (validation, test)]
    if validation & test:
        with pytest.raises(SerEdgeError, match="both validation and test"):
            by_speakers(RAVDESS, *names, RAVDESS_LABELS)
        return
    split = by_speakers(RAVDESS, *names, RAVDESS_LABELS)
    assert actors(split.validation) == validation
    assert actors(split.test) == test
    assert actors(split.train) == set(range(1, 25)) - validation - test


@pytest.mark.parametrize("where", [0, 1])
def test_named_speaker_missing(where):
    named = [["RAVDESS-01"], ["RAVDESS-02"]]
    named[where] = ["RAVDESS-25"]
    with pytest.raises(SerEdgeError, match="no utterance of speaker 'RAVDESS-25'"):
        by_speakers(RAVDESS, *named, RAVDESS_LABELS)


def test_protocol_on_part_of_a_corpus_names_who_is_missing():
    with pytest.raises(SerEdgeError, match="no utterance of speaker 'RAVDESS-24'"):
        ravdess_5fold([u for u in RAVDESS if u.speaker != "RAVDESS-24"], 0)
    for missing in ("TESS-OAF", "TESS-YAF"):
        with pytest.raises(SerEdgeError, match=f"no utterance of speaker '{missing}'"):
            tess_loso([u for u in TESS if u.speaker != missing], 0)


def test_emodb_and_cross_corpus_name_what_is_missing():
    with pytest.raises(SerEdgeError, match="no utterance of speaker 'EmoDB-16'"):
        emodb_loso([u for u in EMODB if u.speaker != "EmoDB-16"], 0)
    with pytest.raises(SerEdgeError, match="no utterance of speaker 'TESS-YAF'"):
        tess_random([u for u in TESS if u.speaker != "TESS-YAF"], 0)
    with pytest.raises(SerEdgeError, match="no utterance of corpus CASIA"):
        cross_corpus([u for u in SIX if u.corpus != "CASIA"], 0)


def test_every_protocol_says_what_it_is():
    assert list(PROTOCOLS) == [
        "ravdess-5fold",
        "tess-loso",
        "emodb-loso",
        "tess-random",
        "cross-corpus",
    ]
    for protocol in PROTOCOLS.values():
        assert all(corpus in protocol.description for corpus in protocol.corpora)
        assert "classes" in protocol.description
        assert "validation on" in protocol.description
    shared = [name for name, p in PROTOCOLS.items() if "both speakers are on both" in p.description]
    assert shared == ["tess-random"]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("emodb-loso", [49, 58, 43, 38, 55, 35, 61, 69, 56, 71]),
        ("tess-random", [560]),
        ("cross-corpus", [2800, 1440, 454, 588, 1200, 740]),
    ],
)
def test_real_protocol(real_corpora, name, sizes):
    protocol = PROTOCOLS[name]
    missing = [corpus for corpus in protocol.corpora if not (real_corpora / corpus).is_dir()]
    if missing:
        pytest.skip(f"no {', '.join(missing)} in SER_EDGE_CORPORA")
    splits = protocol.split(read_corpora(real_corpora, list(protocol.corpora)), 0)
    assert [len(split.test) for split in splits] == sizes
    for split in splits:
        # Speaker 08 of EmoDB has no disgust.
        assert {protocol.merge.get(u.emotion, u.emotion) for u in split.test} <= set(split.labels)
        if name != "tess-random":
            assert not speakers(split.train) & speakers(split.validation)
            assert not speakers(split.train + split.validation) & speakers(split.test)


@given(seed=SEEDS, most=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_with_fewer_for_validation_the_others_are_trained_on(seed, most):
    for split in ravdess_5fold(RAVDESS, seed):
        fewer = with_fewer_for_validation(split, most, seed)
        assert len({u.speaker for u in fewer.validation}) == min(most, 4)
        assert not {u.speaker for u in fewer.validation} & {u.speaker for u in fewer.train}
        assert fewer.test == split.test
        known = [*split.train, *split.validation]
        assert sorted(map(str, known)) == sorted(map(str, [*fewer.train, *fewer.validation]))
        assert with_fewer_for_validation(split, most, seed) == fewer


def test_with_fewer_for_validation_0_keeps_all():
    [split, *_] = ravdess_5fold(RAVDESS, 0)
    assert with_fewer_for_validation(split, 0, 0) is split
