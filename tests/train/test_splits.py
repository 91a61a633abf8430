"""Splits: nobody stands on two sides."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.corpora import Utterance
from train.splits import PROTOCOLS, RAVDESS_LABELS, by_speakers, ravdess_5fold, tess_loso

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


@pytest.mark.parametrize(("split", "utterances"), [(ravdess_5fold, RAVDESS), (tess_loso, TESS)])
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


def test_every_protocol_says_what_it_is():
    assert set(PROTOCOLS) == {"ravdess-5fold", "tess-loso"}
    for protocol in PROTOCOLS.values():
        assert protocol.corpora[0] in protocol.description
        assert "classes" in protocol.description
