"""What commands leave for people: whole, and never in the place of a device."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_runtime.errors import SerEdgeError
from train.output_files import write_bytes

from ..disks import small_disk


def test_folder_is_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    for content in (b"first", b"second"):
        write_bytes(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        path = disk / "report.html"
        write_bytes(path, b"what people read now")
        with pytest.raises(SerEdgeError, match=r"report\.html: cannot be written \(No space"):
            write_bytes(path, bytes(1 << 20))
        assert path.read_bytes() == b"what people read now"
        assert list(disk.iterdir()) == [path]


def test_folder_in_its_place_is_said(tmp_path: Path) -> None:
    with pytest.raises(SerEdgeError, match=r"cannot be written \(Is a directory\)"):
        write_bytes(tmp_path, b"content")


def test_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(path.read_bytes)
        write_bytes(path, b"content")
        assert read.result() == b"content"
    assert stat.S_ISFIFO(path.stat().st_mode)
