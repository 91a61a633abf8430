"""Corpora of one's own: a folder for each label, or a table."""

from __future__ import annotations

import pytest

from edge_runtime.errors import SerEdgeError
from train.corpora import read_corpora, scan_corpus, to_frame

from .tones import touch


def facts(utterances) -> list[tuple[str, str, str]]:
    return [(u.name, u.emotion, u.speaker) for u in utterances]


def test_folder_for_each_label(tmp_path):
    touch(
        tmp_path / "mine",
        "Anger/one.wav",
        "Anger/anna/one.wav",
        "Anger/anna/one.flac",  # a copy
        "happy/two.opus",
        "tired/ben/one.WAV",
        "notes.txt",
        "lost.wav",
        "happy/anna/monday/one.wav",
        "happy/._two.wav",
    )
    reading = scan_corpus(tmp_path, "folder:mine")
    assert facts(reading.utterances) == [
        ("Anger/anna/one", "angry", "folder:mine-anna"),
        ("Anger/one", "angry", "folder:mine"),
        ("happy/two", "happy", "folder:mine"),
        ("tired/ben/one", "tired", "folder:mine-ben"),
    ]
    assert reading.skipped == {
        "same name as another": 1,
        "not a sound file": 1,
        "hidden file": 1,
        "not in LABEL/ or LABEL/SPEAKER/": 2,
    }
    assert read_corpora(tmp_path, ["folder:mine"]) == reading.utterances


def test_folder_anywhere(tmp_path):
    touch(tmp_path / "elsewhere", "sad/one.wav")
    (tmp_path / "corpora").mkdir()
    name = f"folder:{tmp_path / 'elsewhere'}"
    [utterance] = read_corpora(tmp_path / "corpora", [name])
    assert (utterance.emotion, utterance.speaker, utterance.corpus) == ("sad", name, name)


@pytest.mark.parametrize("name", ["folder:mine", "folder:nowhere"])
def test_folder_without_recordings_says_how_it_is_laid_out(tmp_path, name):
    touch(tmp_path / "mine", "happy.txt", "angry.wav")
    with pytest.raises(SerEdgeError, match=r"no recordings; put them into .*/LABEL/ or "):
        read_corpora(tmp_path, [name])


def write_table(tmp_path, text: str, name: str = "mine.csv", encoding: str = "utf-8") -> str:
    touch(tmp_path / "sounds", "a.wav", "b.wav", "c, d.wav")
    (tmp_path / name).write_text(text, encoding=encoding)
    return f"table:{name}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_table(tmp_path, encoding):
    text = (
        "Path, label ,text,speaker,note\n"
        'sounds/a.wav,Anger,"one, two",anna,x\n'
        "sounds/b.wav, sad ,,\n"
        '"sounds/c, d.wav",NA,null,ben,y\n'
        "sounds/a.wav,angry,again,anna,z\n"
        ",happy,,,\n"
        "sounds/none.wav,,,,\n"
        "\n"
    )
    name = write_table(tmp_path, text, encoding=encoding)
    reading = scan_corpus(tmp_path, name)
    assert facts(reading.utterances) == [
        ("sounds/a.wav", "angry", "table:mine.csv-anna"),
        ("sounds/b.wav", "sad", "table:mine.csv"),
        ("sounds/c, d.wav", "na", "table:mine.csv-ben"),
    ]
    assert [u.text for u in reading.utterances] == ["one, two", "", "null"]
    assert reading.utterances[0].path == tmp_path / "sounds" / "a.wav"
    assert reading.skipped == {"row listed before": 1, "row without path or label": 2}


def test_table_with_tabs_and_two_columns(tmp_path):
    name = write_table(tmp_path, "emotion\tpath\nfear\tsounds/c, d.wav\n", "mine.TSV")
    [utterance] = read_corpora(tmp_path, [name])
    assert (utterance.emotion, utterance.text, utterance.speaker) == ("fear", "", name)


def test_table_of_absolute_paths_from_a_frame(tmp_path):
    touch(tmp_path / "mine", "sad/anna/one.wav", "happy/two.wav")
    first = read_corpora(tmp_path, ["folder:mine"])
    to_frame(first).to_csv(tmp_path / "listed.csv", index=False)
    again = read_corpora(tmp_path, ["table:listed.csv"])
    assert [(u.path, u.emotion) for u in again] == [(u.path, u.emotion) for u in first]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a table"),
        ("path;label\na.wav;sad\n", "lacks the column path and label; it has path;label"),
        ("path,speaker\nsounds/a.wav,x\n", "lacks the column label; it has path, speaker"),
        ("path,label\nsounds/a.wav,sad,\n", "more fields than the header"),
        ("path,label\nsounds/a.wav,sad\nsounds/b.wav,sad,x,y,z\n", "not a table"),
        ('path,label\n"sounds/a.wav,sad\n', "not a table"),
        ("path,label,Label\nsounds/a.wav,sad,sad\n", "two columns of one name"),
        ("path,label\nsounds/none.wav,sad\n", "row 1 names .*none.wav, which is no file"),
        ("path,label\nsounds/a.wav,sad\nsounds/a.wav,joy\n", "row 2 labels sounds/a.wav happy, an"),
        (
            "path,label,speaker\nsounds/a.wav,sad,x\nsounds/../sounds/a.wav,sad,y\n",
            "row 2 names another speaker of sounds/../sounds/a.wav than an earlier one",
        ),
        ("path,label\n", "no recordings; list them"),
    ],
)
def test_table_that_is_wrong_is_one_line(tmp_path, text, said):
    name = write_table(tmp_path, text)
    with pytest.raises(SerEdgeError, match=said) as caught:
        read_corpora(tmp_path, [name])
    assert str(caught.value).startswith(str(tmp_path / "mine.csv"))
    assert "\n" not in str(caught.value)


def test_table_that_cannot_be_read(tmp_path):
    with pytest.raises(SerEdgeError, match=r"none\.csv: cannot be read \(No such file"):
        read_corpora(tmp_path, ["table:none.csv"])
    name = write_table(tmp_path, "path,label\nsounds/ä.wav,sad\n", encoding="latin-1")
    with pytest.raises(SerEdgeError, match=r"mine\.csv: not a table .*save it as UTF-8"):
        read_corpora(tmp_path, [name])
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(SerEdgeError, match=r"folder\.csv: cannot be read"):
        read_corpora(tmp_path, ["table:folder.csv"])


def test_frame_has_a_row_for_every_utterance(tmp_path):
    touch(tmp_path / "EmoDB", "03a01Fa.wav", "16b10Wb.wav")
    frame = to_frame(read_corpora(tmp_path, ["EmoDB"]))
    assert list(frame.columns) == ["path", "emotion", "speaker", "text", "corpus"]
    assert frame.values.tolist() == [
        [str(tmp_path / "EmoDB" / "03a01Fa.wav"), "happy", "EmoDB-03", "a01", "EmoDB"],
        [str(tmp_path / "EmoDB" / "16b10Wb.wav"), "angry", "EmoDB-16", "b10", "EmoDB"],
    ]
    assert frame.groupby("emotion").size().to_dict() == {"angry": 1, "happy": 1}
    assert list(to_frame([]).columns) == list(frame.columns)
