"""The feature cache: never wrong, never computed twice, whatever happens to process and disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FeatureConfig, FeatureExtractor
from train.audio import read_utterance
from train.cache import FeatureCache, contents, dask_cluster, packs

from .. import disks
from .tones import RATE, tone, write_wav

CONFIG = FeatureConfig(
    sample_rate=RATE, frame_length=256, hop_length=128, fft_size=256, n_mels=24, n_mfcc=20
)


@dataclass(frozen=True)
class Logged:
    """Frames of the device's front end; leaves a line for every file that it computes."""

    log: Path
    key: str = "logged"

    def __call__(self, path: Path) -> np.ndarray:
        with self.log.open("a") as file:
            file.write(f"{path.name}\n")
        return FeatureExtractor(CONFIG).frames(read_utterance(path, RATE))

    def computed(self) -> list[str]:
        """What was computed since this was last asked."""
        names = self.log.read_text().split() if self.log.exists() else []
        self.log.write_text("")
        return sorted(names)


@dataclass(frozen=True)
class Constant:
    """One array for every file, whatever it holds."""

    values: tuple
    key: str = "constant"

    def __call__(self, path: Path) -> np.ndarray:
        return np.array(self.values, dtype=np.float64)


@dataclass(frozen=True)
class WhoComputes:
    key: str = "who"

    def __call__(self, path: Path) -> np.ndarray:
        heavy = any(name in sys.modules for name in ("tensorflow", "keras", "torch"))
        return np.array([[os.getpid(), heavy]])


@dataclass(frozen=True)
class Dies:
    """Kills the process that computes it, unless that is the one which runs the tests."""

    name: str
    parent: int
    key: str = "dies"

    def __call__(self, path: Path) -> np.ndarray:
        if path.name == self.name and os.getpid() != self.parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.zeros((1, 1))


@dataclass(frozen=True)
class Overwrites:
    """A file that is recorded anew while it is read."""

    key: str = "overwrites"

    def __call__(self, path: Path) -> np.ndarray:
        write_wav(path, tone(5, 5, seconds=0.4))
        return np.zeros((1, 1))


@dataclass(frozen=True)
class Refuses:
    key: str = "refuses"

    def __call__(self, path: Path) -> np.ndarray:
        raise SerEdgeError("trim: nothing is left")


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    names = [f"{number:02d}.wav" for number in range(12)]
    return [
        write_wav(tmp_path / "sounds" / name, tone(n % 7, n, seconds=0.1 + 0.02 * n))
        for n, name in enumerate(names)
    ]


@pytest.fixture
def extraction(tmp_path: Path) -> Logged:
    return Logged(tmp_path / "log")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files that were just written count as old."""
    monkeypatch.setattr(contents, "SETTLED_SECONDS", -1.0)


def expected(paths: list[Path]) -> list[np.ndarray]:
    return [FeatureExtractor(CONFIG).frames(read_utterance(path, RATE)) for path in paths]


def assert_equal(got: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def packs_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.pack"))


def names_of(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


# --- what is kept ---------------------------------------------------------------------------------


def test_computed_once_and_kept_in_few_files(folder, sounds, extraction):
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert extraction.computed() == names_of(sounds)
    assert len(files_in(folder)) <= 2
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert extraction.computed() == []


def test_moved_file_is_not_computed_again(folder, sounds, extraction, settled):
    FeatureCache(folder).load(sounds, extraction)
    extraction.computed()
    moved = sounds[3].rename(sounds[3].with_name("moved.wav"))
    assert_equal(FeatureCache(folder).load([moved], extraction), expected([moved]))
    assert extraction.computed() == []


def test_changed_file_is_computed_again(folder, sounds, extraction, settled):
    cache = FeatureCache(folder)
    before = cache.load(sounds, extraction)
    extraction.computed()
    write_wav(sounds[2], tone(6, 77, seconds=0.14))
    after = cache.load(sounds, extraction)
    assert extraction.computed() == [sounds[2].name]
    assert not np.array_equal(before[2], after[2])
    assert_equal(after, expected(sounds))


def test_content_changed_behind_the_same_size_and_time(folder, sounds, extraction, settled):
    path = sounds[2]
    os.utime(path, (1e9, 1e9))
    FeatureCache(folder).load([path], extraction)
    size = path.stat().st_size
    time.sleep(0.05)  # more than a tick of the clock that stamps files
    write_wav(path, tone(6, 77, seconds=0.14))
    os.utime(path, (1e9, 1e9))
    assert path.stat().st_size == size
    assert_equal(FeatureCache(folder).load([path], extraction), expected([path]))


def test_content_changed_right_after_it_was_read(folder, sounds, extraction):
    for seed in range(5):
        write_wav(sounds[2], tone(6, seed, seconds=0.14))
        assert_equal(FeatureCache(folder).load(sounds[2:3], extraction), expected(sounds[2:3]))


def test_file_that_changes_while_it_is_read(folder, sounds):
    with pytest.raises(SerEdgeError, match=r"00\.wav: was changed while it was read; run it again"):
        FeatureCache(folder).load(sounds[:1], Overwrites())
    assert packs_in(folder) == []


def test_same_content_is_computed_once(folder, sounds, extraction, tmp_path):
    twin = tmp_path / "twin.wav"
    twin.write_bytes(sounds[1].read_bytes())
    paths = [sounds[1], sounds[0], twin, sounds[1]]
    assert_equal(FeatureCache(folder).load(paths, extraction), expected(paths))
    assert extraction.computed() == names_of(sounds[:2])


def test_another_key_is_another_entry(folder, sounds):
    cache = FeatureCache(folder)
    assert cache.load(sounds[:1], Constant(((1.0,),), "a"))[0] == [[1.0]]
    assert cache.load(sounds[:1], Constant(((2.0,),), "b"))[0] == [[2.0]]
    assert cache.load(sounds[:1], Constant(((3.0,),), "a"))[0] == [[1.0]]


@pytest.mark.parametrize("values", [((1.0, 2.0), (3.0, 4.0)), (1.0, 2.0, 3.0), ()])
def test_any_shape_comes_back_as_float32_that_may_be_written_to(folder, sounds, values):
    extraction = Constant(values)
    first = FeatureCache(folder).load(sounds[:1], extraction)[0]
    again = FeatureCache(folder).load(sounds[:1], extraction)[0]
    for frames in (first, again):
        assert frames.dtype == np.float32
        assert frames.flags.writeable
        np.testing.assert_array_equal(frames, np.array(values, dtype=np.float32))


def test_files_of_the_former_layout_are_left_alone(folder, sounds, extraction, capfd):
    digest = hashlib.sha256(sounds[0].read_bytes()).hexdigest()
    old = folder / extraction.key / f"{digest}.npy"
    old.parent.mkdir(parents=True)
    np.save(old, np.zeros((3, 3), dtype=np.float32))
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert old.exists()
    assert capfd.readouterr().err == ""


def test_nothing_to_load(folder, extraction):
    assert FeatureCache(folder).load([], extraction) == []


# --- speed and memory -----------------------------------------------------------------------------

CHILD_HEAD = """
import os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from edge_runtime.errors import SerEdgeError
from train.cache import FeatureCache, contents, packs

@dataclass(frozen=True)
class Slow:
    log: Path
    seconds: float = 0.0
    key: str = "slow"
    def __call__(self, path):
        time.sleep(self.seconds)
        with self.log.open("a") as file:
            file.write(f"{path.name}\\n")
        digits = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        return digits[: len(digits) // 4 * 4].reshape(-1, 4).astype(np.float32)

folder, sounds, log = map(Path, sys.argv[1:4])
paths = sorted(sounds.rglob("*.*"))
"""


def start_child(code: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD_HEAD + textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def run_child(code: str, *arguments: object) -> str:
    process = start_child(code, *arguments)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert err == ""
    return out.strip()


def test_known_files_are_not_opened(folder, sounds, extraction, settled, tmp_path):
    code = """
        contents.SETTLED_SECONDS = -1.0
        opened = []
        sys.addaudithook(lambda event, told: event == "open" and opened.append(str(told[0])))
        FeatureCache(folder).load(paths, Slow(log))
        print(sum(name.endswith(".wav") for name in opened))
    """
    arguments = (folder, sounds[0].parent, tmp_path / "log")
    assert int(run_child(code, *arguments)) >= len(sounds)
    assert int(run_child(code, *arguments)) == 0


def test_second_load_of_a_whole_corpus_is_fast(real_corpora, folder, tmp_path):
    tess = real_corpora / "TESS"
    code = """
        class Frames(Slow):
            def __call__(self, path):
                return np.zeros((200, 41), dtype=np.float32)
        start = time.perf_counter()
        frames = FeatureCache(folder).load(sorted(sounds.rglob("*.flac")), Frames(log))
        print(len(frames), time.perf_counter() - start)
    """
    run_child(code, folder, tess, tmp_path / "log")
    count, seconds = run_child(code, folder, tess, tmp_path / "log").split()
    assert int(count) == 2800
    assert float(seconds) < 1.5


def test_memory_holds_the_features_once(folder, sounds, tmp_path):
    code = """
        import resource
        class Large(Slow):
            def __call__(self, path):
                return np.ones((200_000, 4), dtype=np.float32)
        FeatureCache(folder / "warm").load(paths[:1], Slow(log))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        frames = FeatureCache(folder).load(paths, Large(log))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(sum(f.nbytes for f in frames) / 1024, grown)
    """
    for _ in range(2):
        size, grown = map(float, run_child(code, folder, sounds[0].parent, tmp_path / "l").split())
        assert size > 30_000
        assert grown < 1.3 * size + 4_000


# --- interruptions --------------------------------------------------------------------------------

SLOWLY = """
    packs.PACK_SECONDS = 0.2
    FeatureCache(folder, jobs=int(sys.argv[4])).load(paths, Slow(log, 0.05))
"""
DIGEST = """
    import hashlib
    values = FeatureCache(folder).load(paths, Slow(log))
    print(hashlib.sha256(b"".join(v.tobytes() for v in values)).hexdigest())
"""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for number in range(120):
        write_wav(tmp_path / "many" / f"{number:03d}.wav", tone(number % 7, number, 0.02))
    return tmp_path / "many"


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_run_goes_on_where_it_was(folder, many, tmp_path, jobs, how):
    log = tmp_path / "log"
    process = start_child(SLOWLY, folder, many, log, jobs)
    deadline = time.monotonic() + 60
    while not log.exists() or len(log.read_text().split()) < 60:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(how)
    assert process.wait(timeout=60) != 0
    # Before orphaned workers go on for a moment: what they compute then is nobody's to keep.
    first = log.read_text().split()
    time.sleep(0.5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # workers that wait for more
    process.communicate(timeout=60)
    assert len(first) < 120
    log.unlink()
    resumed = run_child(DIGEST, folder, many, log)
    again = log.read_text().split()
    assert len(again) == len(set(again))
    assert len(set(first) | set(again)) == 120
    assert len(set(first) & set(again)) <= 30
    assert resumed == run_child(DIGEST, tmp_path / "uninterrupted", many, log)
    assert list(folder.rglob("*.tmp")) == []


def test_leftovers_of_a_killed_process_are_removed_those_of_a_live_one_are_not(
    folder, many, tmp_path
):
    killed = """
        os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
        FeatureCache(folder).load(paths, Slow(log))
    """
    stopped = killed.replace("SIGKILL", "SIGSTOP")
    log = tmp_path / "log"
    start_child(killed, folder, many, log).communicate(timeout=60)
    assert len(list(folder.rglob("*.tmp"))) == 1
    process = start_child(stopped, folder, many, log)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        (kept,) = folder.rglob("*.tmp")
        wanted = run_child(DIGEST, folder, many, log)
        assert list(folder.rglob("*.tmp")) == [kept]
    finally:
        process.kill()
        process.communicate(timeout=60)
    assert run_child(DIGEST, folder, many, log) == wanted
    assert list(folder.rglob("*.tmp")) == []


def test_two_processes_fill_one_cache(folder, many, tmp_path):
    log = tmp_path / "log"
    code = SLOWLY.replace("0.05", "0.01") + DIGEST
    both = [start_child(code, folder, many, log, 1) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [err for _, err in outputs] == ["", ""]
    log.unlink()
    third = run_child(DIGEST, folder, many, log)
    assert {out.strip() for out, _ in outputs} == {third}
    assert not log.exists()
    assert list(folder.rglob("*.tmp")) == []


# --- damage ---------------------------------------------------------------------------------------


def flipped(whole: bytes, place: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]


DAMAGE = {
    "empty": lambda whole: b"",
    "cut short": lambda whole: whole[:-1],
    "cut in half": lambda whole: whole[: len(whole) // 2],
    "cut in the list": lambda whole: whole[:100],
    "garbage": lambda whole: b"\x00garbage\n" * 500,
    "flip in the list": lambda whole: flipped(whole, 50),
    "flip in the values": lambda whole: flipped(whole, len(whole) - 3000),
    "flip in the last byte": lambda whole: flipped(whole, len(whole) - 1),
    "zeros": lambda whole: bytes(len(whole)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_pack_is_noticed_said_and_mended(folder, sounds, extraction, damage, capfd):
    FeatureCache(folder).load(sounds, extraction)
    (pack,) = packs_in(folder)
    pack.write_bytes(DAMAGE[damage](pack.read_bytes()))
    extraction.computed()
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert len(extraction.computed()) >= 1
    assert capfd.readouterr().err == f"{pack}: is damaged; computed again\n"
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert extraction.computed() == []
    assert capfd.readouterr().err == ""


def test_any_flipped_byte_is_noticed(folder, sounds, extraction, capfd):
    FeatureCache(folder).load(sounds[:3], extraction)
    wanted = expected(sounds[:3])
    (pack,) = packs_in(folder)
    whole = pack.read_bytes()
    for place in random.Random(0).sample(range(len(whole)), 60):
        for path in packs_in(folder):
            path.unlink()
        pack.write_bytes(flipped(whole, place))
        assert_equal(FeatureCache(folder).load(sounds[:3], extraction), wanted)
        assert capfd.readouterr().err == f"{pack}: is damaged; computed again\n"


def test_only_what_is_damaged_is_computed_again(folder, sounds, extraction, capfd):
    FeatureCache(folder).load(sounds, extraction)
    (pack,) = packs_in(folder)
    pack.write_bytes(flipped(pack.read_bytes(), pack.stat().st_size - 1))
    extraction.computed()
    # The damaged one alone is asked for: the rest of its pack must outlive that.
    FeatureCache(folder).load(sounds[-1:], extraction)
    assert "computed again" in capfd.readouterr().err
    assert extraction.computed() == names_of(sounds[-1:])
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert extraction.computed() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-5],
        lambda text: "[1, 2, 3]",
        lambda text: '{"layout": 1, "files": 7}',
        lambda text: "\x00" * len(text),
        lambda text: text.replace("01.wav", "02.wav", 1),
    ],
    ids=["empty", "cut", "list", "number", "zeros", "other name"],
)
def test_damaged_index_is_said_and_built_anew(folder, sounds, extraction, settled, damage, capfd):
    FeatureCache(folder).load(sounds, extraction)
    index = folder / "contents.json"
    whole = json.loads(index.read_text())
    index.write_text(damage(index.read_text()))
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert set(capfd.readouterr().err.splitlines()) == {f"{index}: is damaged; computed again"}
    assert json.loads(index.read_text()) == whole
    FeatureCache(folder).load(sounds, extraction)
    assert capfd.readouterr().err == ""


# --- disks that take nothing ----------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    with disks.small_disk(tmp_path / "disk", 64) as place:
        yield place


def assert_goes_on_without_keeping(cache, folder, sounds, extraction, capfd) -> None:
    for _ in range(2):
        assert_equal(cache.load(sounds, extraction), expected(sounds))
        assert extraction.computed() == names_of(sounds)
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert str(folder) in said[0]
    assert "cannot be written" in said[0]


def test_full_disk(small_disk, sounds, extraction, capfd, monkeypatch):
    monkeypatch.setattr(packs, "PACK_BYTES", 1)  # a pack for every file
    (small_disk / "ballast").write_bytes(bytes(60 << 10))
    folder = small_disk / "cache"
    long = [write_wav(path, tone(n % 7, n, seconds=3.0)) for n, path in enumerate(sounds)]
    assert_goes_on_without_keeping(FeatureCache(folder), folder, long, extraction, capfd)
    assert files_in(folder) == []
    (small_disk / "ballast").unlink()
    FeatureCache(folder).load(long[:1], extraction)
    assert len(packs_in(folder)) == 1


def test_disk_that_fills_up_keeps_what_it_took(small_disk, sounds, extraction, capfd, monkeypatch):
    monkeypatch.setattr(packs, "PACK_BYTES", 1)
    folder = small_disk / "cache"
    long = [write_wav(path, tone(n % 7, n, seconds=3.0)) for n, path in enumerate(sounds)]
    assert_equal(FeatureCache(folder).load(long, extraction), expected(long))
    kept = len(packs_in(folder))
    assert 0 < kept < len(long)
    assert len(capfd.readouterr().err.splitlines()) == 1
    extraction.computed()
    assert_equal(FeatureCache(folder).load(long, extraction), expected(long))
    assert len(extraction.computed()) == len(long) - kept
    assert list(folder.rglob("*.tmp")) == []


def test_read_only_disk(small_disk, sounds, extraction, capfd):
    folder = small_disk / "cache"
    FeatureCache(folder).load(sounds[:2], extraction)
    assert extraction.computed() == names_of(sounds[:2])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert extraction.computed() == names_of(sounds[2:])
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert "Read-only file system" in said[0]


def test_folder_that_cannot_be_made(tmp_path, sounds, extraction, capfd):
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file" / "cache"
    assert_goes_on_without_keeping(FeatureCache(folder), folder, sounds, extraction, capfd)


def test_file_size_limit(folder, sounds, tmp_path):
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        frames = FeatureCache(folder).load(paths, Slow(log))
        # Where coverage is measured, it is written at the end.
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(len(frames))
    """
    process = start_child(code, folder, sounds[0].parent, tmp_path / "log")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.strip()) == (0, str(len(sounds)))
    assert len(err.splitlines()) == 1
    assert "cannot be written (File too large)" in err
    assert files_in(folder) == []


# --- files that cannot be read --------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_damaged_sound_is_named_and_the_rest_kept(folder, sounds, extraction, jobs, capfd, recwarn):
    sounds[7].write_bytes(b"this is no sound")
    with pytest.raises(SerEdgeError, match=r"07\.wav: is not a sound file") as caught:
        FeatureCache(folder, jobs=jobs).load(sounds, extraction)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""
    assert list(recwarn) == []
    done = extraction.computed()
    assert len(done) >= 7
    rest = sounds[:7]
    assert_equal(FeatureCache(folder).load(rest, extraction), expected(rest))
    assert not set(extraction.computed()) & set(done)


def test_absent_file_and_folder_are_named_before_anything_is_computed(folder, sounds, extraction):
    for path in (sounds[0].with_name("absent.wav"), sounds[0].parent):
        with pytest.raises(SerEdgeError, match=rf"{path.name}: cannot be read \("):
            FeatureCache(folder).load([sounds[0], path], extraction)
    assert extraction.computed() == []


def test_error_that_names_no_file_gets_its_name(folder, sounds):
    with pytest.raises(SerEdgeError, match=r"sounds/00\.wav: trim: nothing is left$"):
        FeatureCache(folder).load(sounds, Refuses())


# --- processes ------------------------------------------------------------------------------------


def test_one_job_is_this_process(folder, sounds):
    who = FeatureCache(folder, jobs=1).load(sounds, WhoComputes())
    assert {int(frames[0, 0]) for frames in who} == {os.getpid()}


def test_workers_are_other_processes_and_light(folder, sounds):
    who = FeatureCache(folder, jobs=2).load(sounds, WhoComputes())
    assert os.getpid() not in {int(frames[0, 0]) for frames in who}
    assert not any(frames[0, 1] for frames in who)


@pytest.mark.parametrize("jobs", [2, -1])
def test_several_processes_give_the_same(folder, sounds, extraction, jobs, capfd):
    assert_equal(FeatureCache(folder, jobs=jobs).load(sounds, extraction), expected(sounds))
    assert extraction.computed() == names_of(sounds)
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert extraction.computed() == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("jobs", [0, -2])
def test_number_of_jobs_that_makes_no_sense(folder, jobs):
    with pytest.raises(SerEdgeError, match=f"jobs must be 1 or more, or -1.*not {jobs}"):
        FeatureCache(folder, jobs=jobs)


def test_worker_that_is_killed(folder, sounds):
    with pytest.raises(SerEdgeError, match=r"a process died.*run it again with fewer jobs"):
        FeatureCache(folder, jobs=2).load(sounds, Dies(sounds[5].name, os.getpid()))


# --- dask -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a scheduler with two worker processes on this machine."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as running:
        yield running.scheduler_address


def test_dask_gives_the_same(cluster, folder, sounds, extraction):
    assert_equal(FeatureCache(folder, dask=cluster).load(sounds, extraction), expected(sounds))
    assert extraction.computed() == names_of(sounds)
    assert_equal(FeatureCache(folder).load(sounds, extraction), expected(sounds))
    assert extraction.computed() == []


def test_dask_workers_are_other_processes_and_light(cluster, folder, sounds):
    who = FeatureCache(folder, dask=cluster).load(sounds, WhoComputes())
    assert os.getpid() not in {int(frames[0, 0]) for frames in who}
    assert not any(frames[0, 1] for frames in who)


def test_dask_names_a_damaged_sound(cluster, folder, sounds, extraction):
    sounds[7].write_bytes(b"this is no sound")
    with pytest.raises(SerEdgeError, match=r"07\.wav: is not a sound file"):
        FeatureCache(folder, dask=cluster).load(sounds, extraction)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "carrier-pigeon://a:1"])
def test_dask_scheduler_that_is_not_there(folder, sounds, extraction, address):
    pytest.importorskip("distributed")
    start = time.monotonic()
    with pytest.raises(SerEdgeError, match=f"no scheduler answers at {address}") as caught:
        FeatureCache(folder, dask=address).load(sounds, extraction)
    assert time.monotonic() - start < 20.0
    assert "\n" not in str(caught.value)


def test_dask_worker_that_is_killed(folder, sounds, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(dask_cluster, "TASK_SECONDS", 5.0)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as running,
        pytest.raises(SerEdgeError, match=r"no worker of .* gives results"),
    ):
        FeatureCache(folder, dask=running.scheduler_address).load(
            sounds, Dies(sounds[5].name, os.getpid())
        )


def test_dask_scheduler_without_workers(folder, sounds, extraction, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(dask_cluster, "CONNECT_SECONDS", 1.0)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as running,
        pytest.raises(SerEdgeError, match=r"no worker of .* gives results") as caught,
    ):
        FeatureCache(folder, dask=running.scheduler_address).load(sounds, extraction)
    assert "\n" not in str(caught.value)


def test_dask_is_imported_only_when_asked_for(folder, sounds, tmp_path):
    code = """
        FeatureCache(folder, jobs=2).load(paths, Slow(log))
        print("distributed" in sys.modules)
        FeatureCache(folder, dask="tcp://127.0.0.1:9").load(paths, Slow(log))
        print("distributed" in sys.modules)
    """
    log = tmp_path / "log"
    # The second load finds everything kept, and needs no scheduler.
    assert run_child(code, folder, sounds[0].parent, log).split() == ["False", "False"]


def test_dask_that_is_not_installed(folder, sounds, tmp_path):
    code = """
        sys.modules["distributed"] = None
        try:
            FeatureCache(folder, dask="tcp://127.0.0.1:9").load(paths, Slow(log))
        except SerEdgeError as error:
            print(error)
    """
    said = run_child(code, folder, sounds[0].parent, tmp_path / "log")
    assert said == "dask: the package distributed is missing: pip install 'ser-edge[dask]'"
