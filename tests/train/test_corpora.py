"""The adapters: what a download looks like, and what it means."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from edge_runtime.sources import read_clip
from train.corpora import corpora_folder, read_corpora, read_ravdess, read_tess

from .tones import touch


def facts(utterances):
    return sorted((u.speaker, u.text, u.emotion) for u in utterances)


def skip_without(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"no {folder.name} in SER_EDGE_CORPORA")
    return folder


def test_tess_reads_the_file_name_and_not_the_folder(tmp_path):
    touch(
        tmp_path,
        "OAF_Fear/OAF_back_fear.wav",
        "YAF_pleasant_surprised/YAF_back_ps.wav",
        "somewhere/else/entirely/YAF_bar_sad.WAV",
        "OAF_happy/OAF_back_disgust.flac",
    )
    assert facts(read_tess(tmp_path)) == [
        ("TESS-OAF", "back", "disgust"),
        ("TESS-OAF", "back", "fear"),
        ("TESS-YAF", "back", "surprise"),
        ("TESS-YAF", "bar", "sad"),
    ]


def test_tess_nested_in_itself_counts_once(tmp_path):
    names = ["OAF_angry/OAF_back_angry.wav", "YAF_neutral/YAF_back_neutral.wav"]
    touch(tmp_path, *names, *(f"TESS Toronto emotional speech set data/{name}" for name in names))
    assert len(read_tess(tmp_path)) == 2


def test_tess_same_name_in_other_case_and_format_counts_once(tmp_path):
    touch(tmp_path, "a/OAF_Back_Angry.wav", "b/oaf_back_angry.WAV", "c/OAF_back_angry.flac")
    assert facts(read_tess(tmp_path)) == [("TESS-OAF", "back", "angry")]


def test_tess_misnamed_file_is_the_older_womans(tmp_path):
    touch(tmp_path, "OAF_neutral/OA_bite_neutral.wav")
    assert facts(read_tess(tmp_path)) == [("TESS-OAF", "bite", "neutral")]


def test_tess_leaves_out_what_it_does_not_know(tmp_path):
    touch(
        tmp_path,
        "OAF_back_angry.txt",
        "._OAF_back_angry.wav",
        "OAF_back_bored.wav",
        "XAF_back_sad.wav",
        "OAF_back.wav",
        "YAF_back_sad (1).wav",
    )
    (tmp_path / "YAF_back_sad.wav").mkdir()
    assert read_tess(tmp_path) == []


def test_ravdess_labels_speakers_and_sentences(tmp_path):
    emotions = ["neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise"]
    touch(tmp_path, *(f"Actor_07/03-01-0{n}-01-02-01-07.wav" for n in range(1, 9)))
    assert sorted(facts(read_ravdess(tmp_path))) == sorted(
        ("RAVDESS-07", "02", emotion) for emotion in emotions
    )


def test_ravdess_ignores_song_and_video(tmp_path):
    touch(
        tmp_path,
        "Actor_01/03-02-03-01-01-01-01.wav",  # song
        "Actor_01/01-01-03-01-01-01-01.mp4",  # video with sound
        "Actor_01/02-01-03-01-01-01-01.mp4",  # video alone
        "Actor_01/01-01-03-01-01-01-01.wav",  # sound of a video
        "Actor_01/03-01-09-01-01-01-01.wav",  # no such emotion
        "Actor_01/03-01-03-01-01-01-01.wav",
    )
    assert [u.name for u in read_ravdess(tmp_path)] == ["03-01-03-01-01-01-01"]


def test_ravdess_nested_in_itself_counts_once(tmp_path):
    name = "Actor_01/03-01-03-01-01-01-01.wav"
    touch(tmp_path, name, f"audio_speech_actors_01-24/{name}")
    assert len(read_ravdess(tmp_path)) == 1


def test_order_is_by_corpus_and_name_wherever_the_files_lie(tmp_path):
    touch(tmp_path / "one" / "TESS", "z/OAF_back_sad.wav", "a/OAF_bar_sad.wav")
    touch(tmp_path / "one" / "RAVDESS", "03-01-03-01-01-01-01.wav")
    touch(tmp_path / "two" / "TESS", "OAF_back_sad.wav", "OAF_bar_sad.wav")
    touch(tmp_path / "two" / "RAVDESS", "x/03-01-03-01-01-01-01.wav")
    orders = [
        [u.name for u in read_corpora(tmp_path / place, ["TESS", "RAVDESS"])]
        for place in ("one", "two")
    ]
    assert orders == [["OAF_back_sad", "OAF_bar_sad", "03-01-03-01-01-01-01"]] * 2


@pytest.mark.parametrize("name", ["TESS", "RAVDESS"])
@pytest.mark.parametrize("content", [(), ("readme.txt", "speech_0001.wav")])
def test_folder_without_recordings_says_where_to_get_them(tmp_path, name, content):
    touch(tmp_path / name, *content)
    with pytest.raises(SerEdgeError, match=rf"{name}: no {name} recordings; .*https://doi\.org/"):
        read_corpora(tmp_path, [name])


def test_missing_subfolder_says_where_to_get_the_corpus(tmp_path):
    with pytest.raises(SerEdgeError, match="no TESS recordings; get them from https"):
        read_corpora(tmp_path, ["TESS"])


def test_unknown_corpus_names_the_known(tmp_path):
    with pytest.raises(SerEdgeError, match="unknown corpus 'SAVE'; known are TESS, RAVDESS"):
        read_corpora(tmp_path, ["SAVE"])


def test_corpora_folder_is_the_one_given_before_the_environments(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_EDGE_CORPORA", str(tmp_path / "environment"))
    (tmp_path / "environment").mkdir()
    (tmp_path / "given").mkdir()
    assert corpora_folder(str(tmp_path / "given")) == tmp_path / "given"
    assert corpora_folder() == tmp_path / "environment"


def test_corpora_folder_missing(tmp_path, monkeypatch):
    monkeypatch.delenv("SER_EDGE_CORPORA", raising=False)
    with pytest.raises(SerEdgeError, match="give --corpora DIR or set SER_EDGE_CORPORA"):
        corpora_folder()
    with pytest.raises(SerEdgeError, match="no such corpora folder"):
        corpora_folder(str(tmp_path / "nowhere"))


def test_real_tess(real_corpora):
    utterances = read_tess(skip_without(real_corpora / "TESS"))
    assert len(utterances) == 2800
    assert Counter(u.emotion for u in utterances) == dict.fromkeys(LABELS, 400)
    assert Counter(u.speaker for u in utterances) == {"TESS-OAF": 1400, "TESS-YAF": 1400}
    assert len({u.text for u in utterances}) == 200


def test_real_ravdess(real_corpora):
    utterances = read_ravdess(skip_without(real_corpora / "RAVDESS"))
    others = ["calm", "happy", "sad", "angry", "fear", "disgust", "surprise"]
    assert len(utterances) == 1440
    assert Counter(u.emotion for u in utterances) == {"neutral": 96, **dict.fromkeys(others, 192)}
    assert Counter(u.speaker for u in utterances) == {
        f"RAVDESS-{actor:02d}": 60 for actor in range(1, 25)
    }
    assert {u.text for u in utterances} == {"01", "02"}


@pytest.mark.parametrize(("corpus", "adapter"), [("TESS", read_tess), ("RAVDESS", read_ravdess)])
def test_untouched_originals_can_be_read(real_corpora, corpus, adapter):
    """96 kHz, AIFF under a .wav name, stereo at 48 kHz: as the downloads really are."""
    utterances = adapter(skip_without(real_corpora / "originals") / corpus)
    assert utterances
    for utterance in utterances:
        assert len(read_clip(utterance.path, 16000)) > 16000
