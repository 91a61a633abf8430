"""ser-edge from outside: a process with arguments, streams and an exit status."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import Classifier, Event
from edge_runtime.metadata import LABELS, UNSURE, ModelMetadata

Run = Callable[..., "subprocess.CompletedProcess[str]"]
EVENT_KEYS = [field.name for field in dataclasses.fields(Event)]
ANSWER_KEYS = ["file", "label", "score", "scores", "duration", "latency_ms", "model", "profile"]
COMMANDS = (
    *("listen", "classify", "enrol", "profiles", "devices", "info", "doctor"),
    "install-service",
)
# The sound is synthesised, and speech to no gate; each window speaks for itself.
EVERY_HOP = (
    *("--gate", "off", "--decision-smoothing", "1", "--decision-minimum-count", "1"),
    *("--decision-hysteresis", "0", "--decision-refractory", "0"),
)
posix_only = pytest.mark.skipif(os.name != "posix", reason="runs a POSIX shell")


@pytest.fixture(scope="module")
def sound(
    tmp_path_factory: pytest.TempPathFactory,
    speech: Callable[..., np.ndarray],
    to_wav: Callable[..., bytes],
) -> Path:
    """Five seconds that sound like speech."""
    path = tmp_path_factory.mktemp("sound") / "speech.wav"
    path.write_bytes(to_wav(speech(5.0)))
    return path


@pytest.fixture(scope="module")
def onnx_model(
    tmp_path_factory: pytest.TempPathFactory,
    make_onnx: Callable[..., Path],
    metadata_for: Callable[..., ModelMetadata],
) -> Path:
    return make_onnx(tmp_path_factory.mktemp("model") / "small.onnx", metadata_for())


def events_of(stdout: str) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in stdout.splitlines()]
    for event in events:
        assert sum(event["scores"].values()) == pytest.approx(1.0, abs=1e-4)
        assert event["score"] == max(event["scores"].values())
        assert list(event["scores"]) == list(LABELS)
        assert event["latency_ms"] >= 0.0
        assert datetime.fromisoformat(event["time"]).utcoffset() is not None
    return events


def error_line(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    """The one line on standard error of a run that failed."""
    assert done.returncode == status
    (line,) = done.stderr.splitlines()
    assert line.startswith("ser-edge: ")
    return line


# --- listen -------------------------------------------------------------------------------------


def test_listen_writes_one_json_object_per_event(ser_edge: Run, sound: Path) -> None:
    done = ser_edge("listen", "--source", sound, "--format", "jsonl", *EVERY_HOP)
    assert done.returncode == 0
    classifier = Classifier()
    events = events_of(done.stdout)
    assert all(list(event) == EVENT_KEYS for event in events)
    assert {event["model"] for event in events} == {classifier.model_id}
    assert (events[0]["kind"], events[0]["start"]) == ("start", 0.0)
    ends = [event["end"] for event in events if event["kind"] != "end"]
    assert np.diff(ends) == pytest.approx(classifier.metadata.hop_seconds, abs=0.02)
    (log,) = done.stderr.splitlines()
    assert "listening to" in log
    assert classifier.model_id in log


def test_listen_writes_one_line_for_people_per_event(ser_edge: Run, sound: Path) -> None:
    done = ser_edge("listen", "--source", sound, "--hop", "1.0", *EVERY_HOP)
    lines = [line for line in done.stdout.splitlines() if "  end  " not in line]
    assert done.returncode == 0
    assert len(lines) == 3
    assert all(any(label in line for label in (*LABELS, UNSURE)) for line in lines)
    assert all("%" in line and "ms" in line for line in lines)


def test_listen_gets_used_to_a_voice_when_asked_by_flag_variable_or_file(
    ser_edge: Run, sound: Path, tmp_path: Path
) -> None:
    config = tmp_path / "ser-edge.toml"
    config.write_text("[decision]\nadapt = true\n")
    command = ("listen", "--source", sound, "--format", "jsonl", *EVERY_HOP)
    plain = ser_edge(*command)
    asked = [
        ser_edge(*command, "--adapt"),
        ser_edge(*command, env={"SER_EDGE_ADAPT": "1"}),
        ser_edge(*command, "--config", config),
    ]
    wanted = [event["scores"] for event in events_of(asked[0].stdout)]
    assert wanted[0] == events_of(plain.stdout)[0]["scores"]
    assert wanted != [event["scores"] for event in events_of(plain.stdout)]
    for done in asked:
        assert ", adapting, window" in done.stderr
        assert [event["scores"] for event in events_of(done.stdout)] == wanted
    declined = ser_edge(*command, "--config", config, "--no-adapt")
    assert "adapting" not in declined.stderr
    assert len(events_of(declined.stdout)) == len(events_of(plain.stdout))


@pytest.mark.parametrize("pcm_format", ["s16le", "f32le"])
def test_listen_takes_raw_samples_from_a_pipe(
    pcm_format: str, ser_edge: Run, sound: Path, speech: Callable[..., np.ndarray]
) -> None:
    samples = np.round(32767 * speech(5.0))
    raw = samples.astype("<i2").tobytes()
    if pcm_format == "f32le":
        raw = (samples / 32768).astype("<f4").tobytes()
    arguments = ("--pcm-format", pcm_format, "--format", "jsonl", *EVERY_HOP)
    piped = ser_edge("listen", "--source", "-", *arguments, stdin=raw)
    filed = ser_edge("listen", "--source", sound, "--format", "jsonl", *EVERY_HOP)
    assert piped.returncode == 0
    got, wanted = events_of(piped.stdout), events_of(filed.stdout)
    assert got
    assert [event["start"] for event in got] == [event["start"] for event in wanted]
    for one, other in zip(got, wanted):
        for label in LABELS:
            assert one["scores"][label] == pytest.approx(other["scores"][label], abs=0.05)


def test_listen_gives_each_event_as_soon_as_it_is_heard(
    child_environment: dict[str, str], speech: Callable[..., np.ndarray]
) -> None:
    raw = np.round(32767 * speech(3.0)).astype("<i2").tobytes()
    command = [sys.executable, "-m", "edge_runtime.cli", "listen", "--source", "-"]
    command += EVERY_HOP
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(raw)
        process.stdin.flush()
        # The pipe is still open: this line was not held back until its end.
        assert b"%" in process.stdout.readline()
        process.stdin.close()
        assert process.stdout.read().count(b"\n") >= 1
        assert process.wait() == 0


def test_listen_explains_that_a_short_file_has_no_event(
    ser_edge: Run,
    tmp_path: Path,
    speech: Callable[..., np.ndarray],
    to_wav: Callable[..., bytes],
) -> None:
    path = tmp_path / "short.wav"
    path.write_bytes(to_wav(speech(1.0)))
    done = ser_edge("listen", "--source", path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "shorter than the model's window" in done.stderr
    assert "ser-edge classify" in done.stderr


def test_listen_with_a_second_model_and_back_end(
    ser_edge: Run, sound: Path, onnx_model: Path
) -> None:
    model = ("--model", onnx_model, "--backend", "onnxruntime", "--threads", 2)
    done = ser_edge("listen", "--source", sound, *model, "--format", "jsonl", *EVERY_HOP)
    assert done.returncode == 0
    events = events_of(done.stdout)
    n_hops = len([event for event in events if event["kind"] != "end"])
    assert n_hops == 1 + (5 * 16000 - 5040) // 1600
    assert {event["model"] for event in events} == {Classifier(onnx_model).model_id}
    assert "onnxruntime" in done.stderr


# --- classify -----------------------------------------------------------------------------------


def test_classify_answers_for_the_good_files_and_names_the_bad(
    ser_edge: Run, sound: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("this is no sound")
    done = ser_edge("classify", sound, bad, sound, tmp_path / "absent.wav")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{sound}: ") for line in lines)
    assert all(label in lines[0] for label in LABELS)
    errors = done.stderr.splitlines()
    assert [str(bad) in errors[0], "absent.wav" in errors[1], len(errors)] == [True, True, 2]


def test_classify_writes_json_with_the_file(ser_edge: Run, sound: Path) -> None:
    done = ser_edge("classify", "--format", "jsonl", sound, sound)
    assert done.returncode == 0
    assert done.stderr == ""
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 2
    for answer in answers:
        assert list(answer) == ANSWER_KEYS
        assert answer["file"] == str(sound)
        assert answer["duration"] == 5.0
        assert answer["score"] == max(answer["scores"].values())
        assert sum(answer["scores"].values()) == pytest.approx(1.0, abs=1e-4)


@posix_only
def test_file_name_that_is_no_text_stays_on_one_line(
    ser_edge: Run, sound: Path, tmp_path: Path
) -> None:
    try:
        strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe\n.wav"))
        strange.write_bytes(sound.read_bytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    done = ser_edge("classify", strange, env={"PYTHONIOENCODING": "utf-8:strict"})
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert "\\udcff" in line


# --- info and devices ---------------------------------------------------------------------------


def test_info_describes_the_bundled_model(ser_edge: Run) -> None:
    text, stated = ser_edge("info"), ser_edge("info", "--format", "jsonl")
    assert text.returncode == stated.returncode == 0
    assert text.stderr == stated.stderr == ""
    classifier = Classifier()
    assert f"labels: {', '.join(LABELS)}" in text.stdout
    assert "licence: " in text.stdout
    described = json.loads(stated.stdout)
    assert described["sha256"] == classifier.hash
    assert described["bytes"] == classifier.path.stat().st_size
    text = json.dumps({"format": 1, **{key: described[key] for key in list(described)[4:]}})
    assert ModelMetadata.from_json(text) == classifier.metadata


def test_info_describes_a_given_model(ser_edge: Run, onnx_model: Path) -> None:
    done = ser_edge("info", onnx_model)
    assert done.returncode == 0
    assert f"file: {onnx_model}" in done.stdout
    assert "name: small" in done.stdout


def test_info_on_what_is_no_model_fails_in_one_line(ser_edge: Run, sound: Path) -> None:
    assert str(sound) in error_line(ser_edge("info", sound))


def test_devices_lists_or_says_why_not(ser_edge: Run) -> None:
    done = ser_edge("devices", "--format", "jsonl")
    if done.returncode == 0 and done.stdout:
        assert all("name" in json.loads(line) for line in done.stdout.splitlines())
    else:
        (line,) = done.stderr.splitlines()
        assert line.startswith("ser-edge: ")


def test_unknown_device_fails_in_one_line(ser_edge: Run) -> None:
    line = error_line(ser_edge("listen", "--device", "no such microphone"))
    assert "microphone" in line or "PortAudio" in line


# --- usage --------------------------------------------------------------------------------------


def test_help_names_every_command_and_option(ser_edge: Run) -> None:
    done = ser_edge("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("listen", ["--source", "--device", "--hop", "--pcm-format", "--realtime", "--model",
                    "--backend", "--threads", "--format"]),
        ("classify", ["FILE", "--model", "--backend", "--threads", "--format"]),
        ("devices", ["--format"]),
        ("info", ["MODEL", "--format"]),
    ],
)  # fmt: skip
def test_help_of_a_command_states_its_options(
    command: str, options: list[str], ser_edge: Run
) -> None:
    done = ser_edge(command, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert all(option in done.stdout for option in options)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("dance",),
        ("classify",),
        ("classify", "--format", "xml", "a.wav"),
        ("classify", "--threads", "two", "a.wav"),
        ("classify", "--threads", "0", "a.wav"),
        ("classify", "--threads", "100000", "a.wav"),
        ("listen", "--hop", "soon"),
        ("listen", "--hop", "0"),
        ("listen", "--hop", "nan"),
        ("listen", "--pcm-format", "u8"),
        ("listen", "--backend", "torch"),
        ("listen", "surplus"),
        ("info", "--unknown"),
    ],
)
def test_wrong_usage_ends_with_status_2(arguments: tuple[str, ...], ser_edge: Run) -> None:
    done = ser_edge(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    *usage, error = done.stderr.splitlines()
    assert len(usage) <= 1
    assert error.startswith("ser-edge")
    assert ": error: " in error


def test_a_name_with_a_line_break_is_told_on_one_line(ser_edge: Run) -> None:
    done = ser_edge("info", "two\nlines.tflite")
    assert done.returncode == 1
    assert done.stderr == "ser-edge: two\\nlines.tflite: no such model file\n"


def test_version_is_the_packages(ser_edge: Run) -> None:
    from edge_runtime import __version__

    assert ser_edge("--version").stdout == f"ser-edge {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--model", "absent.tflite"), "absent.tflite: no such model file"),
        (("--model", "."), "no such model file"),
        (("--backend", "onnxruntime"), "cannot run .tflite files"),
    ],
)
def test_options_that_cannot_be_met_fail_in_one_line(
    arguments: tuple[str, ...], wanted: str, ser_edge: Run, sound: Path
) -> None:
    assert wanted in error_line(ser_edge("listen", "--source", sound, *arguments))


# --- environment --------------------------------------------------------------------------------


def test_every_option_can_come_from_the_environment(
    ser_edge: Run, sound: Path, onnx_model: Path
) -> None:
    variables = {
        "SER_EDGE_SOURCE": str(sound),
        "SER_EDGE_MODEL": str(onnx_model),
        "SER_EDGE_BACKEND": "onnxruntime",
        "SER_EDGE_THREADS": "2",
        "SER_EDGE_FORMAT": "jsonl",
        "SER_EDGE_HOP": "0.5",
        "SER_EDGE_REALTIME": "no",
        "SER_EDGE_GATE": "off",
        "SER_EDGE_DECISION_MINIMUM_COUNT": "1",
    }
    done = ser_edge("listen", env=variables)
    assert done.returncode == 0
    events = events_of(done.stdout)
    assert {event["model"] for event in events} == {Classifier(onnx_model).model_id}
    assert {event["kind"] for event in events} >= {"start", "end"}
    ends = sorted({event["end"] for event in events})
    assert np.diff(ends) == pytest.approx(0.5)


def test_an_argument_outranks_the_environment(ser_edge: Run, sound: Path) -> None:
    variables = {"SER_EDGE_FORMAT": "jsonl", "SER_EDGE_MODEL": "absent.tflite"}
    bundled = Classifier().path
    done = ser_edge("classify", sound, "--format", "text", "--model", bundled, env=variables)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{sound}: ")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SER_EDGE_FORMAT", "xml"), ("SER_EDGE_THREADS", "two"), ("SER_EDGE_BACKEND", "torch")],
)
def test_senseless_variable_is_named(variable: str, value: str, ser_edge: Run, sound: Path) -> None:
    done = ser_edge("classify", sound, env={variable: value})
    assert done.returncode == 1
    assert f"{variable} must be " in error_line(done)
    assert value in done.stderr


def test_variable_set_to_nothing_is_not_set(ser_edge: Run, sound: Path) -> None:
    names = ("MODEL", "BACKEND", "THREADS", "FORMAT", "HOP", "SOURCE")
    done = ser_edge("classify", sound, env={f"SER_EDGE_{name}": "" for name in names})
    assert done.returncode == 0
    assert done.stdout.startswith(f"{sound}: ")


# --- standard streams that are not as usual -----------------------------------------------------


def shell(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a shell command in which $SER_EDGE is the program."""
    program = f"{sys.executable} -m edge_runtime.cli"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "SER_EDGE": program},
    )


@posix_only
@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_reader_that_goes_away_is_no_error(
    form: str, child_environment: dict[str, str], sound: Path
) -> None:
    listen = f"$SER_EDGE listen --source {sound} --hop 0.02 --format {form} --gate off"
    done = shell(f"{listen} | head -1", child_environment)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "listening to" in done.stderr
    assert done.stderr.count("\n") == 1


@posix_only
@pytest.mark.parametrize("command", ["info", "info --format jsonl", "--help", "--version"])
def test_short_output_into_a_closed_pipe_is_no_error(
    command: str, child_environment: dict[str, str]
) -> None:
    done = shell(f"$SER_EDGE {command} | true", child_environment)
    assert done.stderr == ""


@posix_only
def test_full_disk_under_standard_output_fails_in_one_line(
    child_environment: dict[str, str], sound: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    for command in ("info", f"classify {sound}"):
        done = shell(f"$SER_EDGE {command} > /dev/full", child_environment)
        assert "standard output: cannot be written: No space left" in error_line(done)


@posix_only
def test_closed_standard_streams_do_no_harm(child_environment: dict[str, str], sound: Path) -> None:
    done = shell(f"$SER_EDGE classify {sound} >&-", child_environment)
    assert (done.returncode, done.stderr) == (0, "")
    done = shell(f"$SER_EDGE classify {sound} 2>&-", child_environment)
    assert done.returncode == 0
    assert str(sound) in done.stdout
    done = shell("$SER_EDGE listen --source - <&-", child_environment)
    assert "standard input: is closed" in error_line(done)


@posix_only
def test_terminal_without_unicode_gets_escapes(
    ser_edge: Run,
    tmp_path: Path,
    sound: Path,
    make_onnx: Callable[..., Path],
    metadata_for: Callable[..., ModelMetadata],
) -> None:
    model = make_onnx(tmp_path / "m.onnx", metadata_for(labels=("müde", "froh"), name="käse"))
    done = ser_edge("classify", sound, "--model", model, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "m\\xfcde" in done.stdout
