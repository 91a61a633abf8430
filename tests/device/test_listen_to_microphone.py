"""``ser-edge listen`` on a real PortAudio stream: what is played is heard, and told."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime import Classifier

from ..daemon import Daemon
from .virtual_microphone import VirtualMicrophone

AT_ONCE = ("--decision-minimum-count", "1", "--threshold", "0")


@pytest.fixture(scope="session")
def utterance(speech_file: Path) -> Path:
    """A real emotional utterance where the corpora are there, else synthesised speech."""
    corpora = os.environ.get("SER_EDGE_CORPORA")
    if not corpora:
        return speech_file
    return Path(corpora) / "originals" / "RAVDESS" / "03-01-05-02-01-01-12.wav"


@contextmanager
def listening(microphone: VirtualMicrophone, *options: str) -> Iterator[Daemon]:
    """Run ``ser-edge listen`` on the virtual microphone until the block ends."""
    with Daemon("--device", "pulse", "--format", "jsonl", *options, env=microphone.env) as daemon:
        yield daemon.is_listening()


@contextmanager
def played(microphone: VirtualMicrophone, path: Path) -> Iterator[None]:
    """Play a file again and again until the block ends."""
    over = threading.Event()

    def play() -> None:
        while not over.is_set():
            microphone.play(path).wait()

    player = threading.Thread(target=play, daemon=True)
    player.start()
    try:
        yield
    finally:
        over.set()
        player.join()


def test_events_come_out_while_an_utterance_is_played(
    virtual_microphone: VirtualMicrophone, utterance: Path
) -> None:
    with listening(virtual_microphone, *AT_ONCE) as daemon:
        with played(virtual_microphone, utterance):
            daemon.wait_for_event(kind="update")
        end = daemon.wait_for_event(kind="end")
        assert end["end"] > end["start"]
        assert sum(end["scores"].values()) == pytest.approx(1.0, abs=1e-4)
        assert -60.0 < daemon.events[0]["level_dbfs"] < 0.0


def test_the_first_event_comes_within_one_hop_of_the_windows_fill(
    virtual_microphone: VirtualMicrophone, utterance: Path
) -> None:
    metadata = Classifier().metadata
    with played(virtual_microphone, utterance), listening(virtual_microphone, *AT_ONCE) as daemon:
        start = daemon.wait_for_event(kind="start")
    # Speech was there from the first sample on: the first or the second window has it.
    assert start["end"] <= metadata.window_seconds + metadata.hop_seconds + 0.05


def test_a_silent_microphone_gives_no_event(virtual_microphone: VirtualMicrophone) -> None:
    with listening(virtual_microphone) as daemon:
        daemon.log.wait_for("silent: ")
        daemon.signal("SIGTERM")
        assert daemon.wait() == 0
        assert daemon.output.all() == []


def test_an_interrupt_ends_it_at_once_and_in_order(virtual_microphone: VirtualMicrophone) -> None:
    with listening(virtual_microphone) as daemon:
        asked = time.monotonic()
        daemon.signal("SIGINT")
        assert daemon.wait() == 0
        assert time.monotonic() - asked < 2.0
        assert not any("Traceback" in line for line in daemon.log.all())


def test_a_microphone_that_was_pulled_ends_the_emotion_and_is_found_again(
    virtual_microphone: VirtualMicrophone, utterance: Path
) -> None:
    with listening(virtual_microphone, *AT_ONCE) as daemon:
        try:
            with played(virtual_microphone, utterance):
                daemon.wait_for_event(kind="start")
            pulled = time.monotonic()
            virtual_microphone.unplug()
            daemon.log.wait_for("lost: ")
            assert time.monotonic() - pulled < 3.5
            daemon.wait_for_event(kind="end")
            heard_before = daemon.events[-1]["end"]
        finally:
            virtual_microphone.plug_in()
        daemon.log.wait_for("ser-edge: listening: ")
        with played(virtual_microphone, utterance):
            daemon.output.wait_for(lambda line: json.loads(line)["start"] >= heard_before)
        assert daemon.process.poll() is None
        assert not any("Traceback" in line for line in daemon.log)


def test_a_microphone_that_is_missing_at_the_start_is_waited_for(
    virtual_microphone: VirtualMicrophone, utterance: Path
) -> None:
    virtual_microphone.kill_server()
    try:
        with Daemon("--wait", "--format", "jsonl", *AT_ONCE, env=virtual_microphone.env) as daemon:
            daemon.is_listening()
            daemon.log.wait_for("lost: ")
            virtual_microphone.start_server()
            daemon.log.wait_for("ser-edge: listening: ", seconds=60.0)
            with played(virtual_microphone, utterance):
                daemon.wait_for_event(kind="start")
    finally:
        virtual_microphone.restore()


def test_a_microphone_that_is_missing_without_wait_is_one_line(tmp_path: Path) -> None:
    with Daemon("--device", "no such microphone") as daemon:
        assert daemon.wait() == 1
        (line,) = daemon.log.all()
        assert line.startswith("ser-edge: ")


def test_a_microphone_of_another_rate_and_two_channels_is_heard(
    virtual_microphone: VirtualMicrophone, utterance: Path
) -> None:
    virtual_microphone.unplug()
    try:
        virtual_microphone.plug_in(rate=44100, channels=2)
        options = ("--channel", "1", *AT_ONCE)
        with (
            listening(virtual_microphone, *options) as daemon,
            played(virtual_microphone, utterance),
        ):
            daemon.wait_for_event(kind="start")
    finally:
        virtual_microphone.restore()


def test_a_shorter_hop_at_a_reload_has_the_microphone_hand_over_shorter_blocks(
    virtual_microphone: VirtualMicrophone, utterance: Path, tmp_path: Path
) -> None:
    config = tmp_path / "ser-edge.toml"
    config.write_text("")
    with listening(virtual_microphone, *AT_ONCE, "--config", str(config)) as daemon:
        config.write_text("[model]\nhop = 0.1\n")
        daemon.signal("SIGHUP")
        daemon.log.wait_for("reloaded: ")
        opened = [line for line in daemon.log if "listening to microphone" in line]
        assert len(opened) == 2
        config.write_text("[model]\nhop = 0.1\n[decision]\nrefractory = 0.0\n")
        daemon.signal("SIGHUP")
        daemon.log.wait_for(lambda line: sum("reloaded: " in one for one in list(daemon.log)) == 2)
        assert [line for line in daemon.log if "listening to microphone" in line] == opened
        with played(virtual_microphone, utterance):
            daemon.wait_for_event(kind="update")
