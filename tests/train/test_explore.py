"""Exploring recordings: measured right, drawn, and warned of what will hurt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_runtime.errors import SerEdgeError
from train.corpora import Utterance, read_corpora
from train.explore import draw, measure

from .html_page import HtmlPage

RATE = 16000


def explored(utterances: list[Utterance], folder: Path) -> Path:
    return draw(measure(utterances), utterances, folder)


def sine(seconds: float = 0.5, level: float = 0.5, rate: int = RATE, hertz: float = 400.0):
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


class Collection:
    """Recordings in a folder, of as many speakers and classes as wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.utterances: list[Utterance] = []

    def add(
        self,
        samples: np.ndarray | bytes,
        emotion: str = "happy",
        speaker: str = "A",
        rate: int = RATE,
        corpus: str = "X",
    ) -> str:
        name = f"u{len(self.utterances):03d}"
        path = self.folder / f"{name}.wav"
        if isinstance(samples, bytes):
            path.write_bytes(samples)
        else:
            soundfile.write(path, samples, rate, subtype="FLOAT")
        self.utterances.append(Utterance(path, emotion, speaker, "", corpus))
        return f"{corpus}/{name}"

    def add_good(self, emotions=("happy", "sad"), speakers=("A", "B"), each: int = 30) -> None:
        for speaker in speakers:
            for emotion in emotions:
                for _ in range(each):
                    # Of another frequency each, so that none is a duplicate.
                    self.add(sine(hertz=300.0 + len(self.utterances)), emotion, speaker)

    def warning(self, words: str) -> str:
        """The only warning with these words."""
        (found,) = [text for text in measure(self.utterances)["warnings"] if words in text]
        return found


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    (tmp_path / "sounds").mkdir()
    return Collection(tmp_path / "sounds")


# --- measures -------------------------------------------------------------------------------------


def test_measures_by_hand(collection):
    half_silent = np.concatenate([sine(1.0, 0.5), np.zeros(RATE)])
    collection.add(half_silent)
    stereo = np.stack([sine(0.5, 1.0, 44100), np.zeros(22050)], axis=1)
    collection.add(stereo, rate=44100)
    one, other = measure(collection.utterances)["files"]
    assert one["seconds"] == 2.0
    assert (one["sample_rate"], one["channels"]) == (RATE, 1)
    # A sine of half the full scale, half of the time: 6.02 + 3.01 dB below a full one.
    assert one["level_dbfs"] == pytest.approx(-9.03, abs=0.02)
    assert one["peak_dbfs"] == pytest.approx(-6.02, abs=0.02)
    assert one["silence"] == 0.5
    assert one["clipped"] == 0.0
    assert (other["sample_rate"], other["channels"]) == (44100, 2)
    assert other["level_dbfs"] == pytest.approx(-6.02, abs=0.02)  # of the channels' average
    assert other["clipped"] > 0.01


def test_summary_counts_by_class_corpus_and_speaker(collection):
    for emotion, speaker, corpus in (
        ("sad", "A", "X"),
        ("happy", "A", "X"),
        ("boredom", "B", "Y"),
        ("happy", "Y", "Y"),
    ):
        collection.add(sine(0.9, hertz=300 + len(emotion)), emotion, speaker, corpus=corpus)
    summary = measure(collection.utterances)
    assert (summary["utterances"], summary["readable"]) == (4, 4)
    assert summary["hours"] == pytest.approx(4 * 0.9 / 3600, abs=5e-5)
    # The project's labels first, in their order.
    assert list(summary["classes"]) == ["happy", "sad", "boredom"]
    assert summary["classes"]["happy"]["utterances"] == 2
    assert summary["corpora"]["X"]["classes"] == {"happy": 1, "sad": 1}
    assert summary["corpora"]["Y"]["speakers"] == 1  # the other is unknown
    assert summary["speakers"]["A"] == {"happy": 1, "sad": 1}
    assert summary["sample_rates"] == {"16000": 4}
    assert json.loads(json.dumps(summary)) == summary


def test_processes_give_the_same(collection):
    collection.add_good(each=2)
    collection.add(b"no sound")
    assert measure(collection.utterances, jobs=2) == measure(collection.utterances, jobs=1)


def test_nothing_to_look_at_is_said():
    with pytest.raises(SerEdgeError, match="no recordings"):
        measure([])


# --- warnings -------------------------------------------------------------------------------------


def test_good_recordings_raise_no_warning(collection):
    collection.add_good()
    assert measure(collection.utterances)["warnings"] == []


def test_broken_files_are_listed_and_not_fatal(collection):
    collection.add_good(each=2)
    broken = [
        collection.add(content)
        for content in (b"", b"RIFF1234", b"this is no sound at all, only text")
    ]
    collection.add(np.full(RATE, np.nan))
    measured = measure(collection.utterances)
    assert (measured["utterances"], measured["readable"]) == (12, 8)
    paths = [str(utterance.path) for utterance in collection.utterances[-4:]]
    assert [one["path"] for one in measured["broken"]] == paths
    assert all(one["reason"] and "\n" not in one["reason"] for one in measured["broken"])
    assert "4 recordings" in collection.warning("Cannot be read")
    assert broken[0] in collection.warning("Cannot be read")


def test_only_broken_files(collection, tmp_path):
    collection.add(b"")
    page = HtmlPage(explored(collection.utterances, tmp_path / "out"))
    assert "cannot be read 1" in page.text


@pytest.mark.parametrize(
    ("sound", "rate", "words"),
    [
        (sine(0.2), RATE, "Shorter than 0.25 s"),
        (sine(level=0.0005), RATE, "Silent"),
        (np.zeros(RATE), RATE, "Silent"),
        (np.clip(sine(level=3.0), -1, 1), RATE, "Clipped"),
        (sine(rate=8000), 8000, "Sampled below 16 kHz"),
    ],
)
def test_recordings_that_will_hurt_are_named(collection, sound, rate, words):
    collection.add_good()
    name = collection.add(sound, rate=rate)
    assert f"1 recording, {name}." in collection.warning(words)
    assert len(measure(collection.utterances)["warnings"]) == 1


def test_duplicates_by_content(collection):
    collection.add_good()
    one, other = collection.add(sine(0.7), "happy"), collection.add(sine(0.7), "sad")
    assert f"2 recordings, {one} = {other}." in collection.warning("both sides of a split")
    assert f"{one} (happy) = {other} (sad)" in collection.warning("labelled differently")
    paths = [[str(utterance.path) for utterance in collection.utterances[-2:]]]
    assert measure(collection.utterances)["duplicates"] == paths


def test_small_classes(collection):
    collection.add_good(each=70)
    collection.add_good(["fear"], each=16)
    collection.add_good(["disgust"], each=1)
    assert "fear has only 32 utterances" in collection.warning("weight the classes")
    assert "disgust has only 2 utterances" in collection.warning("too few to judge it on")


def test_single_class(collection):
    collection.add_good(["happy"])
    assert "happy" in collection.warning("single class, happy")


def test_speakers_of_one_class_and_classes_of_one_speaker(collection):
    collection.add_good()
    collection.add_good(["fear"], ["C"])
    assert "1 speaker, C (fear)." in collection.warning("recordings of a single class")
    assert "speaks fear" in collection.warning("Only one speaker")


def test_names_of_speakers_that_differ_in_case_alone(collection):
    collection.add_good(speakers=["Anna", "ben"])
    collection.add_good(speakers=["anna"])
    assert "Anna = anna." in collection.warning("upper and lower case")


def test_single_speaker(collection):
    collection.add_good(speakers=["A"])
    assert collection.warning("single speaker, A")


def test_unknown_speakers(collection):
    collection.add_good(speakers=["X"])
    text = collection.warning("unknown")
    assert "60 utterances" in text
    assert len(measure(collection.utterances)["warnings"]) == 1


def test_class_of_one_corpus_only(collection):
    collection.add_good()
    for _ in range(30):
        for speaker, emotion in (("C", "boredom"), ("D", "boredom"), ("C", "sad"), ("D", "happy")):
            hertz = 300.0 + len(collection.utterances)
            collection.add(sine(hertz=hertz), emotion, speaker, corpus="Y")
    assert "boredom" in collection.warning("Only one of the corpora")


# --- the report -----------------------------------------------------------------------------------


def test_report_shows_what_was_measured(collection, tmp_path):
    collection.add_good(each=2)
    collection.add(b"no sound at all")
    collection.add(sine(0.7), "happy")
    collection.add(sine(0.7), "sad")
    measured = measure(collection.utterances)
    path = draw(measured, collection.utterances, tmp_path / "out" / "deep")
    assert path == tmp_path / "out" / "deep" / "explore.html"
    page = HtmlPage(path)
    for text in measured["warnings"]:
        assert " ".join(text.split()) in page.text
    assert measured["broken"][0]["path"] in page.text
    assert " = ".join(measured["duplicates"][0]) in page.text
    names = ["classes", "durations", "levels", "speakers", "example_1_happy", "example_2_sad"]
    assert sorted(file.stem for file in path.parent.glob("*.png")) == sorted(names)
    beside = [(path.parent / f"{name}.png").read_bytes() for name in names]
    assert sorted(page.pictures) == sorted(beside)


def test_labels_of_ones_own_are_text_and_no_paths(collection, tmp_path):
    for emotion in ("<script>x</script>", "$\\frac{", "../../up"):
        for speaker in ("<b>A</b>", "B"):
            collection.add(sine(hertz=300 + len(collection.utterances)), emotion, speaker)
    page = HtmlPage(explored(collection.utterances, tmp_path / "out"))
    assert "script" not in page.tags
    assert "<script>x</script>" in page.text
    assert len(page.pictures) == 7
    assert {path.name for path in tmp_path.iterdir()} == {"out", "sounds"}


def test_many_speakers_and_recordings_of_any_rate_and_length(collection, tmp_path):
    for number in range(45):
        collection.add(sine(0.3, hertz=300 + number), speaker=f"S{number}")
    collection.add(sine(0.5, rate=96000, hertz=100), "sad", rate=96000)
    collection.add(sine(0.5, rate=6000, hertz=100), "fear", rate=6000)
    collection.add(np.ones(3) * 0.1, "angry")  # too short to be drawn
    collection.add(sine(30.0, hertz=100), "happy")
    page = HtmlPage(explored(collection.utterances, tmp_path / "out"))
    drawn = {path.stem for path in (tmp_path / "out").glob("example*")}
    assert drawn == {"example_1_happy", "example_2_sad", "example_4_fear"}
    assert len(page.pictures) == 7


def test_a_folder_that_cannot_be_made_is_said(collection, tmp_path):
    collection.add(sine())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SerEdgeError, match="cannot be written"):
        explored(collection.utterances, tmp_path / "file" / "out")


def test_a_number_of_processes_without_meaning_is_said(collection):
    collection.add(sine())
    with pytest.raises(
        SerEdgeError, match=r"--jobs must be 1 or more, or -1 for one per core, not 0"
    ):
        measure(collection.utterances, jobs=0)


def test_real_recordings(real_corpora, tmp_path):
    """RAVDESS holds one recording twice; EmoDB is complete and whole."""
    utterances = read_corpora(real_corpora, ["EmoDB"])
    measured = measure(utterances, jobs=2)
    assert measured["readable"] == 535
    assert measured["corpora"]["EmoDB"]["speakers"] == 10
    assert measured["hours"] == pytest.approx(0.41, abs=0.01)
    page = HtmlPage(draw(measured, utterances, tmp_path))
    assert len(page.pictures) == 4 + 7
    actor = [u for u in read_corpora(real_corpora, ["RAVDESS"]) if u.speaker == "RAVDESS-07"]
    (names,) = measure(actor)["duplicates"]
    assert [Path(name).stem for name in names] == ["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"]
