"""Protocols for anyone's corpora: parts that fit together, and words for what they do not tell."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.corpora import Utterance, read_corpora
from train.splits import (
    NAMES,
    PROTOCOLS,
    Split,
    automatic,
    cross_corpus,
    cross_corpus_protocol,
    leave_one_corpus_out,
    protocol_of,
    random_protocol,
    speaker_protocol,
    speakers_on_both_sides,
    tess_random,
    warnings_of,
)

SEEDS = st.integers(0, 2**32 - 1)
FOUR = LABELS[:4]
MINE = "folder:mine"


def said(corpus: str, speaker: str, emotion: str, number: int = 1, text: str = "") -> Utterance:
    """One utterance; without a speaker nobody knows whose."""
    name = f"{corpus}-{speaker}" if speaker else corpus
    key = f"{emotion}/{speaker}/{number}"
    return Utterance(Path(f"{key}.wav"), emotion, name, text or f"{number:02d}", corpus, key)


def corpus_of(corpus: str, speakers: list[str], emotions=FOUR, each: int = 5) -> list[Utterance]:
    """Every speaker says every emotion as often."""
    return [
        said(corpus, speaker, emotion, number)
        for speaker in speakers
        for emotion in emotions
        for number in range(1, each + 1)
    ]


TESS = [
    Utterance(Path(f"{who}_{n}_{emotion}.wav"), emotion, f"TESS-{who}", f"{n}", "TESS")
    for who in ("OAF", "YAF")
    for n in range(200)
    for emotion in LABELS
]
SIX_VOICES = corpus_of("table:six.csv", ["a", "b", "c", "d", "e", "f"])
UNKNOWN = corpus_of(MINE, [""], each=20)
ASED = [
    said("ASED", f"{speaker:02d}", emotion, text, f"{text:02d}")
    for speaker in range(1, 11)
    for emotion in LABELS[:5]
    for text in range(1, 8)
]


@st.composite
def recordings(draw, least_speakers: int = 1, most_speakers: int = 7) -> list[Utterance]:
    """Someone's recordings: known speakers, each with a mix of emotions of their own."""
    n_speakers = draw(st.integers(least_speakers, most_speakers))
    emotions = draw(st.sampled_from([LABELS[:2], FOUR, ("happy", "relief", "awe")]))
    counts = st.lists(st.integers(0, 9), min_size=len(emotions), max_size=len(emotions))
    found = [
        said(MINE, f"s{speaker}", emotion, number)
        for speaker in range(n_speakers)
        for emotion, count in zip(emotions, draw(counts))
        for number in range(count)
    ]
    count = Counter(u.emotion for u in found)
    assume(all(count[emotion] >= 5 for emotion in emotions))
    assume(len(speakers(found)) >= least_speakers)
    return found


def speakers(utterances) -> set[str]:
    return {u.speaker for u in utterances}


def parts(split: Split) -> list[list[Utterance]]:
    return [split.train, split.validation, split.test]


def assert_whole(split: Split, utterances: list[Utterance]) -> None:
    """Every utterance is in one part, and no part is empty."""
    assert Counter(u for part in parts(split) for u in part) == Counter(utterances)
    assert all(parts(split))


def same(one: list[Split], other: list[Split]) -> bool:
    return [(s.name, s.labels, *parts(s)) for s in one] == [
        (s.name, s.labels, *parts(s)) for s in other
    ]


# At random


@given(recordings(), SEEDS, st.sampled_from([(0.2, 0.2, "rest"), (0.15, 0.15, "all")]))
def test_random_split_is_whole_and_keeps_the_share_of_every_class(utterances, seed, shares):
    test_share, validation_share, of = shares
    protocol = random_protocol([MINE], None, test_share, validation_share, of)
    [split] = protocol.split(utterances, seed)
    assert_whole(split, utterances)
    every = Counter(u.emotion for u in utterances)
    test, validation = (Counter(u.emotion for u in part) for part in (split.test, split.validation))
    for emotion, count in every.items():
        assert abs(test[emotion] - test_share * count) <= 0.5
        rest = count - test[emotion]
        wanted = validation_share * (count if of == "all" else rest)
        # Of all: the test's rounding adds to its own.
        assert abs(validation[emotion] - wanted) <= (0.6 if of == "all" else 0.5)
    assert same([split], protocol.split(utterances, seed))


def test_seventy_fifteen_fifteen_of_tess_is_exact():
    protocol = random_protocol(["TESS"], None, 0.15, 0.15, "all")
    [split] = protocol.split(TESS, 0)
    for part, each in zip(parts(split), (280, 60, 60)):
        assert Counter(u.emotion for u in part) == dict.fromkeys(LABELS, each)
    assert "70/15/15" in protocol.description


def test_the_default_is_what_is_usual_for_tess():
    protocol = random_protocol(["TESS"])
    assert same(protocol.split(TESS, 3), tess_random(TESS, 3))
    assert "64/16/20" in protocol.description
    assert not same(protocol.split(TESS, 3), protocol.split(TESS, 4))


def test_random_says_that_speakers_are_on_both_sides_when_they_are():
    protocol = random_protocol(["TESS"])
    described = protocol.described(protocol.split(TESS, 0))
    assert described.startswith("TESS, stratified random")
    assert "7 classes: neutral, happy, sad" in described
    assert "The same 2 speakers (TESS-OAF, TESS-YAF) are in training and in test" in described
    apart = [said(MINE, f"s{n}", emotion) for emotion in FOUR for n in range(emotion == "sad", 9)]
    once = [
        Utterance(u.path, u.emotion, f"{u.speaker}-{u.emotion}", u.text, u.corpus) for u in apart
    ]
    protocol = random_protocol([MINE])
    assert "speakers" not in protocol.described(protocol.split(once, 0))


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.0, 0.2, "rest"), "test share: must be above 0"),
        ((0.2, 1.0, "rest"), "validation share: must be above 0 and below 1"),
        ((0.5, 0.5, "all"), "leave nothing to train on"),
        ((0.2, 0.2, "half"), "'rest' or 'all'"),
    ],
)
def test_random_refuses_shares_without_sense(shares, message):
    with pytest.raises(SerEdgeError, match=message):
        random_protocol(["TESS"], None, *shares)


def test_a_share_too_small_for_any_test_says_so():
    protocol = random_protocol([MINE], test_share=0.01)
    with pytest.raises(SerEdgeError, match="none is left for its test part"):
        protocol.split(UNKNOWN, 0)


# Labels


def test_labels_are_the_emotions_that_occur_the_project_s_own_first():
    found = corpus_of(MINE, ["a", "b"], ("relief", "angry", "calm", "neutral"))
    [split] = random_protocol([MINE]).split(found, 0)
    assert split.labels == ("neutral", "angry", "calm", "relief")
    [split] = random_protocol([MINE], merge={"calm": "neutral"}).split(found, 0)
    assert split.labels == ("neutral", "angry", "relief")
    assert "calm as neutral" in random_protocol([MINE], merge={"calm": "neutral"}).description
    assert_whole(split, found)
    # One calm in five, of every class as it counts.
    assert Counter(u.emotion in ("calm", "neutral") for u in split.test)[True] == 4


def test_labels_that_are_given_are_taken_and_the_others_left_out():
    found = corpus_of(MINE, ["a", "b"], ("calm", "neutral", "sad", "happy"))
    protocol = random_protocol([MINE], ["sad", "calm"], merge={"calm": "neutral"})
    [split] = protocol.split(found, 0)
    assert split.labels == ("sad", "calm")
    assert_whole(split, [u for u in found if u.emotion in ("sad", "calm")])


@pytest.mark.parametrize(
    "protocol", [random_protocol([MINE]), speaker_protocol([MINE], 2), speaker_protocol([MINE])]
)
def test_too_little_to_tell_apart_is_named(protocol):
    one = corpus_of(MINE, ["a", "b", "c", "d", "e"], ["sad"])
    with pytest.raises(SerEdgeError, match="only the label sad occurs"):
        protocol.split(one, 0)
    few = [*one, *(said(MINE, f"{n}", "happy") for n in range(4)), said(MINE, "a", "relief")]
    with pytest.raises(SerEdgeError, match="4 of happy, 1 of relief; every label needs at least 5"):
        protocol.split(few, 0)


def test_labels_that_do_not_occur_or_are_given_twice():
    with pytest.raises(SerEdgeError, match="0 of fear"):
        random_protocol([MINE], ["sad", "fear"]).split(UNKNOWN, 0)
    with pytest.raises(SerEdgeError, match="given twice in sad, sad"):
        random_protocol([MINE], ["sad", "sad"]).split(UNKNOWN, 0)


def test_corpora_that_are_missing_or_named_twice():
    for make in (random_protocol, speaker_protocol, leave_one_corpus_out):
        with pytest.raises(SerEdgeError, match="no utterance of corpus SAVEE"):
            make(["TESS", "SAVEE"]).split(TESS, 0)
        with pytest.raises(SerEdgeError, match="TESS is named twice"):
            make(["TESS", "TESS"])
        with pytest.raises(SerEdgeError, match="no corpus is named"):
            make([])


# By speakers


@settings(max_examples=60)
@given(recordings(least_speakers=2), st.integers(3, 6), SEEDS)
def test_folds_share_no_speaker_and_test_everyone_once(utterances, folds, seed):
    protocol = speaker_protocol([MINE], folds)
    everyone = speakers(utterances)
    if len(everyone) < folds:
        with pytest.raises(SerEdgeError, match=f"{len(everyone)} are too few for {folds} folds"):
            protocol.split(utterances, seed)
        return
    splits = protocol.split(utterances, seed)
    assert [split.name for split in splits] == [f"fold{n}" for n in range(1, folds + 1)]
    assert sorted(name for split in splits for name in speakers(split.test)) == sorted(everyone)
    for split in splits:
        assert_whole(split, utterances)
        assert not speakers_on_both_sides(split)
        assert not speakers(split.train) & speakers(split.validation)
    assert same(splits, protocol.split(utterances, seed))


@settings(max_examples=60)
@given(recordings(least_speakers=3), SEEDS)
def test_loso_tests_every_speaker_alone(utterances, seed):
    splits = speaker_protocol([MINE], "loso").split(utterances, seed)
    assert [speakers(split.test) for split in splits] == [{s} for s in sorted(speakers(utterances))]
    assert splits[0].name.startswith("test-folder-mine-s")
    for split in splits:
        assert_whole(split, utterances)
        assert not speakers(split.train) & speakers(split.validation)
        assert not speakers_on_both_sides(split)


def test_validation_is_about_a_fifth_of_the_other_speakers():
    many = corpus_of(MINE, [f"{n:02d}" for n in range(24)])
    for seed in range(5):
        for split in speaker_protocol([MINE], 5).split(many, seed):
            assert len(speakers(split.test)) in (4, 5)
            assert len(speakers(split.validation)) in (3, 4)
            for part in parts(split):
                # Speakers who are alike make parts that are.
                assert len(set(Counter(u.emotion for u in part).values())) == 1


def test_two_speakers_select_on_the_one_who_is_left_and_say_so():
    protocol = speaker_protocol(["TESS"], "loso")
    splits = protocol.split(TESS, 0)
    assert [split.name for split in splits] == ["test-TESS-OAF", "test-TESS-YAF"]
    for split in splits:
        assert not speakers_on_both_sides(split)
        assert Counter(u.emotion for u in split.validation) == dict.fromkeys(LABELS, 40)
        [warning] = warnings_of(split)
        assert "in training and in validation" in warning
        assert "selected on known voices" in warning
    assert "In 1 of 2 splits: The same speaker (TESS-OAF) is in" in protocol.described(splits)


def test_training_keeps_a_class_that_few_speak():
    rare = [said("table:six.csv", who, "fear", n) for who in "ab" for n in range(5)]
    for seed in range(10):
        for split in speaker_protocol(["table:six.csv"], "loso").split([*SIX_VOICES, *rare], seed):
            assert {u.emotion for u in split.train} == {*FOUR, "fear"}


def test_speakers_must_be_known_and_more_than_one():
    with pytest.raises(SerEdgeError, match="speakers unknown for 80 utterances of folder:mine"):
        speaker_protocol([MINE]).split(UNKNOWN, 0)
    with pytest.raises(SerEdgeError, match="speakers unknown for 80 utterances of folder:mine"):
        speaker_protocol(["table:six.csv", MINE]).split([*SIX_VOICES, *UNKNOWN], 0)
    with pytest.raises(SerEdgeError, match=r"only one, folder:mine-anna; .* split at random"):
        speaker_protocol([MINE], "loso").split(corpus_of(MINE, ["anna"]), 0)
    with pytest.raises(SerEdgeError, match="folds: must be 2 or more, not 1"):
        speaker_protocol([MINE], 1)


def test_splits_are_named_such_that_folders_can_be():
    voices = corpus_of("folder:/home/me/my voices", ["Äni", "äni", "x:y", "x/y"])
    names = [
        s.name for s in speaker_protocol(["folder:/home/me/my voices"], "loso").split(voices, 0)
    ]
    assert len({name.lower() for name in names}) == 4
    assert not [name for name in names if set(name) & set('/\\: "')]


def test_ased_is_judged_on_the_sentences_that_its_emotions_share():
    for protocol in (
        random_protocol(["ASED"]),
        speaker_protocol(["ASED"]),
        cross_corpus_protocol(["table:six.csv"], ["ASED"]),
        cross_corpus_protocol(["ASED"], ["table:six.csv"]),
    ):
        for split in protocol.split([*ASED, *SIX_VOICES], 0):
            judged = [*split.validation, *split.test]
            assert {u.text for u in judged if u.corpus == "ASED"} <= {"06", "07"}
            trained = {u.text for u in split.train if u.corpus == "ASED"}
            assert trained in (set(), {f"{n:02d}" for n in range(1, 8)})
    # Who said none of them is heard in training, never held out.
    silent = [said("ASED", "11", emotion, 1, "01") for emotion in LABELS[:5]]
    for protocol in (random_protocol(["ASED"]), speaker_protocol(["ASED"], "loso")):
        splits = protocol.split([*ASED, *silent], 0)
        assert all("ASED-11" in speakers(split.train) for split in splits)
    assert "06 and 07" in random_protocol(["ASED", "TESS"]).description
    assert "06 and 07" in speaker_protocol(["ASED"]).description
    assert "06 and 07" not in cross_corpus_protocol(["ASED"], ["TESS"]).description
    split = automatic(ASED, 0)
    assert {u.text for u in [*split.validation, *split.test]} == {"06", "07"}


# Across corpora


def test_cross_corpus_is_over_the_shared_labels():
    known = corpus_of("RAVDESS", ["01", "02", "03"], ("calm", "happy", "sad", "boredom"))
    tested = corpus_of(MINE, [""], ("sad", "boredom", "neutral", "awe"), each=1)
    protocol = cross_corpus_protocol(["RAVDESS"], [MINE])
    assert protocol.corpora == ("RAVDESS", MINE)
    [split] = protocol.split([*known, *tested], 0)
    assert split.name == "test-folder-mine"
    assert split.labels == ("neutral", "sad", "boredom")
    assert_whole(split, [u for u in [*known, *tested] if u.emotion not in ("happy", "awe")])
    assert {u.corpus for u in split.test} == {MINE}
    assert len(speakers(split.validation)) == 1
    assert not speakers(split.validation) & speakers(split.train)
    described = protocol.described([split])
    assert "trained on RAVDESS, tested on folder:mine, calm as neutral" in described
    assert "3 classes: neutral, sad, boredom" in described
    assert warnings_of(split, protocol.merge) == []


@given(SEEDS)
def test_cross_corpus_holds_speakers_of_every_training_corpus_out_that_has_enough(seed):
    found = [
        *corpus_of("A", ["1", "2"]),
        *corpus_of("B", ["1", "2", "3"]),
        *corpus_of("C", [f"{n}" for n in range(8)]),
        *corpus_of("D", ["1", "2", "3"]),
        *UNKNOWN,
    ]
    protocol = cross_corpus_protocol(["A", "B", "C", MINE], ["D"])
    [split] = protocol.split(found, seed)
    assert_whole(split, found)
    assert Counter(name[0] for name in speakers(split.validation)) == {"B": 1, "C": 2}
    assert not speakers(split.validation) & speakers(split.train)
    assert {u.corpus for u in split.test} == {"D"}
    assert same([split], protocol.split(found, seed))


def test_cross_corpus_of_few_speakers_selects_on_known_voices_and_says_so():
    protocol = cross_corpus_protocol(["TESS"], [MINE])
    [split] = protocol.split([*TESS, *UNKNOWN], 0)
    assert Counter(u.emotion for u in split.validation) == dict.fromkeys(FOUR, 80)
    assert split.labels == FOUR
    [warning] = warnings_of(split)
    assert warning.startswith("The same 2 speakers (TESS-OAF, TESS-YAF) are in training and in val")
    assert warning in protocol.described([split]) + "."


def test_a_speaker_of_two_corpora_is_held_out_of_both_and_named_when_tested():
    speech = corpus_of("RAVDESS", list("abcdefgh"))
    song = [
        Utterance(u.path, u.emotion, u.speaker, u.text, "RAVDESS-song", f"song/{u.key}")
        for u in speech
    ]
    found = [*speech, *song, *UNKNOWN]
    [split] = cross_corpus_protocol(["RAVDESS", "RAVDESS-song"], [MINE]).split(found, 0)
    assert_whole(split, found)
    assert not speakers(split.train) & speakers(split.validation)
    assert warnings_of(split) == []
    [split] = cross_corpus_protocol(["RAVDESS"], ["RAVDESS-song"]).split(found, 0)
    assert len(speakers_on_both_sides(split)) == 8
    assert "The same 8 speakers" in warnings_of(split)[0]


def test_cross_corpus_says_what_does_not_fit():
    with pytest.raises(SerEdgeError, match="one corpus to train on and one to test on"):
        cross_corpus_protocol(["TESS"], [])
    with pytest.raises(SerEdgeError, match="TESS is named twice"):
        cross_corpus_protocol(["TESS"], [MINE, "TESS"])
    alone = corpus_of(MINE, ["a"], ["sad", "awe"])
    protocol = cross_corpus_protocol(["TESS"], [MINE])
    with pytest.raises(SerEdgeError, match="TESS shares only the label sad with folder:mine"):
        protocol.split([*TESS, *alone], 0)
    with pytest.raises(SerEdgeError, match="TESS shares no label with folder:mine"):
        protocol.split([*TESS, *corpus_of(MINE, ["a"], ["awe"])], 0)
    given_labels = cross_corpus_protocol(["TESS"], [MINE], ["sad", "fear"])
    with pytest.raises(SerEdgeError, match="too few utterances to test on: 0 of fear"):
        given_labels.split([*TESS, *alone], 0)


def test_leave_one_corpus_out_tests_each_in_turn():
    found = [*TESS, *SIX_VOICES, *corpus_of("B", ["1", "2", "3"], ("sad", "awe", "happy"))]
    corpora = ["TESS", "table:six.csv", "B"]
    protocol = leave_one_corpus_out(corpora)
    splits = protocol.split(found, 0)
    assert [split.name for split in splits] == ["test-TESS", "test-table-six.csv", "test-B"]
    assert [split.labels for split in splits] == [FOUR, FOUR, ("happy", "sad")]
    for tested, split in zip(corpora, splits):
        assert {u.corpus for u in split.test} == {tested}
        assert {u.corpus for u in split.train} == set(corpora) - {tested}
        assert_whole(split, [u for u in found if u.emotion in split.labels])
    assert "2 to 4 classes, not the same in every split" in protocol.described(splits)
    assert same(splits, protocol.split(found, 0))
    with pytest.raises(SerEdgeError, match="at least two corpora"):
        leave_one_corpus_out(["TESS"])


def test_the_six_corpora_are_left_out_as_their_own_protocol_says(real_corpora):
    corpora = PROTOCOLS["cross-corpus"].corpora
    missing = [corpus for corpus in corpora if not (real_corpora / corpus).is_dir()]
    if missing:
        pytest.skip(f"no {', '.join(missing)} in SER_EDGE_CORPORA")
    found = read_corpora(real_corpora, list(corpora))
    assert same(leave_one_corpus_out(corpora).split(found, 1), cross_corpus(found, 1))


# What a figure does not tell


def test_speakers_on_both_sides_are_those_in_the_test_and_elsewhere():
    a, b, c, unknown = (said(MINE, who, "sad") for who in ("a", "b", "c", ""))
    split = Split("", ("sad",), [a, unknown], [b], [a, b, c, unknown])
    assert speakers_on_both_sides(split) == (MINE, "folder:mine-a", "folder:mine-b")
    assert speakers_on_both_sides(Split("", ("sad",), [a], [a, b], [c])) == ()


def test_warnings_are_whole_sentences():
    a, b, c = (said("TESS", who, "sad") for who in "abc")
    labels = ("sad",)
    assert warnings_of(Split("", labels, [a], [b], [c])) == []
    assert warnings_of(Split("", labels, [a], [b], [a])) == [
        "The same speaker (TESS-a) is in training and in test: "
        "this figure says nothing about unknown voices."
    ]
    assert warnings_of(Split("", labels, [a], [b], [b])) == [
        "The same speaker (TESS-b) is in validation and in test: "
        "this figure says nothing about unknown voices."
    ]
    assert warnings_of(Split("", labels, [a, b], [a, b], [c])) == [
        "The same 2 speakers (TESS-a, TESS-b) are in training and in validation: "
        "the training step is selected on known voices."
    ]


def test_warnings_name_a_few_of_many_speakers():
    many = [said("TESS", f"{n}", "sad") for n in range(8)]
    [warning] = warnings_of(Split("", ("sad",), many, [said("TESS", "x", "sad")], many))
    assert "same 8 speakers (TESS-0, TESS-1, TESS-2, TESS-3, TESS-4 and 3 more) are" in warning


def test_warnings_say_when_speakers_are_unknown():
    unknown, other = said(MINE, "", "sad"), said("TESS", "a", "sad")
    third = said("TESS", "b", "sad")
    [warning] = warnings_of(Split("", ("sad",), [unknown], [other], [unknown]))
    assert warning.startswith("folder:mine: speakers unknown, so the same may be in training and")
    # The unknown one may be anyone of the same corpus.
    anna = said(MINE, "anna", "sad")
    [warning] = warnings_of(Split("", ("sad",), [anna], [other], [unknown]))
    assert "speakers unknown" in warning
    [warning] = warnings_of(Split("", ("sad",), [unknown], [anna], [other]))
    assert "speakers unknown" in warning
    assert "selected on known voices" in warning
    assert warnings_of(Split("", ("sad",), [other], [third], [unknown])) == []


def test_warnings_name_the_classes_that_a_part_lacks():
    a, b, c = said("X", "a", "sad"), said("X", "b", "sad"), said("X", "c", "calm")
    assert warnings_of(Split("", ("neutral", "sad"), [a], [b], [c]), {"calm": "neutral"}) == [
        "No test utterance of sad: this figure says nothing about that class.",
        "No training utterance of neutral: the model cannot learn that class.",
    ]
    # An emotion that is a label counts as itself.
    d, e = said("X", "d", "neutral"), said("X", "e", "sad")
    split = Split("", ("calm", "neutral"), [c, d], [b], [e])
    assert warnings_of(split, {"calm": "neutral"}) == [
        "No test utterance of calm: this figure says nothing about that class.",
        "No test utterance of neutral: this figure says nothing about that class.",
    ]


# One's own recordings


@settings(max_examples=100)
@given(recordings(), SEEDS)
def test_automatic_is_whole_and_trains_every_label(utterances, seed):
    split = automatic(utterances, seed)
    assert_whole(split, utterances)
    assert {u.emotion for u in split.train} == set(split.labels)
    if split.name == "speakers":
        assert len(speakers(utterances)) >= 3
        assert not speakers_on_both_sides(split)
        assert not speakers(split.train) & speakers(split.validation)
    else:
        assert split.name == "random"
        every, test = (Counter(u.emotion for u in part) for part in (utterances, split.test))
        assert all(abs(test[label] - 0.2 * every[label]) <= 0.5 for label in split.labels)
    assert same([split], [automatic(utterances, seed)])


@given(SEEDS)
def test_automatic_is_by_speakers_from_three_on(seed):
    split = automatic(SIX_VOICES, seed)
    assert split.name == "speakers"
    assert [len(speakers(part)) for part in parts(split)] in ([4, 1, 1], [3, 1, 2])
    assert warnings_of(split) == []
    three = automatic(corpus_of(MINE, ["a", "b", "c"]), seed)
    assert [len(speakers(part)) for part in parts(three)] == [1, 1, 1]
    ten = automatic(corpus_of(MINE, list("abcdefghij")), seed)
    assert [len(speakers(part)) for part in parts(ten)] in ([6, 2, 2], [7, 1, 2])


def test_automatic_of_few_or_unknown_speakers_is_at_random():
    for found in (UNKNOWN, corpus_of(MINE, ["a", "b"], each=10), TESS):
        split = automatic(found, 0)
        shares = [len(part) / len(found) for part in parts(split)]
        assert shares == pytest.approx([0.64, 0.16, 0.2], abs=0.02)
        assert warnings_of(split)


def test_automatic_seeds_differ():
    tested = [sorted(speakers(automatic(SIX_VOICES, seed).test)) for seed in range(20)]
    assert {name for names in tested for name in names} == speakers(SIX_VOICES)


def test_automatic_keeps_a_label_that_one_speaker_has():
    rare = [said("table:six.csv", "a", "fear", n) for n in range(5)]
    for seed in range(20):
        split = automatic([*SIX_VOICES, *rare], seed)
        assert split.name == "speakers"
        assert "table:six.csv-a" in speakers(split.train)


def test_automatic_does_not_split_by_speakers_when_each_has_a_label_alone():
    found = [said(MINE, who, who, n) for who in ("sad", "happy", "angry") for n in range(5)]
    split = automatic(found, 0)
    assert split.name == "random"
    assert "unknown voices" in warnings_of(split)[0]


def test_automatic_does_not_test_on_the_one_who_said_most():
    found = [*corpus_of(MINE, ["much"], each=50), *corpus_of(MINE, ["a", "b", "c"])]
    for seed in range(20):
        assert speakers(automatic(found, seed).train) >= {"folder:mine-much"}


def test_automatic_says_how_many_are_needed_of_which_label():
    few = [*corpus_of(MINE, [""], ("sad", "happy")), *corpus_of(MINE, [""], ("awe",), each=4)]
    with pytest.raises(SerEdgeError, match="4 of awe; every label needs at least 5") as raised:
        automatic(few, 0)
    assert "sad" not in str(raised.value)
    assert automatic(few, 0, labels=["happy", "sad"]).labels == ("happy", "sad")
    assert automatic(few, 0, merge={"awe": "happy"}).labels == ("happy", "sad")


# By name


def test_names_give_the_protocol_they_name():
    for name, protocol in PROTOCOLS.items():
        assert protocol_of(name) is protocol
    assert protocol_of("random", ["TESS"]).split(TESS, 1)[0] == tess_random(TESS, 1)[0]
    found = [*SIX_VOICES, *TESS]
    cases = {
        "speaker": (5, speaker_protocol(["table:six.csv"])),
        "loso": (6, speaker_protocol(["table:six.csv"], "loso")),
    }
    for name, (count, protocol) in cases.items():
        splits = protocol_of(name, ["table:six.csv"]).split(found, 0)
        assert len(splits) == count
        assert same(splits, protocol.split(found, 0))
    assert len(protocol_of("speaker", ["table:six.csv"], folds=3).split(found, 0)) == 3
    both = ["table:six.csv", "TESS"]
    assert len(protocol_of("leave-one-corpus-out", both).split(found, 0)) == 2
    [split] = protocol_of("cross-corpus", ["TESS"], ["table:six.csv"]).split(found, 0)
    assert {u.corpus for u in split.test} == {"table:six.csv"}


@pytest.mark.parametrize("name", ["random", "speaker", "loso", "leave-one-corpus-out"])
def test_merge_reaches_every_general_protocol(name):
    found = [*SIX_VOICES, *corpus_of("B", ["a", "b", "c", "d", "e"], ("sad", "awe"))]
    protocol = protocol_of(name, ["table:six.csv", "B"], merge={"awe": "happy"})
    assert protocol.merge["awe"] == "happy"
    for split in protocol.split(found, 0):
        assert "awe" not in split.labels
        assert "awe" in {u.emotion for part in parts(split) for u in part}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nonsense", {}, "--protocol: unknown 'nonsense'; known are random, speaker, loso, cross"),
        ("random", {}, "protocol random: needs --data NAME"),
        ("random", {"data": ["A"], "folds": 3}, "--folds: protocol random has no use for it"),
        ("loso", {"data": ["A"], "folds": 3}, "--folds: protocol loso has no use"),
        ("speaker", {"data": ["A"], "test_on": ["B"]}, "--test-on: protocol speaker has no use"),
        ("speaker", {"data": ["A"], "folds": 1}, "folds: must be 2 or more"),
        ("cross-corpus", {"data": ["A"]}, "protocol cross-corpus: needs --test-on NAME"),
        ("cross-corpus", {"test_on": ["A"]}, "protocol cross-corpus: needs --data NAME"),
        ("tess-loso", {"data": ["TESS"]}, "--data: protocol tess-loso has no use for it; it takes"),
        ("leave-one-corpus-out", {"data": ["A"]}, "at least two corpora"),
        ("leave-one-corpus-out", {}, "needs --data"),
        ("tess-loso", {"labels": FOUR}, "labels: protocol tess-loso has its own"),
        ("cross-corpus", {"labels": FOUR}, "labels: protocol cross-corpus has its own"),
        ("leave-one-corpus-out", {"data": ["A", "B"], "labels": FOUR}, "has its own"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, options, message):
    with pytest.raises(SerEdgeError, match=message):
        protocol_of(name, **options)


def test_names_list_every_protocol_once():
    assert len(set(NAMES)) == len(NAMES)
    assert set(NAMES) >= {*PROTOCOLS, "random", "speaker", "loso", "leave-one-corpus-out"}
