"""Files are replaced whole or left as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.atomic import replacing, temporary_of

from ..disks import small_disk


def test_what_was_written_takes_the_place(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text("before")
    with replacing(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
        assert temporary.suffix == ".json"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def write_and_fail(path: Path, error: BaseException) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [OSError("the disk"), KeyboardInterrupt()])
def test_failure_leaves_the_file_as_it_was(tmp_path, error):
    path = tmp_path / "figures.json"
    path.write_text("before")
    with pytest.raises(type(error)) as caught:
        write_and_fail(path, error)
    assert caught.value is error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_first_error_is_not_hidden_by_the_cleaning_up(tmp_path):
    """A folder in the temporary file's place can neither be written nor deleted as a file."""
    temporary_of(tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_and_fail(tmp_path / "x", OSError("never reached"))
    assert caught.value.__context__ is None


def test_nothing_written_is_a_failure(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "x"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_leftover_of_a_killed_process_is_written_over(tmp_path):
    path = tmp_path / "x.npz"
    temporary_of(path).write_bytes(b"half of a longer file")
    with replacing(path) as temporary:
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", 64) as disk:
        path: Path = disk / "x"
        path.write_bytes(b"before")
        with pytest.raises(OSError, match="No space left"), replacing(path) as temporary:
            temporary.write_bytes(bytes(1 << 20))
        assert path.read_bytes() == b"before"
        assert list(disk.iterdir()) == [path]
