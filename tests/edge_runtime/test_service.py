"""The daemon as a process: it ends in order, reloads, and keeps what works."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.classifier import DEFAULT_MODEL

from ..daemon import ROOT, Daemon
from ..disks import small_disk
from ..some_events import wait_until

PIPE = ("--source", "-", "--gate", "off", "--decision-minimum-count", "1")
JSONL = (*PIPE, "--format", "jsonl")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ser-edge.toml"
    path.write_text("")
    return path


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[tuple[dict[str, str], socket.socket]]:
    """The environment of a service, and the socket that it tells its state."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(20.0)
        yield {"NOTIFY_SOCKET": str(tmp_path / "notify")}, receiver


def messages_until(receiver: socket.socket, text: str) -> list[str]:
    got: list[str] = []
    while not any(text in one for one in got):
        got.append(receiver.recv(4096).decode())
    return got


# --- to the end ---------------------------------------------------------------------------------


def test_a_source_that_ends_ends_the_daemon_with_all_events_out(speech) -> None:
    with Daemon(*JSONL) as daemon:
        daemon.push(speech(6.0))
        daemon.end_of_input()
        assert daemon.wait() == 0
        daemon.output.all()
        kinds = [event["kind"] for event in daemon.events]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert kinds.count("start") == kinds.count("end")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_in_order_within_two_seconds(speech, name: str) -> None:
    with Daemon(*JSONL) as daemon:
        daemon.push(speech(4.0))
        daemon.wait_for_event(kind="start")
        asked = time.monotonic()
        daemon.signal(name)
        assert daemon.wait() == 0
        assert time.monotonic() - asked < 2.0
        daemon.output.all()
        assert daemon.events[-1]["kind"] == "end"
        assert not any("Traceback" in line for line in daemon.log.all())


def test_a_second_signal_ends_it_at_once(speech, tmp_path: Path) -> None:
    with Daemon(*JSONL) as daemon:
        daemon.is_listening()
        daemon.signal("SIGINT")
        daemon.signal("SIGINT")
        assert daemon.wait() in (0, 130)
        assert not any("Traceback" in line for line in daemon.log.all())


def test_a_killed_daemon_leaves_whole_lines(speech, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with Daemon(*PIPE, "--format", "jsonl", "--jsonl-file", str(path)) as daemon:
        daemon.push(speech(8.0))
        daemon.wait_for_event(kind="update")
        daemon.signal("SIGKILL")
        assert daemon.wait() == -9
    lines = path.read_text().splitlines()
    assert all(json.loads(line)["model"] for line in lines)


def test_a_reader_of_its_output_that_goes_away_ends_it_quietly() -> None:
    listen = f"{sys.executable} -m edge_runtime.cli listen --source examples/demo.wav --gate off"
    done = subprocess.run(
        ["bash", "-c", f"{listen} --realtime | head -1; echo ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    event, status = done.stdout.splitlines()
    assert "start" in event
    assert status == "0"
    assert "Traceback" not in done.stderr


# --- the service manager ------------------------------------------------------------------------


def test_the_service_manager_is_told_of_readiness_life_reload_and_end(
    config: Path, notified, speech
) -> None:
    environment, receiver = notified
    with Daemon(*PIPE, "--config", config, env=environment) as daemon:
        messages_until(receiver, "STATUS=listening: standard input")
        messages_until(receiver, "READY=1")
        messages_until(receiver, "WATCHDOG=1")
        daemon.signal("SIGHUP")
        messages_until(receiver, "RELOADING=1")
        messages_until(receiver, "READY=1")
        daemon.signal("SIGTERM")
        messages_until(receiver, "STOPPING=1")
        assert daemon.wait() == 0


# --- reload -------------------------------------------------------------------------------------


def test_a_reload_takes_other_outputs_and_goes_on(config: Path, tmp_path: Path, speech) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    config.write_text(f'[jsonl]\nfile = "{first}"\n')
    with Daemon(*JSONL, "--config", config) as daemon:
        daemon.push(speech(4.0))
        daemon.wait_for_event(kind="update")
        config.write_text(f'[jsonl]\nfile = "{second}"\n')
        daemon.signal("SIGHUP")
        daemon.log.wait_for("reloaded: ")
        daemon.push(speech(4.0))
        daemon.end_of_input()
        assert daemon.wait() == 0
        daemon.output.all()
        events = daemon.events
    kept = [*first.read_text().splitlines(), *second.read_text().splitlines()]
    assert [json.loads(line) for line in kept] == events
    assert second.read_text()
    # The listening went on: no window had to be filled anew.
    assert [event["kind"] for event in events].count("start") == len(
        {event["start"] for event in events if event["kind"] == "start"}
    )


def test_a_reload_of_other_outputs_keeps_what_it_got_used_to(
    config: Path, tmp_path: Path, speech
) -> None:
    """The same speech, with a reload in it and without: the scores are the same to the last."""
    adapt, path = "[decision]\nadapt = true\n", tmp_path / "events.jsonl"

    def heard(text: str) -> list[dict[str, float]]:
        config.write_text(adapt)
        with Daemon(*JSONL, "--config", config) as daemon:
            daemon.push(speech(4.0))
            daemon.wait_for_event(kind="update")
            config.write_text(text)
            daemon.signal("SIGHUP")
            assert "adapting" in daemon.log.wait_for("reloaded: ")
            daemon.push(speech(4.0, 1))
            daemon.end_of_input()
            assert daemon.wait() == 0
            daemon.output.all()
            return [event["scores"] for event in daemon.events]

    assert heard(f'{adapt}[jsonl]\nfile = "{path}"\n') == heard(adapt)
    assert len(path.read_text().splitlines()) > 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gate]\nkind = 'ears'\n", "line 2: gate.kind must be one of"),
        ("[gate\n", "is no valid TOML"),
        ("[model]\nfile = '/nowhere/model.tflite'\n", "/nowhere/model.tflite"),
        ("[jsonl]\nfile = '/nowhere/events.jsonl'\n", "/nowhere"),
        ("[http]\naddress = '0.0.0.0:0'\n", "token"),
    ],
)
def test_settings_that_are_no_good_leave_the_old_ones(
    config: Path, tmp_path: Path, speech, text: str, said: str
) -> None:
    path = tmp_path / "events.jsonl"
    config.write_text(f'[jsonl]\nfile = "{path}"\n')
    with Daemon(*JSONL, "--config", config) as daemon:
        daemon.is_listening()
        config.write_text(text)
        daemon.signal("SIGHUP")
        assert said in daemon.log.wait_for("not reloaded, what was stays: ")
        daemon.push(speech(4.0))
        daemon.end_of_input()
        assert daemon.wait() == 0
        daemon.output.all()
        assert [json.loads(line) for line in path.read_text().splitlines()] == daemon.events
        assert daemon.events


def test_a_model_that_became_garbage_leaves_the_old_one(tmp_path: Path, speech) -> None:
    model = tmp_path / "model.tflite"
    shutil.copy(DEFAULT_MODEL, model)
    with Daemon(*JSONL, "--model", model) as daemon:
        daemon.is_listening()
        replaced = tmp_path / "garbage"
        replaced.write_bytes(os.urandom(100_000))
        replaced.replace(model)
        daemon.signal("SIGHUP")
        assert str(model) in daemon.log.wait_for("not reloaded, what was stays: ")
        daemon.push(speech(4.0))
        daemon.wait_for_event(kind="start")


def test_a_model_that_was_overwritten_in_place_leaves_the_old_one(tmp_path: Path, speech) -> None:
    model = tmp_path / "model.tflite"
    shutil.copy(DEFAULT_MODEL, model)
    with Daemon(*JSONL, "--model", model) as daemon:
        daemon.is_listening()
        model.write_bytes(bytes(model.stat().st_size))
        daemon.signal("SIGHUP")
        daemon.log.wait_for("not reloaded, what was stays: ")
        daemon.push(speech(4.0))
        daemon.wait_for_event(kind="start")


def test_another_model_is_taken_at_reload(
    tmp_path: Path, speech, make_onnx: Callable[..., Path], metadata_for
) -> None:
    model = tmp_path / "model.onnx"
    make_onnx(model, metadata_for(name="first"))
    with Daemon(*JSONL, "--model", model) as daemon:
        daemon.is_listening()
        daemon.push(speech(2.0))
        daemon.wait_for_event(kind="start")
        make_onnx(tmp_path / "other.onnx", metadata_for(name="second"))
        (tmp_path / "other.onnx").replace(model)
        daemon.signal("SIGHUP")
        daemon.log.wait_for("reloaded: second@")
        daemon.push(speech(2.0))
        daemon.output.wait_for('"model": "second@')
        kinds = [(event["kind"], event["model"][:5]) for event in daemon.events]
    assert ("end", "first") in kinds
    assert kinds.index(("end", "first")) < kinds.index(("start", "secon"))


def test_a_terminal_that_is_closed_ends_the_daemon_and_a_reload_in_it_does_not() -> None:
    """The log is on the terminal, as where standard output goes to a file."""
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    command = [sys.executable, "-m", "edge_runtime.cli", "listen", *JSONL]
    daemon = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    with daemon, os.fdopen(ours, "rb", buffering=0) as terminal:
        said = b""
        while b"listening to" not in said:
            said += terminal.read(1000)
        daemon.send_signal(signal.SIGHUP)
        while b"reloaded: " not in said:
            said += terminal.read(1000)
        terminal.close()
        assert daemon.wait(30) == 0


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="there is no /proc")
def test_reloads_leave_no_descriptor_behind(config: Path, speech) -> None:
    pytest.importorskip("paho.mqtt.client")
    n_reloads = 0

    def reload(text: str) -> int:
        nonlocal n_reloads
        config.write_text(text)
        daemon.signal("SIGHUP")
        daemon.push(speech(0.5))
        n_reloads += 1
        wait_until(lambda: sum("reloaded: " in line for line in daemon.log) == n_reloads)
        return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))

    with Daemon(*JSONL, "--config", config) as daemon:
        daemon.is_listening()
        for number in range(10):
            n_held = reload(f'[mqtt]\nhost = "127.0.0.1"\nport = {number + 1}\n')
        number = 0
        while n_held >= 12 and number < 20:  # the library's threads end by themselves, in a moment
            number += 1
            time.sleep(0.5)
            n_held = reload(f"[gate]\nhangover = {number}\n")
        daemon.signal("SIGTERM")
        assert daemon.wait() == 0
    assert n_held < 12


# --- disks --------------------------------------------------------------------------------------


def test_a_full_disk_under_the_events_loses_none_of_them(tmp_path: Path, speech) -> None:
    with small_disk(tmp_path / "disk", kib=256) as place:
        path, filler = place / "events.jsonl", place / "filler"
        with Daemon(*JSONL, "--jsonl-file", path) as daemon:
            daemon.is_listening()
            filler.write_bytes(bytes(216 * 1024))
            daemon.push(speech(90.0))
            daemon.log.wait_for("No space left on device")
            daemon.push(speech(5.0))
            filler.unlink()
            daemon.log.wait_for("delivers again")
            daemon.end_of_input()
            assert daemon.wait() == 0
            daemon.output.all()
            assert [json.loads(line) for line in path.read_text().splitlines()] == daemon.events


# --- sound kept ---------------------------------------------------------------------------------


def test_the_sound_of_each_emotion_is_kept_where_it_was_asked_for(tmp_path: Path, speech) -> None:
    folder = tmp_path / "kept"
    with Daemon(*JSONL, "--save-audio", folder) as daemon:
        daemon.log.wait_for(f"sound around emotions is kept in {folder}")
        daemon.push(speech(4.0))
        daemon.end_of_input()
        assert daemon.wait() == 0
        daemon.output.all()
        n_ends = [event["kind"] for event in daemon.events].count("end")
    assert len(list(folder.glob("*.ser-edge.wav"))) == n_ends > 0


def test_sound_is_kept_from_a_reload_on_that_asks_for_it(
    config: Path, tmp_path: Path, speech
) -> None:
    folder = tmp_path / "kept"
    with Daemon(*JSONL, "--config", config) as daemon:
        daemon.push(np.concatenate((speech(8.0), 0 * speech(4.0))))
        # The last one: what is going on at the reload began before there was anything to keep.
        daemon.output.wait_for(
            lambda line: json.loads(line)["kind"] == "end" and json.loads(line)["end"] > 8.0
        )
        config.write_text(f'[save_audio]\ndir = "{folder}"\n')
        daemon.signal("SIGHUP")
        daemon.log.wait_for("reloaded: ")
        daemon.push(speech(8.0))
        daemon.end_of_input()
        assert daemon.wait() == 0
        assert not any("is gone" in line for line in daemon.log.all())
    assert list(folder.glob("*.ser-edge.wav"))


def test_another_source_that_cannot_be_opened_leaves_the_old_one(config: Path, speech) -> None:
    config.write_text('[source]\nsource = "-"\n')
    options = [one for one in JSONL if one not in ("--source", "-")]
    with Daemon(*options, "--config", config) as daemon:
        daemon.is_listening()
        config.write_text('[source]\nsource = "/nowhere/speech.wav"\n')
        daemon.signal("SIGHUP")
        assert "/nowhere/speech.wav" in daemon.log.wait_for("not reloaded, what was stays: ")
        daemon.push(speech(4.0))
        daemon.wait_for_event(kind="start")


def test_another_source_is_taken_at_reload(config: Path) -> None:
    config.write_text('[source]\nsource = "-"\n')
    options = [one for one in JSONL if one not in ("--source", "-")]
    with Daemon(*options, "--config", config) as daemon:
        daemon.is_listening()
        config.write_text('[source]\nsource = "examples/demo.wav"\n')
        daemon.signal("SIGHUP")
        daemon.log.wait_for("listening to examples/demo.wav")
        daemon.wait_for_event(kind="start")
        assert daemon.wait() == 0


# --- clocks -------------------------------------------------------------------------------------


def test_latencies_and_places_do_not_follow_the_wall_clock(speech) -> None:
    with Daemon(*JSONL) as daemon:
        daemon.push(speech(6.0))
        daemon.end_of_input()
        assert daemon.wait() == 0
        daemon.output.all()
        moments = np.array([event["monotonic"] for event in daemon.events])
    assert np.all(np.diff(moments) >= 0.0)
    assert abs(moments[-1] - time.monotonic()) < 60.0
