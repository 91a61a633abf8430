"""Features computed once and kept on disk, by the content of the recording.

In the folder lie ``contents.json``, which spares reading a file to know its content, and for every
extraction a folder of packs. A pack is never changed: one line of JSON that lists its entries, then
their values, little-endian float32. Its name is a digest of that line, which holds the checksum of
every entry, so that no damage goes unnoticed.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import math
import multiprocessing
import os
import secrets
import socket
import time
import zlib
from collections.abc import Collection, Iterator
from concurrent import futures
from contextlib import closing, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Union

import joblib
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.audio_file import printable
from train.progress import progress, say

LAYOUT = 1  # raise it when the files change their form
PACK_SECONDS = 3.0  # what a crash may cost
PACK_BYTES = 1 << 25
SETTLED_SECONDS = 2.0  # coarser than the time stamps of any file system in use
LEFTOVER_SECONDS = 3600.0  # longer than any pack takes to be written
DASK_SECONDS = 10.0
DASK_TASK_SECONDS = 120.0  # without a result from any worker

Frames = NDArray[np.float32]
Outcome = tuple[str, Union[Frames, SerEdgeError]]


class Extraction(Protocol):
    """What turns a sound file into features; it must survive pickling."""

    @property
    def key(self) -> str:
        """Name of a folder; differs where the features may."""
        ...

    def __call__(self, path: Path) -> Frames:
        """Features of a sound file."""
        ...


class FeatureCache:
    """Features of recordings, computed once, in parallel where asked, and kept on disk.

    What is kept goes by the content of the file and the key of the extraction: a file that was
    moved is not computed again, one that was changed is. Damaged entries are computed again, and a
    disk on which nothing can be kept costs only the keeping; both are said on standard error.
    Several processes may use one folder.

    Parameters
    ----------
    folder : Path
        Where to keep them.
    jobs : int
        Number of processes; 1 is this one alone, -1 one per core.
    dask : str
        Address of a Dask scheduler that spreads the work in place of `jobs`, such as
        ``tcp://host:8786``. Its workers need this package, and the files at the same paths.

    Raises
    ------
    SerEdgeError
        When `jobs` is 0 or below -1.
    """

    def __init__(self, folder: Path, jobs: int = 1, dask: str = "") -> None:
        if jobs < 1 and jobs != -1:
            raise SerEdgeError(f"jobs must be 1 or more, or -1 for one per core, not {jobs}")
        self._folder = folder
        self._jobs = jobs
        self._dask = dask
        self._writer = _Writer()

    def load(self, paths: list[Path], extraction: Extraction) -> list[Frames]:
        """Features of every file, in order.

        Parameters
        ----------
        paths : list of Path
            Sound files.
        extraction : callable with a ``key``
            Turns a path into an array of float32. ``key`` names its configuration, as the name of
            a folder. For more than one process it must survive pickling.

        Returns
        -------
        list of ndarray of float32
            One array for each path; paths with the same content share one.

        Raises
        ------
        SerEdgeError
            When a sound file cannot be read, a process dies or the scheduler does not answer; what
            was computed until then is kept.
        """
        index = _ContentIndex(self._folder / "contents.json", self._writer)
        contents = index.digests(paths)
        packs = _Packs(self._folder / extraction.key, self._writer)
        held = packs.read(set(contents))
        missing: dict[str, Path] = {}
        for content, path in zip(contents, paths):
            if content not in held:
                missing.setdefault(content, path)
        failures: list[SerEdgeError] = []
        try:
            for content, outcome in self._outcomes(missing, extraction, failures):
                if isinstance(outcome, SerEdgeError):
                    failures.append(outcome)
                elif index.is_current(missing[content]):
                    held[content] = outcome
                    packs.add(content, outcome)
                else:
                    failures.append(_changed(missing[content]))
        finally:
            packs.flush()
        if failures:
            raise failures[0]
        return [held[content] for content in contents]

    def _outcomes(
        self, missing: dict[str, Path], extraction: Extraction, failures: list[SerEdgeError]
    ) -> Iterator[Outcome]:
        """Compute what is missing, in any order; after a failure, only what was begun."""
        if not missing:
            return
        left = itertools.takewhile(lambda _: not failures, missing.items())
        tasks = (joblib.delayed(_extract)(extraction, content, path) for content, path in left)
        with self._parallel() as parallel, closing(parallel(tasks)) as outcomes:
            yield from progress(outcomes, len(missing), "features", "utt")

    @contextmanager
    def _parallel(self) -> Iterator[Any]:
        if self._dask:
            with _dask_backend(self._dask):
                yield joblib.Parallel(
                    n_jobs=-1, return_as="generator_unordered", timeout=DASK_TASK_SECONDS
                )
            return
        try:
            yield joblib.Parallel(n_jobs=self._jobs, return_as="generator_unordered")
        except futures.BrokenExecutor as error:
            raise SerEdgeError(
                "features: a process died, perhaps for want of memory; what was computed is kept: "
                "run it again with fewer jobs"
            ) from error


def _extract(extraction: Extraction, content: str, path: Path) -> Outcome:
    try:
        return content, np.ascontiguousarray(extraction(path), dtype=np.float32)
    except SerEdgeError as error:
        # Returned, for a raised one would take the finished rest of its batch with it.
        text, name = str(error), printable(path)
        return content, SerEdgeError(text if name in text else f"{name}: {text}")


@contextmanager
def _dask_backend(address: str) -> Iterator[None]:
    try:
        import distributed
    except ImportError as error:
        raise SerEdgeError(
            "dask: the package distributed is missing: pip install distributed"
        ) from error
    new_client: Any = distributed.Client
    try:
        asyncio.run(_knock(address))
        client = new_client(address, timeout=DASK_SECONDS)
    except (OSError, ValueError, MemoryError, asyncio.TimeoutError) as error:
        reason = " ".join(str(error).split()) or "timed out"
        raise SerEdgeError(
            f"dask: no scheduler answers at {address} ({reason}); start one: dask scheduler"
        ) from error
    kept = "what was computed is kept"
    try:
        with (
            client,
            joblib.parallel_config(
                backend="dask", client=client, wait_for_workers_timeout=DASK_SECONDS
            ),
        ):
            yield
    except (TimeoutError, futures.TimeoutError, multiprocessing.TimeoutError) as error:
        raise SerEdgeError(
            f"dask: no worker of {address} gives results; {kept}: see the workers' logs, or start "
            f"one: dask worker {address}"
        ) from error
    except (futures.CancelledError, distributed.comm.core.CommClosedError) as error:
        raise SerEdgeError(
            f"dask: the scheduler at {address} was lost; {kept}: start it and run this again"
        ) from error


async def _knock(address: str) -> None:
    """Raise an error when no scheduler is there; a client that found none closes slowly."""
    from distributed.comm import core

    connect: Any = core.connect
    comm = await connect(address, timeout=DASK_SECONDS)
    await comm.close()


class _Writer:
    """Writes files whole or not at all; says once when the disk takes none."""

    def __init__(self) -> None:
        self._complained = False

    def write(self, path: Path, parts: list[Any]) -> bool:
        """Put the parts, bytes or arrays, into a file; tells whether that went well."""
        owner = f"{socket.gethostname()}-{os.getpid()}"
        temporary = path.with_name(f"{owner}-{secrets.token_hex(4)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as file:
                    for part in parts:
                        file.write(part)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            self._complain(path.parent, error)
            return False
        return True

    def remove(self, path: Path) -> None:
        """Delete a file that is of no use any more."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._complain(path.parent, error)

    def remove_leftovers(self, folder: Path) -> None:
        """Delete temporary files of processes that are gone."""
        for path in folder.glob("*.tmp"):
            if _is_leftover(path):
                self.remove(path)

    def _complain(self, folder: Path, error: OSError) -> None:
        if not self._complained:
            reason = error.strerror or error
            say(f"{printable(folder)}: cannot be written ({reason}); goes on, keeping nothing")
        self._complained = True


def _is_leftover(path: Path) -> bool:
    host, _, rest = path.stem.rpartition("-")[0].rpartition("-")
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    here = os.name == "posix" and host == socket.gethostname() and rest.isdigit()
    return not _is_running(int(rest)) if here else age > LEFTOVER_SECONDS


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class _ContentIndex:
    """Digests of the contents of files, remembered for as long as a file stays as it is."""

    def __init__(self, path: Path, writer: _Writer) -> None:
        self._path = path
        self._writer = writer
        self._stamps: dict[Path, list[int]] = {}

    def digests(self, paths: list[Path]) -> list[str]:
        """Digest of each file's content, as hexadecimal text."""
        known = self._read()
        fresh: dict[str, list[Any]] = {}
        digests = [self._digest(path, known, fresh) for path in paths]
        if fresh:
            # Read again: another process may have added to it.
            files = {**self._read(), **fresh}
            index = {"layout": LAYOUT, "checksum": _checksum(files), "files": files}
            self._writer.remove_leftovers(self._path.parent)
            self._writer.write(self._path, [json.dumps(index).encode()])
        return digests

    def is_current(self, path: Path) -> bool:
        """Whether a file is still what it was when its digest was taken."""
        try:
            return _stamp(path) == self._stamps[path]
        except SerEdgeError:
            return False

    def _digest(self, path: Path, known: dict[str, list[Any]], fresh: dict[str, list[Any]]) -> str:
        name = str(path.absolute())
        stamp = self._stamps[path] = _stamp(path)
        digest, *known_stamp = known.get(name, [""])
        if known_stamp != stamp:
            digest = _content_digest(path)
            # A file so new could change once more and keep its time stamp.
            if time.time() - max(stamp[1:]) / 1e9 > SETTLED_SECONDS:
                fresh[name] = [digest, *stamp]
        return str(digest)

    def _read(self) -> dict[str, list[Any]]:
        try:
            index = json.loads(self._path.read_bytes())
            if index["layout"] != LAYOUT:
                return {}
            if index["checksum"] == _checksum(index["files"]):
                return dict(index["files"])
            reason = "is damaged"
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
        except (ValueError, TypeError, KeyError):
            reason = "is damaged"
        say(f"{printable(self._path)}: {reason}; computed again")
        return {}


def _checksum(files: dict[str, list[Any]]) -> int:
    return zlib.crc32(json.dumps(files).encode())


def _content_digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _stamp(path: Path) -> list[int]:
    """Size and times of a file; the second one changes even where the first was set back."""
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _changed(path: Path) -> SerEdgeError:
    return SerEdgeError(f"{printable(path)}: was changed while it was read; run it again")


def _unreadable(path: Path, error: OSError) -> SerEdgeError:
    return SerEdgeError(f"{printable(path)}: cannot be read ({error.strerror or error})")


class _Entry(NamedTuple):
    content: str
    shape: list[int]
    checksum: int
    start: int


class _Packs:
    """The packs of one extraction."""

    def __init__(self, folder: Path, writer: _Writer) -> None:
        self._folder = folder
        self._writer = writer
        self._pending: dict[str, Frames] = {}
        self._pending_bytes = 0
        self._pending_since = 0.0
        self._damaged: list[Path] = []

    def read(self, wanted: Collection[str]) -> dict[str, Frames]:
        """What is kept of the wanted contents, and whole."""
        found: dict[str, Frames] = {}
        self._writer.remove_leftovers(self._folder)
        for path in sorted(self._folder.glob("*.pack")):
            self._read_pack(path, wanted, found)
        return found

    def add(self, content: str, frames: Frames) -> None:
        """Keep an entry, at the latest a few seconds after it came."""
        if not self._pending:
            self._pending_since = time.monotonic()
        self._pending[content] = frames
        self._pending_bytes += frames.nbytes
        waited = time.monotonic() - self._pending_since
        if self._pending_bytes >= PACK_BYTES or waited >= PACK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Keep now what was added; then remove the packs whose remains that includes."""
        pending, self._pending, self._pending_bytes = self._pending, {}, 0
        path, parts = self._pack(pending)
        if pending and not self._writer.write(path, parts):
            return
        damaged, self._damaged = self._damaged, []
        for other in damaged:
            # The same entries give the same name: then it is mended already.
            if not pending or other != path:
                self._writer.remove(other)

    def _pack(self, entries: dict[str, Frames]) -> tuple[Path, list[Any]]:
        """Path of a pack, and what to write there."""
        values = [frames.astype("<f4", copy=False) for frames in entries.values()]
        listed = [[c, v.shape, zlib.crc32(v.data)] for c, v in zip(entries, values)]
        head = json.dumps({"layout": LAYOUT, "entries": listed}).encode() + b"\n"
        return self._folder / f"{_digest(head)}.pack", [head, *values]

    def _read_pack(self, path: Path, wanted: Collection[str], found: dict[str, Frames]) -> None:
        try:
            with path.open("rb") as file:
                if self._read_entries(path, file, wanted, found):
                    return
            reason = "is damaged"
        except FileNotFoundError:
            return  # another process has replaced it
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
        say(f"{printable(path)}: {reason}; computed again")

    def _read_entries(
        self,
        path: Path,
        file: BufferedReader,
        wanted: Collection[str],
        found: dict[str, Frames],
    ) -> bool:
        """Add to what was found; tells whether the pack is as it was written."""
        entries = _read_head(path, file)
        whole = entries is not None
        for entry in entries or []:
            if entry.content in wanted and entry.content not in found:
                frames = _read_entry(file, entry)
                if frames is None:
                    whole = False
                else:
                    found[entry.content] = frames
        if not whole:
            self._rescue(path, file, entries or [])
        return whole

    def _rescue(self, path: Path, file: BufferedReader, entries: list[_Entry]) -> None:
        """Have what is whole in a damaged pack written into the next one."""
        for entry in entries:
            frames = _read_entry(file, entry)
            if frames is not None:
                self._pending[entry.content] = frames
        self._damaged.append(path)


def _digest(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()[:32]


def _read_head(path: Path, file: BufferedReader) -> list[_Entry] | None:
    """Entries of a pack, none where a later version wrote it; None where the list is damaged."""
    head = file.readline()
    if _digest(head) != path.stem:
        return None
    described = json.loads(head)
    if described["layout"] != LAYOUT:
        return []
    entries = []
    start = len(head)
    for content, shape, checksum in described["entries"]:
        entries.append(_Entry(content, shape, checksum, start))
        start += 4 * math.prod(shape)
    return entries


def _read_entry(file: BufferedReader, entry: _Entry) -> Frames | None:
    """Values of an entry, None where they are not what was written."""
    frames = np.empty(entry.shape, dtype="<f4")
    file.seek(entry.start)
    n_read = file.readinto(frames.reshape(-1).view(np.uint8).data)
    if n_read < frames.nbytes or zlib.crc32(frames.data) != entry.checksum:
        return None
    return frames.astype(np.float32, copy=False)
