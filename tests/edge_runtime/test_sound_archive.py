"""Sound is kept only around emotions, in files of a bounded folder."""

from __future__ import annotations

import os
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.outputs.output import NotDeliveredError
from edge_runtime.sound_archive import SoundArchive, SoundRing

from ..disks import small_disk

RATE = 8000


def event(start: float, end: float, second: int = 0, label: str = "happy") -> Event:
    moment = f"2026-01-02T03:04:{second:02d}.678+00:00"
    return Event("end", moment, 0.0, start, end, label, 0.9, {label: 0.9}, -20.0, 1.0, "model@0")


def ramp(n: int, first: int = 0) -> np.ndarray:
    return (np.arange(first, first + n) / 1e6).astype(np.float32)


@given(st.lists(st.integers(0, 900), max_size=20), st.integers(0, 2000), st.integers(0, 2000))
def test_the_ring_gives_what_was_pushed_where_it_is_still_there(sizes, first, length):
    ring = SoundRing(sample_rate=100, seconds=3.0)
    everything = ramp(sum(sizes))
    start = 0
    for size in sizes:
        ring.push(everything[start : start + size])
        start += size
    oldest = max(0, len(everything) - 300)
    wanted = everything[max(first, oldest) : max(first + length, oldest)]
    np.testing.assert_array_equal(ring.between(first / 100, (first + length) / 100), wanted)


def test_an_emotion_is_kept_as_a_wav_file_named_by_time_and_label(tmp_path: Path):
    ring = SoundRing(RATE)
    sound = 0.5 * np.sin(np.arange(4 * RATE, dtype=np.float32))
    ring.push(sound)
    SoundArchive(tmp_path / "new", 10_000_000, ring).deliver(event(1.0, 3.0))
    (path,) = (tmp_path / "new").iterdir()
    assert path.name == "20260102T030400.678Z-happy.ser-edge.wav"
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        kept = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    np.testing.assert_allclose(kept, sound[RATE : 3 * RATE], atol=1 / 65536)


def test_samples_beyond_full_scale_do_not_wrap_round(tmp_path: Path):
    ring = SoundRing(RATE)
    ring.push(np.float32([2.0, -2.0] * RATE))
    SoundArchive(tmp_path, 10_000_000, ring).deliver(event(0.0, 1.0))
    with wave.open(str(next(tmp_path.iterdir()))) as file:
        kept = np.frombuffer(file.readframes(RATE), "<i2")
    assert set(kept) == {32767, -32768}


def test_the_oldest_files_make_room_and_no_others(tmp_path: Path):
    ring = SoundRing(RATE)
    ring.push(ramp(2 * RATE))
    other = tmp_path / "0-mine.wav"
    other.write_bytes(bytes(100_000))
    archive = SoundArchive(tmp_path, 3 * (2 * RATE + 44), ring)
    for second in range(6):
        archive.deliver(event(0.0, 1.0, second))
    kept = sorted(path.name[:18] for path in tmp_path.glob("*.ser-edge.wav"))
    assert kept == [f"20260102T03040{second}.67" for second in (3, 4, 5)]
    assert other.exists()


def test_sound_that_is_gone_is_said(tmp_path: Path):
    ring = SoundRing(RATE, seconds=1.0)
    ring.push(ramp(5 * RATE))
    with pytest.raises(SerEdgeError, match=r"the sound of 0.0 to 2.0 s is gone"):
        SoundArchive(tmp_path, 1_000_000, ring).deliver(event(0.0, 2.0))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line_at_the_start(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(SerEdgeError, match="name another folder"):
        SoundArchive(path / "below", 1_000_000, SoundRing(RATE))


def test_a_full_disk_loses_the_sound_and_leaves_no_half_file(tmp_path: Path):
    ring = SoundRing(RATE)
    ring.push(ramp(50 * RATE))
    with small_disk(tmp_path / "disk", kib=1500) as place:
        archive = SoundArchive(place, 100_000_000, ring)
        archive.deliver(event(0.0, 40.0, 0))
        archive.deliver(event(0.0, 40.0, 1))
        with pytest.raises(SerEdgeError, match="No space left on device; sound is not kept"):
            archive.deliver(event(0.0, 40.0, 2))
        kept = sorted(place.iterdir())
        assert len(kept) == 2
        for path in kept:
            with wave.open(str(path)) as file:
                assert file.getnframes() == 40 * RATE


def test_what_is_kept_is_not_for_every_user_of_the_machine(tmp_path: Path):
    ring = SoundRing(RATE)
    ring.push(ramp(RATE))
    before = os.umask(0o022)
    try:
        SoundArchive(tmp_path / "new", 1_000_000, ring).deliver(event(0.0, 1.0))
    finally:
        os.umask(before)
    (path,) = (tmp_path / "new").iterdir()
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.parent.stat().st_mode & 0o777 == 0o750


def test_a_label_that_is_no_file_name_keeps_its_sound_in_the_folder(tmp_path: Path):
    ring = SoundRing(RATE)
    ring.push(ramp(RATE))
    SoundArchive(tmp_path, 1_000_000, ring).deliver(event(0.0, 1.0, label="../../sad/müde"))
    SoundArchive(tmp_path, 1_000_000, ring).deliver(event(0.0, 1.0, 1, label=300 * "x"))
    first, second = sorted(path.name for path in tmp_path.iterdir())
    assert first == "20260102T030400.678Z-______sad_müde.ser-edge.wav"
    assert second == f"20260102T030401.678Z-{60 * 'x'}.ser-edge.wav"


def test_a_disk_that_becomes_read_only_is_waited_for(tmp_path: Path):
    """As the kernel does with an SD card that fails: no error may end the daemon."""
    ring = SoundRing(RATE)
    ring.push(ramp(RATE))
    with small_disk(tmp_path / "disk", kib=500) as place:
        archive = SoundArchive(place, 1_000_000, ring)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        with pytest.raises(NotDeliveredError, match="Read-only file system"):
            archive.deliver(event(0.0, 1.0))
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
        archive.deliver(event(0.0, 1.0))
        assert len(list(place.iterdir())) == 1
