"""Progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import train.progress
from train.progress import progress, say


def test_items_come_in_order_and_a_short_task_says_nothing(capsys):
    assert list(progress(iter(range(5)), 5, "features", "utt")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr() == ("", "")


def test_lines_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(train.progress, "LINE_SECONDS", 0.0)
    items = progress("abc", 3, "features", "utt")
    assert next(items) == "a"
    assert capsys.readouterr().err == "features: 1 of 3 utt\n"
    assert list(items) == ["b", "c"]
    assert capsys.readouterr().err == "features: 2 of 3 utt\nfeatures: 3 of 3 utt\n"


def test_lines_are_seldom(capsys, monkeypatch):
    monkeypatch.setattr(train.progress, "LINE_SECONDS", 1000.0)
    assert len(list(progress(range(10000), 10000, "features", "utt"))) == 10000
    assert capsys.readouterr().err == ""


def test_error_of_the_task_is_passed_on():
    def task():
        yield 1
        raise KeyError("lost")

    items = progress(task(), 2, "features", "utt")
    assert next(items) == 1
    with pytest.raises(KeyError, match="lost"):
        next(items)


def test_bar_on_a_terminal():
    code = (
        "from train.progress import progress, say\n"
        "for n in progress(range(40), 40, 'features', 'utt'):\n"
        "    n == 20 and say('a word in between')\n"
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux, once the other side is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    assert b"features: 100%" in shown
    assert b"40/40" in shown
    assert b"a word in between\r\n" in shown


def test_say_is_one_line_on_standard_error(capsys):
    say("the disk is full")
    assert capsys.readouterr() == ("", "the disk is full\n")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells")
def test_seconds_count_from_the_start_of_the_process():
    code = (
        "import time; time.sleep(0.5)\n"
        "from train.progress import seconds_since_start\n"
        "print(seconds_since_start())\n"
    )
    before = time.monotonic()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    # In steps of 10 ms, and of the start that came a little after `before`.
    assert 0.49 < float(result.stdout) < time.monotonic() - before + 0.02
