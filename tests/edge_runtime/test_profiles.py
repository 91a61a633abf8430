"""Profiles through the command line and the library: made of files, used, refused, removed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest

from edge_runtime import Classifier, SerEdgeError, listen
from edge_runtime.enrol.prompts import SENTENCES, prompts
from edge_runtime.metadata import ModelMetadata
from edge_runtime.profiles.array_file import read_arrays, write_arrays
from edge_runtime.profiles.folder import ProfileFolder
from edge_runtime.sources import read_clip

from ..daemon import ROOT, Daemon
from ..disks import fill, small_disk

Run = Callable[..., subprocess.CompletedProcess[str]]
EMOTIONS = ("happy", "sad", "angry")


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory,
    make_onnx: Callable[..., Path],
    metadata_for: Callable[..., ModelMetadata],
) -> Path:
    """A model whose scores know nothing and whose embedding is the mean of its features."""
    outputs = ("scores", "embedding")
    path = tmp_path_factory.mktemp("model") / "small.onnx"
    return make_onnx(path, metadata_for(outputs=outputs))


@pytest.fixture(scope="module")
def clip(speech: Callable[..., np.ndarray], to_wav: Callable[..., bytes]) -> Callable[..., None]:
    """Write what an emotion sounds like: the speed, and with it the pitch, tell it."""

    def write(path: Path, emotion: str, seed: int, seconds: float = 2.0) -> None:
        sound = speech(seconds, seed)
        factor = (1.0, 1.4, 2.0)[EMOTIONS.index(emotion)]
        times = np.arange(0, len(sound) - 1, factor)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_wav(np.interp(times, np.arange(len(sound)), sound)))

    return write


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory, clip: Callable[..., None]) -> Path:
    """Four clips of each of three emotions."""
    folder = tmp_path_factory.mktemp("recordings")
    for emotion in EMOTIONS:
        for seed in range(4):
            clip(folder / emotion / f"{seed}.wav", emotion, seed)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has no profile yet."""
    return {"XDG_DATA_HOME": str(tmp_path / "data")}


@pytest.fixture
def folder(data: dict[str, str]) -> Path:
    return Path(data["XDG_DATA_HOME"]) / "ser-edge" / "profiles"


@pytest.fixture
def enrolled(ser_edge: Run, model: Path, recordings: Path, data: dict[str, str]) -> dict[str, Any]:
    """What enrolling ``anna`` has said."""
    done = ser_edge(
        *("enrol", "anna", "--from", recordings, "--model", model, "--format", "jsonl"), env=data
    )
    assert done.stderr == ""
    assert done.returncode == 0
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a run that was refused."""
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("ser-edge: ")
    return line


# --- made, and used -----------------------------------------------------------------------------


def test_a_profile_of_files_is_small_private_and_active(
    enrolled: dict[str, Any], folder: Path
) -> None:
    assert enrolled["clips"] == dict.fromkeys(EMOTIONS, 4)
    assert enrolled["gain"]["after"] > enrolled["gain"]["before"]
    assert enrolled["active"] is True
    path = folder / "anna.profile"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert path.stat().st_size < 100_000
    assert sorted(one.name for one in folder.iterdir()) == ["active", "anna.profile"]


@pytest.mark.usefixtures("enrolled")
def test_classify_answers_for_the_speaker_and_says_so(
    ser_edge: Run, model: Path, data: dict[str, str], tmp_path: Path, clip: Callable[..., None]
) -> None:
    for emotion in EMOTIONS:
        clip(tmp_path / f"{emotion}.wav", emotion, 1, seconds=3.0)
    files = [tmp_path / f"{emotion}.wav" for emotion in EMOTIONS]
    options = ("--model", model, "--format", "jsonl")
    done = ser_edge("classify", *files, *options, env=data)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    best = [max(answer["scores"], key=answer["scores"].get) for answer in answers]
    assert best == list(EMOTIONS)
    for answer in answers:
        assert answer["profile"] == "anna"
        assert sum(answer["scores"].values()) == pytest.approx(1.0, abs=1e-4)
        # What was not enrolled is not answered.
        assert {label for label, score in answer["scores"].items() if score} <= set(EMOTIONS)
    alone = ser_edge("classify", *files, *options, "--profile", "none", env=data)
    for line, answer in zip(alone.stdout.splitlines(), answers):
        assert json.loads(line)["profile"] is None
        assert json.loads(line)["scores"] != answer["scores"]


@pytest.mark.usefixtures("enrolled")
def test_library_and_listen_give_the_same_as_classify(
    model: Path, data: dict[str, str], recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", data["XDG_DATA_HOME"])
    classifier = Classifier(model, profile="anna")
    audio = read_clip(recordings / "sad" / "0.wav", 16000)
    alone = Classifier(model)
    assert classifier.clip_scores(audio) != pytest.approx(alone.clip_scores(audio), abs=1e-3)
    # The embedding is the model's, whoever is asked for.
    assert classifier.clip_outputs(audio)[1] == pytest.approx(alone.clip_outputs(audio)[1])
    classifier.use(None)
    assert classifier.clip_scores(audio) == pytest.approx(alone.clip_scores(audio))
    events = list(listen([audio], Classifier(model, profile="anna"), gate="off"))
    assert events
    assert {event.profile for event in events} == {"anna"}


def test_more_recordings_are_added_and_the_same_ones_counted_once(
    ser_edge: Run,
    model: Path,
    recordings: Path,
    data: dict[str, str],
    enrolled: dict[str, Any],
    tmp_path: Path,
    clip: Callable[..., None],
) -> None:
    more = tmp_path / "more"
    clip(more / "sad" / "0.wav", "sad", 7)  # of another day, under the same name
    shutil.copy(recordings / "sad" / "0.wav", clip_folder(more / "sad") / "copy.wav")
    # A recording that lay in the wrong folder counts as what it is now.
    shutil.copy(recordings / "happy" / "3.wav", clip_folder(more / "angry") / "moved.wav")
    options = ("--model", model, "--format", "jsonl")
    done = ser_edge("enrol", "anna", "--from", more, *options, env=data)
    assert done.stderr == ""
    assert enrolled["clips"] == {"happy": 4, "sad": 4, "angry": 4}
    assert json.loads(done.stdout)["clips"] == {"happy": 3, "sad": 5, "angry": 5}
    again = ser_edge("enrol", "anna", "--from", recordings, "--again", *options, env=data)
    assert json.loads(again.stdout)["clips"] == enrolled["clips"]
    two = ser_edge(
        *("enrol", "anna", "--from", recordings, "--emotions", "sad,happy", *options), env=data
    )
    assert json.loads(two.stdout)["emotions"] == ["happy", "sad"]


def clip_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_profile_that_does_not_help_is_kept_but_not_active(
    ser_edge: Run,
    model: Path,
    data: dict[str, str],
    folder: Path,
    tmp_path: Path,
    clip: Callable[..., None],
) -> None:
    for number, emotion in enumerate(EMOTIONS):  # sounds of one kind, whatever they are called
        for seed in range(3):
            clip(tmp_path / "alike" / emotion / f"{seed}.wav", "sad", 3 * seed + number)
    options = ("--from", tmp_path / "alike", "--model", model)
    done = ser_edge("enrol", "bert", *options, env=data)
    assert done.returncode == 0
    assert "Not active: it was not shown to help" in done.stdout
    assert not (folder / "active").exists()
    done = ser_edge("enrol", "bert", *options, "--activate", env=data)
    assert "Active" in done.stdout
    assert (folder / "active").read_text() == "bert\n"
    # What somebody chose stays chosen.
    assert "Active" in ser_edge("enrol", "bert", *options, env=data).stdout
    done = ser_edge("enrol", "bert", *options, "--no-activate", env=data)
    assert "Not active" in done.stdout
    assert not (folder / "active").exists()


def test_one_clip_of_each_emotion_says_that_nothing_can_be_said(
    ser_edge: Run, model: Path, data: dict[str, str], tmp_path: Path, clip: Callable[..., None]
) -> None:
    for emotion in EMOTIONS:
        clip(tmp_path / "one" / emotion / "0.wav", emotion, 0)
    done = ser_edge("enrol", "bert", "--from", tmp_path / "one", "--model", model, env=data)
    assert done.returncode == 0
    assert "cannot be told from one clip" in done.stdout
    assert "Not active" in done.stdout


@pytest.mark.usefixtures("enrolled")
def test_profiles_are_listed_shown_chosen_and_removed(
    ser_edge: Run, data: dict[str, str], folder: Path
) -> None:
    listed = ser_edge("profiles", "list", env=data)
    assert listed.stdout.startswith("* anna")
    (line,) = ser_edge("profiles", "list", "--format", "jsonl", env=data).stdout.splitlines()
    shown = ser_edge("profiles", "show", "anna", "--format", "jsonl", env=data)
    assert json.loads(line) == json.loads(shown.stdout)
    assert "UAR" in ser_edge("profiles", "show", "anna", env=data).stdout
    assert ser_edge("profiles", "use", "none", env=data).returncode == 0
    assert ser_edge("profiles", "list", env=data).stdout.startswith("  anna")
    assert ser_edge("profiles", "use", "anna", env=data).returncode == 0
    assert "there: anna" in one_line(ser_edge("profiles", "use", "bert", env=data))
    assert ser_edge("profiles", "remove", "anna", env=data).returncode == 0
    assert list(folder.iterdir()) == []
    assert "no profile 'anna'" in one_line(ser_edge("profiles", "remove", "anna", env=data))
    assert "no profile in" in ser_edge("profiles", "list", env=data).stderr


@pytest.mark.usefixtures("enrolled")
def test_a_reload_changes_the_profile_and_metrics_tell_it(
    model: Path,
    recordings: Path,
    data: dict[str, str],
    tmp_path: Path,
    ser_edge: Run,
    speech: Callable[..., np.ndarray],
) -> None:
    options = ("--from", recordings, "--model", model, "--no-activate")
    assert ser_edge("enrol", "bert", *options, env=data).returncode == 0
    config = tmp_path / "ser-edge.toml"
    config.write_text("")
    pipe = ("--source", "-", "--gate", "off", "--decision-minimum-count", "1", "--format", "jsonl")
    http = ("--http", "127.0.0.1:0", "--model", model)
    with Daemon(*pipe, *http, "--config", config, env=data) as daemon:
        assert "profile anna" in daemon.log.wait_for("listening to")
        address = daemon.log.wait_for("serving ").split()[-1]
        daemon.push(speech(2.0))
        assert daemon.wait_for_event(kind="start")["profile"] == "anna"
        config.write_text('[profile]\nname = "bert"\n')
        daemon.signal("SIGHUP")
        assert "profile bert" in daemon.log.wait_for("reloaded: ")
        daemon.push(speech(2.0))
        assert daemon.wait_for_event(kind="start", profile="bert")["profile"] == "bert"
        assert 'profile="bert"' in urlopen(f"{address}metrics").read().decode()
        config.write_text('[profile]\nname = "carl"\n')
        daemon.signal("SIGHUP")
        assert "no profile 'carl'" in daemon.log.wait_for("not reloaded, what was stays: ")
        config.write_text('[profile]\nname = "none"\n')
        daemon.signal("SIGHUP")
        daemon.log.wait_for(lambda line: "reloaded: " in line and "profile" not in line)
        daemon.push(speech(2.0))
        daemon.wait_for_event(kind="start", profile=None)
        daemon.signal("SIGTERM")
        assert daemon.wait() == 0


@pytest.mark.usefixtures("enrolled")
def test_with_a_profile_in_use_nothing_is_adapted_and_the_log_says_so(
    model: Path, data: dict[str, str], tmp_path: Path, speech: Callable[..., np.ndarray]
) -> None:
    config = tmp_path / "ser-edge.toml"
    config.write_text("[decision]\nadapt = true\n")
    pipe = ("--source", "-", "--gate", "off", "--decision-minimum-count", "1", "--format", "jsonl")
    options = (*pipe, "--http", "127.0.0.1:0", "--model", model, "--config", config)
    with Daemon(*options, env=data) as daemon:
        daemon.log.wait_for("decision.adapt does nothing: the profile anna is in use")
        assert "adapting" not in daemon.log.wait_for("listening to")
        address = next(line for line in daemon.log if "serving " in line).split()[-1]

        def adapts() -> bool:
            told = json.loads(urlopen(f"{address}history").read())
            return bool(told["status"]["about"]["adapts"])

        assert not adapts()
        config.write_text('[decision]\nadapt = true\n[profile]\nname = "none"\n')
        daemon.signal("SIGHUP")
        assert "adapting" in daemon.log.wait_for("reloaded: ")
        assert adapts()
        daemon.push(speech(2.0))
        daemon.wait_for_event(kind="start", profile=None)
        daemon.signal("SIGTERM")
        assert daemon.wait() == 0
    assert sum("does nothing" in line for line in daemon.log) == 1


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../anna", "a/b", "", ".hidden", "none", "a b", "x" * 65, "\U00020000" * 30, "a\n"]
)
def test_names_that_are_no_file_of_the_folder_are_refused(
    name: str, ser_edge: Run, model: Path, recordings: Path, data: dict[str, str], tmp_path: Path
) -> None:
    done = ser_edge("enrol", name, "--from", recordings, "--model", model, env=data)
    assert "cannot be a profile's name" in one_line(done)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def other(
    tmp_path: Path,
    make_onnx: Callable[..., Path],
    metadata_for: Callable[..., ModelMetadata],
) -> Path:
    """Another model than that of the profiles."""
    metadata = metadata_for(name="other", outputs=("scores", "embedding"))
    return make_onnx(tmp_path / "other.onnx", metadata)


@pytest.mark.usefixtures("enrolled")
def test_a_profile_of_another_model_is_refused_by_name_and_left_aside_otherwise(
    ser_edge: Run,
    recordings: Path,
    data: dict[str, str],
    other: Path,
) -> None:
    sound = recordings / "sad" / "0.wav"
    done = ser_edge("classify", sound, "--model", other, "--profile", "anna", env=data)
    line = one_line(done)
    assert "was made with the model small@" in line
    assert "ser-edge enrol anna --again" in line
    assert done.stdout == ""
    # Nobody asked for it by name: a daemon goes on after an upgrade.
    done = ser_edge("classify", sound, "--model", other, "--format", "jsonl", env=data)
    assert done.returncode == 0
    assert json.loads(done.stdout)["profile"] is None
    assert "the active profile is not used" in done.stderr


@pytest.mark.usefixtures("enrolled")
def test_enrolling_with_another_model_asks_before_it_replaces(
    ser_edge: Run,
    recordings: Path,
    data: dict[str, str],
    folder: Path,
    other: Path,
) -> None:
    before = (folder / "anna.profile").read_bytes()
    options = ("--from", recordings, "--model", other, "--format", "jsonl")
    line = one_line(ser_edge("enrol", "anna", *options, env=data))
    assert "--again" in line
    assert (folder / "anna.profile").read_bytes() == before
    done = ser_edge("enrol", "anna", *options, "--again", env=data)
    assert json.loads(done.stdout)["model_id"].startswith("other@")


@pytest.mark.usefixtures("enrolled")
def test_stopped_before_a_clip_it_says_which_command_goes_on(
    ser_edge: Run, model: Path, data: dict[str, str], folder: Path
) -> None:
    before = (folder / "anna.profile").read_bytes()
    enrol = ("enrol", "anna", "--model", model, "--emotions", "happy,sad,angry")
    stopped = ser_edge(*enrol, stdin=b"q\n", env=data)
    assert "12 in all; the same command goes on" in one_line(stopped)
    # What was there is asked for once more, and that command again would begin anew once more.
    again = ser_edge(*enrol, "--again", stdin=b"q\n", env=data)
    assert "0 in all; the same command without --again goes on" in one_line(again)
    assert (folder / "anna.profile").read_bytes() == before


@pytest.mark.usefixtures("enrolled")
def test_two_enrolments_at_once_are_refused(
    ser_edge: Run, model: Path, recordings: Path, data: dict[str, str], folder: Path
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = ser_edge("enrol", "bert", "--from", recordings, "--model", model, env=data)
    finally:
        os.close(descriptor)
    assert "is being enrolled there already" in one_line(done)


def test_writers_of_one_file_leave_it_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "anna.profile"
    write = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from edge_runtime.profiles.array_file import write_arrays\n"
        "for _ in range(40): write_arrays(Path(sys.argv[1]), {'n': 1}, {'a': np.zeros(5000)})"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", write, str(path)], cwd=ROOT) for _ in range(3)
    ]
    n_read = 0
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert len(read_arrays(path)[1]["a"]) == 5000
            n_read += 1
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert n_read > 0
    assert [one.name for one in tmp_path.iterdir()] == ["anna.profile"]


@pytest.mark.usefixtures("enrolled")
def test_doctor_looks_at_the_profile(
    ser_edge: Run, model: Path, data: dict[str, str], tmp_path: Path
) -> None:
    def check(config: str, *options: object) -> dict[str, Any]:
        path = tmp_path / "ser-edge.toml"
        path.write_text(f'[source]\nsource = "-"\n{config}')
        done = ser_edge("doctor", "--config", path, "--format", "jsonl", *options, env=data)
        checks = [json.loads(line) for line in done.stdout.splitlines()]
        return next(check for check in checks if check["name"] == "profile")

    assert check("", "--model", model)["outcome"] == "ok"
    assert check("")["outcome"] == "warn"  # the bundled model is another
    assert check('[profile]\nname = "anna"\n')["outcome"] == "fail"
    assert "no profile 'bert'" in check('[profile]\nname = "bert"\n', "--model", model)["found"]


def test_a_model_without_embedding_is_refused(
    ser_edge: Run,
    recordings: Path,
    data: dict[str, str],
    tmp_path: Path,
    make_onnx: Callable[..., Path],
    metadata_for: Callable[..., ModelMetadata],
) -> None:
    scores_alone = make_onnx(tmp_path / "old.onnx", metadata_for())
    done = ser_edge("enrol", "anna", "--from", recordings, "--model", scores_alone, env=data)
    assert "has no output 'embedding'" in one_line(done)
    assert "ser-convert" in done.stderr


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "pickle", "inside"])
@pytest.mark.usefixtures("enrolled")
def test_a_damaged_profile_is_one_line(
    damage: str, ser_edge: Run, recordings: Path, model: Path, data: dict[str, str], folder: Path
) -> None:
    path = folder / "anna.profile"
    content = path.read_bytes()
    if damage == "pickle":
        np.savez(path.with_suffix(".npz"), about=np.array([{}], dtype=object))
        path.with_suffix(".npz").replace(path)
    else:
        broken = bytearray(content)
        broken[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
        kinds = {"cut": content[:-200], "text": b"no profile", "empty": b"", "inside": broken}
        path.write_bytes(kinds[damage])
    sound = recordings / "sad" / "0.wav"
    done = ser_edge("classify", sound, "--model", model, "--profile", "anna", env=data)
    assert "is damaged" in one_line(done)
    assert "enrol again" in done.stderr
    listed = ser_edge("profiles", "list", env=data)
    assert "is damaged" in one_line(listed)
    assert ser_edge("profiles", "remove", "anna", env=data).returncode == 0


HOSTILE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no format": ({"format": None}, {}),
    "format as text": ({"format": "2"}, {}),
    "a gain of text": ({"gain": {"clips": 1, "emotions": 1, "before": "a"}}, {}),
    "no emotions": ({"emotions": []}, {}),
    "an emotion twice": ({"emotions": ["happy", "happy", "sad"]}, {}),
    "unknown emotions": ({"emotions": ["joy", "sad", "angry"]}, {}),
    "a prior that is no number": ({"prior_weight": float("nan")}, {}),
    "a name that is a command": ({"model_id": "\x1b[2J\n"}, {}),
    "weights too large": ({}, {"weights": np.full((10, 3), 3e38)}),
    "weights that are no numbers": ({}, {"weights": np.full((10, 3), np.nan)}),
    "complex weights": ({}, {"weights": np.zeros((10, 3), complex)}),
    "weights of another width": ({}, {"weights": np.zeros((9, 3))}),
    "clips of another width": ({}, {"embeddings": np.zeros((12, 9))}),
    "clips of no label": ({}, {"emotions": np.array(["joy"] * 12)}),
    "fewer clips": ({}, {"embeddings": np.zeros((2, 10))}),
}


@pytest.mark.parametrize("change", HOSTILE)
@pytest.mark.usefixtures("enrolled")
def test_a_profile_that_says_nonsense_is_one_line(
    change: str, ser_edge: Run, recordings: Path, model: Path, data: dict[str, str], folder: Path
) -> None:
    about, arrays = read_arrays(folder / "anna.profile")
    abouts, others = HOSTILE[change]
    write_arrays(folder / "anna.profile", {**about, **abouts}, {**arrays, **others})
    options = ("--model", model, "--profile", "anna")
    done = ser_edge("classify", recordings / "sad" / "0.wav", *options, env=data)
    assert "is damaged" in one_line(done)
    assert done.stdout == ""
    assert "is damaged" in one_line(ser_edge("profiles", "list", env=data))


@pytest.mark.usefixtures("enrolled")
def test_a_profile_of_a_later_ser_edge_says_to_upgrade(
    ser_edge: Run, data: dict[str, str], folder: Path
) -> None:
    about, arrays = read_arrays(folder / "anna.profile")
    write_arrays(folder / "anna.profile", {**about, "format": 99}, arrays)
    assert "pip install --upgrade" in one_line(ser_edge("profiles", "show", "anna", env=data))


def test_more_than_can_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "anna.profile"
    with pytest.raises(SerEdgeError, match="too large to be read again"):
        write_arrays(path, {}, {"a": np.zeros(1_000_000)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("enrolled")
def test_capitals_alone_make_no_other_profile(
    ser_edge: Run, model: Path, recordings: Path, data: dict[str, str]
) -> None:
    done = ser_edge("enrol", "Anna", "--from", recordings, "--model", model, env=data)
    assert "there is a profile 'anna'" in one_line(done)


def test_letters_of_other_languages_have_one_spelling(
    ser_edge: Run, model: Path, recordings: Path, data: dict[str, str], folder: Path
) -> None:
    options = ("--from", recordings, "--model", model)
    assert ser_edge("enrol", "Jose\u0301", *options, env=data).returncode == 0
    assert (folder / "Jos\u00e9.profile").exists()
    assert ser_edge("profiles", "remove", "Jos\u00e9", env=data).returncode == 0


@pytest.mark.usefixtures("enrolled")
def test_remove_leaves_nothing_of_a_writer_that_was_killed(
    ser_edge: Run, data: dict[str, str], folder: Path
) -> None:
    (folder / ".anna.profile.123").write_text("half a profile")
    (folder / "..anna.unfinished.123").write_text("half an enrolment")
    assert ser_edge("profiles", "remove", "anna", env=data).returncode == 0
    assert list(folder.iterdir()) == []


def test_what_does_not_go_together_is_refused(
    ser_edge: Run, model: Path, recordings: Path, data: dict[str, str], tmp_path: Path
) -> None:
    enrol = ("enrol", "anna", "--model", model)
    files = (*enrol, "--from", recordings)
    assert "not with --from" in one_line(ser_edge(*files, "--clips", "3", env=data))
    assert "not with --from" in one_line(ser_edge(*files, "--keep-audio", tmp_path, env=data))
    assert "finds the end of a sentence" in one_line(ser_edge(*enrol, "--gate", "off", env=data))
    nowhere = ("--keep-audio", "/proc/nowhere")
    assert "--keep-audio" in one_line(ser_edge(*enrol, *nowhere, env=data))
    fear = ser_edge(*files, "--emotions", "fear,disgust", env=data)
    assert "holds no folder for fear, disgust" in one_line(fear)


def test_what_is_no_recording_is_said_and_the_rest_is_used(
    ser_edge: Run,
    model: Path,
    data: dict[str, str],
    tmp_path: Path,
    clip: Callable[..., None],
    to_wav: Callable[..., bytes],
) -> None:
    for emotion in EMOTIONS:
        for seed in range(2):
            clip(tmp_path / "some" / emotion / f"{seed}.wav", emotion, seed)
    (tmp_path / "some" / "sad" / "notes.txt").write_text("not a sound")
    (tmp_path / "some" / "sad" / "silent.wav").write_bytes(to_wav(np.zeros(32000)))
    options = ("--from", tmp_path / "some", "--model", model)
    done = ser_edge("enrol", "anna", *options, env=data)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert "notes.txt" in lines[0]
    assert "silent.wav: is silent" in lines[1]
    assert "6 clips" in done.stdout


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ("absent", "cannot be read"),
        ("empty", "holds no LABEL/FILE"),
        ("wrong", "'joy' is none of the model's labels"),
        ("silent", "none of its 2 recordings can be used"),
        ("one", "at least two emotions"),
        ("without", "no clip of angry"),
    ],
)
def test_folders_that_make_no_profile_are_one_line_and_change_nothing(
    make: str,
    said: str,
    ser_edge: Run,
    model: Path,
    data: dict[str, str],
    folder: Path,
    tmp_path: Path,
    clip: Callable[..., None],
    to_wav: Callable[..., bytes],
) -> None:
    given = tmp_path / "given"
    options: tuple[object, ...] = ()
    if make != "absent":
        given.mkdir()
    if make == "wrong":
        clip(given / "joy" / "0.wav", "happy", 0)
    if make == "silent":
        for emotion in EMOTIONS[:2]:
            (given / emotion).mkdir()
            (given / emotion / "0.wav").write_bytes(to_wav(np.zeros(32000)))
    if make in ("one", "without"):
        clip(given / "happy" / "0.wav", "happy", 0)
    if make == "without":
        clip(given / "sad" / "0.wav", "sad", 0)
        options = ("--emotions", "happy,sad,angry")
    done = ser_edge("enrol", "anna", "--from", given, "--model", model, *options, env=data)
    assert said in done.stderr
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (folder / "anna.profile").exists()


@pytest.mark.parametrize("emotions", ["happy,joy", "happy", ""])
def test_emotions_that_the_model_does_not_know_are_refused(
    emotions: str, ser_edge: Run, model: Path, recordings: Path, data: dict[str, str]
) -> None:
    options = ("--from", recordings, "--model", model, "--emotions", emotions)
    assert "the model knows neutral, happy" in one_line(
        ser_edge("enrol", "anna", *options, env=data)
    )


def test_a_full_disk_loses_nothing(
    ser_edge: Run, model: Path, recordings: Path, tmp_path: Path, clip: Callable[..., None]
) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        options = ("--model", model, "--profile-dir", disk / "profiles")
        assert ser_edge("enrol", "anna", "--from", recordings, *options).returncode == 0
        before = (disk / "profiles" / "anna.profile").read_bytes()
        fill(disk / "rest")
        clip(tmp_path / "more" / "sad" / "new.wav", "sad", 8)
        done = ser_edge("enrol", "anna", "--from", tmp_path / "more", *options)
        assert "cannot be written (No space left on device)" in one_line(done)
        assert (disk / "profiles" / "anna.profile").read_bytes() == before
        assert sorted(one.name for one in (disk / "profiles").iterdir()) == [
            "active",
            "anna.profile",
        ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give")
def test_what_root_enrols_belongs_to_the_service(
    ser_edge: Run, model: Path, recordings: Path, tmp_path: Path
) -> None:
    profiles = tmp_path / "state" / "profiles"
    profiles.parent.mkdir()
    os.chown(profiles.parent, 1234, 4321)
    options = ("--from", recordings, "--model", model)
    done = ser_edge("enrol", "anna", *options, env={"STATE_DIRECTORY": str(profiles.parent)})
    assert done.returncode == 0
    for path in (profiles, profiles / "anna.profile", profiles / "active"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def test_a_profile_under_another_name_is_refused(enrolled: dict[str, Any], folder: Path) -> None:
    assert enrolled["name"] == "anna"
    (folder / "anna.profile").rename(folder / "bert.profile")
    with pytest.raises(SerEdgeError, match="is the profile 'anna'"):
        ProfileFolder(folder).read("bert")


def test_a_name_is_the_same_however_its_accents_are_spelt(
    ser_edge: Run, model: Path, recordings: Path, data: dict[str, str], folder: Path
) -> None:
    composed, decomposed = "zo\u00eb", "zoe\u0308"
    options = ("--from", recordings, "--model", model, "--no-activate")
    assert ser_edge("enrol", decomposed, *options, env=data).returncode == 0
    assert ser_edge("profiles", "use", decomposed, env=data).returncode == 0
    assert ProfileFolder(folder).active() == composed
    assert ser_edge("profiles", "list", env=data).stdout.startswith(f"* {composed}")
    assert ser_edge("profiles", "remove", decomposed, env=data).returncode == 0
    assert ProfileFolder(folder).active() is None
    assert ProfileFolder(folder).names() == []


# --- prompts ------------------------------------------------------------------------------------


def test_prompts_go_round_the_emotions_and_no_sentence_belongs_to_one() -> None:
    asked = prompts(EMOTIONS, 12)
    assert len({prompt.source for prompt in asked}) == len(asked) == 36
    for first in range(0, len(asked), 3):
        turn = asked[first : first + 3]
        assert tuple(prompt.emotion for prompt in turn) == EMOTIONS
        assert len({prompt.sentence for prompt in turn}) == 1
    assert {prompt.sentence for prompt in asked} == set(SENTENCES)
