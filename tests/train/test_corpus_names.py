"""The adapters that go by the corpus' own file names, in the layouts that downloads have."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edge_runtime.metadata import LABELS
from edge_runtime.sources import read_clip
from train.corpora import ADAPTERS, read_corpora, scan_corpus

from .tones import touch

# For each corpus a few names of its own and what they mean: speaker, text, emotion.
NAMES = {
    "TESS": {"OAF_back_ps": ("TESS-OAF", "back", "surprise")},
    "RAVDESS": {"03-01-02-01-02-01-07": ("RAVDESS-07", "02", "calm")},
    "RAVDESS-song": {"03-02-05-02-01-01-23": ("RAVDESS-23", "01", "angry")},
    "EmoDB": {
        "03a01Fa": ("EmoDB-03", "a01", "happy"),
        "16b10Wb": ("EmoDB-16", "b10", "angry"),
        "08a02La": ("EmoDB-08", "a02", "boredom"),
        "09a04Ed": ("EmoDB-09", "a04", "disgust"),
        "10a05Aa": ("EmoDB-10", "a05", "fear"),
        "11b01Tc": ("EmoDB-11", "b01", "sad"),
        "12b02Na": ("EmoDB-12", "b02", "neutral"),
    },
    "EMOVO": {
        "neu-f1-b1": ("EMOVO-f1", "b1", "neutral"),
        "dis-f2-d2": ("EMOVO-f2", "d2", "disgust"),
        "gio-f3-l4": ("EMOVO-f3", "l4", "happy"),
        "pau-m1-n5": ("EMOVO-m1", "n5", "fear"),
        "rab-m2-b3": ("EMOVO-m2", "b3", "angry"),
        "sor-m3-n1": ("EMOVO-m3", "n1", "surprise"),
        "tri-m3-n1": ("EMOVO-m3", "n1", "sad"),
    },
    "CASIA": {
        "201-angry-wangzhe": ("CASIA-wangzhe", "201", "angry"),
        "201-surprise-wangzhe": ("CASIA-wangzhe", "201", "surprise"),
    },
    "ASED": {
        "n1-06-01-01-46": ("ASED-46", "06", "neutral"),
        "f2-07-02-02-06": ("ASED-06", "07", "fear"),
        "h3-01-01-02-10": ("ASED-10", "01", "happy"),
        "S4-04-02-01-29": ("ASED-29", "04", "sad"),
        "a5-02-02-02-39": ("ASED-39", "02", "angry"),
    },
    "CREMA-D": {
        "1001_DFA_ANG_XX": ("CREMA-D-1001", "DFA", "angry"),
        "1002_IEO_DIS_LO": ("CREMA-D-1002", "IEO", "disgust"),
        "1003_IEO_FEA_MD": ("CREMA-D-1003", "IEO", "fear"),
        "1004_IEO_HAP_HI": ("CREMA-D-1004", "IEO", "happy"),
        "1091_TIE_NEU_XX": ("CREMA-D-1091", "TIE", "neutral"),
        "1040_ITH_SAD_X": ("CREMA-D-1040", "ITH", "sad"),  # so named in the corpus
    },
    "SAVEE": {
        "DC_a01": ("SAVEE-DC", "a01", "angry"),
        "JE_d15": ("SAVEE-JE", "d15", "disgust"),
        "JK_f02": ("SAVEE-JK", "f02", "fear"),
        "KL_h03": ("SAVEE-KL", "h03", "happy"),
        "DC_n30": ("SAVEE-DC", "n30", "neutral"),
        "DC_sa04": ("SAVEE-DC", "sa04", "sad"),
        "DC_su04": ("SAVEE-DC", "su04", "surprise"),
    },
}
# Near misses, by corpus.
OTHERS = {
    "TESS": ["OAF_back_bored", "YAF_back_sad (1)"],
    "RAVDESS": ["03-02-03-01-01-01-01", "01-01-03-01-01-01-01", "03-01-09-01-01-01-01"],
    "RAVDESS-song": ["03-01-03-01-01-01-01", "02-02-03-01-01-01-01"],
    "EmoDB": ["03a01F", "04a01Fa", "03a01Xa", "03c01Fa", "03a01Fa copy"],
    "EMOVO": ["bor-f1-b1", "neu-f4-b1", "neu-x1-b1", "f1-neu-b1"],
    "CASIA": ["201", "201-bored-wangzhe", "01-angry-wangzhe"],
    "ASED": ["x1-01-01-01-01", "n2-01-01-01-01", "n1-08-01-01-01", "n1-01-01-03-01"],
    "CREMA-D": ["1001_DFA_SUR_XX", "1001_DFA_ANG", "101_DFA_ANG_XX", "1001_DFA_ANG_ZZ"],
    "SAVEE": ["XX_a01", "DC_x01", "DC_a1", "a01"],
}
# The corpora's own folders, one level deeper.
NESTS = {
    "TESS": "TESS Toronto emotional speech set data/OAF_back",
    "RAVDESS": "Audio_Speech_Actors_01-24/Actor_07",
    "RAVDESS-song": "Audio_Song_Actors_01-24/Actor_23",
    "EmoDB": "wav",
    "EMOVO": "EMOVO/f1",
    "CASIA": "CASIA database/angry",
    "ASED": "ASED_V1/01Neutral",
    "CREMA-D": "AudioWAV",
    "SAVEE": "AudioData/DC",
}
everywhere = pytest.mark.parametrize("corpus", list(ADAPTERS))


def facts(reading) -> list[tuple[str, str, str]]:
    return sorted((u.speaker, u.text, u.emotion) for u in reading.utterances)


def wanted(corpus: str) -> list[tuple[str, str, str]]:
    return sorted(NAMES[corpus].values())


@everywhere
def test_names_mean_speaker_text_and_emotion(tmp_path, corpus):
    touch(tmp_path / corpus, *(f"{name}.wav" for name in NAMES[corpus]))
    reading = scan_corpus(tmp_path, corpus)
    assert facts(reading) == wanted(corpus)
    assert {u.corpus for u in reading.utterances} == {corpus}
    assert reading.skipped == {}


@everywhere
@pytest.mark.parametrize("suffix", [".wav", ".WAV", ".flac", ".opus"])
def test_copies_nested_deeper_in_other_case_and_format_count_once(tmp_path, corpus, suffix):
    names = list(NAMES[corpus])
    touch(tmp_path / corpus / NESTS[corpus], *(f"{name}{suffix}" for name in names))
    assert facts(scan_corpus(tmp_path, corpus)) == wanted(corpus)
    touch(tmp_path / corpus / "zz copy", *(f"{name.lower()}.wav" for name in names))
    reading = scan_corpus(tmp_path, corpus)
    assert facts(reading) == wanted(corpus)
    assert reading.skipped == {"same name as another": len(names)}


@everywhere
def test_whatever_else_lies_there_is_counted_and_left_out(tmp_path, corpus):
    name = next(iter(NAMES[corpus]))
    touch(tmp_path / corpus, "readme.txt", f"{name}.txt", f"._{name}.wav", "Thumbs.db")
    (tmp_path / corpus / f"{name}.wav").mkdir()
    touch(tmp_path / corpus / "others", *(f"{other}.wav" for other in OTHERS[corpus]))
    reading = scan_corpus(tmp_path, corpus)
    assert reading.utterances == []
    assert sum(reading.skipped.values()) == 4 + len(OTHERS[corpus])
    assert reading.skipped["not a sound file"] == 3
    assert reading.skipped["hidden file"] == 1


@everywhere
def test_the_corpus_folder_may_be_spelt_another_way(tmp_path, corpus):
    touch(tmp_path / corpus.lower().replace("-", "_"), f"{next(iter(NAMES[corpus]))}.wav")
    assert len(scan_corpus(tmp_path, corpus).utterances) == 1


@everywhere
def test_what_is_not_there_holds_nothing(tmp_path, corpus):
    assert scan_corpus(tmp_path / "nowhere", corpus).utterances == []


def test_singers_are_the_speakers(tmp_path):
    """So that no voice is on both sides of a split that uses both parts."""
    touch(tmp_path / "RAVDESS", "03-01-03-01-01-01-05.wav", "song/03-02-03-01-01-01-05.wav")
    both = read_corpora(tmp_path, ["RAVDESS", "RAVDESS-song"])
    assert [(u.corpus, u.speaker) for u in both] == [
        ("RAVDESS", "RAVDESS-05"),
        ("RAVDESS-song", "RAVDESS-05"),
    ]
    assert scan_corpus(tmp_path, "RAVDESS").skipped == {"song, not speech": 1}


def test_casia_in_folders_of_speaker_and_emotion(tmp_path):
    places = ["wangzhe/angry", "wangzhe/Fear", "ZhaoZuoxiang/angry", "nested/wangzhe/angry"]
    touch(tmp_path / "CASIA", *(f"{place}/201.wav" for place in places), "wangzhe/odd/201.wav")
    reading = scan_corpus(tmp_path, "CASIA")
    assert facts(reading) == [
        ("CASIA-wangzhe", "201", "angry"),
        ("CASIA-wangzhe", "201", "fear"),
        ("CASIA-zhaozuoxiang", "201", "angry"),
    ]
    assert reading.skipped == {"same name as another": 1, "emotion not understood": 1}
    assert len({u.name for u in reading.utterances}) == 3


def test_savee_in_folders_of_speakers(tmp_path):
    touch(tmp_path / "SAVEE", "AudioData/DC/a01.wav", "AudioData/KL/a01.wav", "ALL/DC_a01.wav")
    reading = scan_corpus(tmp_path, "SAVEE")
    assert facts(reading) == [("SAVEE-DC", "a01", "angry"), ("SAVEE-KL", "a01", "angry")]
    assert sorted(u.name for u in reading.utterances) == ["DC_a01", "KL_a01"]


def test_ased_takes_the_emotion_from_the_folder_where_the_name_lacks_it(tmp_path):
    touch(
        tmp_path / "ASED",
        "02Fearful/01-01-01-05.wav",
        "05Angry/01-01-01-05.wav",
        "05Angry/h3-01-01-01-05.wav",
        "Other/01-01-01-05.wav",
    )
    reading = scan_corpus(tmp_path, "ASED")
    assert facts(reading) == [("ASED-05", "01", emotion) for emotion in ("angry", "fear", "happy")]
    assert reading.skipped == {"emotion not understood": 1}
    assert len({u.name for u in reading.utterances}) == 3


# --- the corpora themselves -----------------------------------------------------------------------

COUNTS = {
    "TESS": (2800, 2, dict.fromkeys(LABELS, 400)),
    "RAVDESS": (
        1440,
        24,
        {"neutral": 96, "calm": 192, **dict.fromkeys(LABELS[1:], 192)},
    ),
    "EmoDB": (
        535,
        10,
        {
            "angry": 127,
            "boredom": 81,
            "disgust": 46,
            "fear": 69,
            "happy": 71,
            "sad": 62,
            "neutral": 79,
        },
    ),
    "EMOVO": (588, 6, dict.fromkeys(LABELS, 84)),
    "CASIA": (1200, 4, {label: 200 for label in LABELS if label != "disgust"}),
    "ASED": (2474, 65, {"neutral": 522, "fear": 510, "happy": 486, "sad": 470, "angry": 486}),
}


@pytest.mark.parametrize("corpus", list(COUNTS))
def test_real_corpus(real_corpora: Path, corpus: str):
    reading = scan_corpus(real_corpora, corpus)
    if not reading.utterances:
        pytest.skip(f"no {corpus} in SER_EDGE_CORPORA")
    utterances, speakers, classes = COUNTS[corpus]
    assert len(reading.utterances) == utterances
    assert len({u.speaker for u in reading.utterances}) == speakers
    assert Counter(u.emotion for u in reading.utterances) == classes
    assert len({u.name for u in reading.utterances}) == utterances
    assert reading.skipped == {}
    assert len(read_clip(reading.utterances[0].path, 16000)) > 8000


def test_real_texts(real_corpora: Path):
    numbers = {"EmoDB": 10, "EMOVO": 14, "CASIA": 50, "ASED": 7}
    found = {corpus: scan_corpus(real_corpora, corpus).utterances for corpus in numbers}
    if not all(found.values()):
        pytest.skip(f"not all of {', '.join(numbers)} in SER_EDGE_CORPORA")
    assert {corpus: len({u.text for u in found[corpus]}) for corpus in numbers} == numbers
