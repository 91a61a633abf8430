"""Keeps the features of one extraction in packs: finds, gathers, writes and mends them."""

from __future__ import annotations

import time
from collections.abc import Collection
from io import BufferedReader
from pathlib import Path

from edge_runtime.sources.audio_file import printable
from train.cache.pack_file import SUFFIX, Entry, Frames, pack, read_entries, read_values
from train.cache.writer import Writer
from train.progress import say

PACK_SECONDS = 3.0  # what a crash may cost
PACK_BYTES = 1 << 25


class Packs:
    """The packs of one extraction.

    Parameters
    ----------
    folder : Path
        Where they lie.
    writer : Writer
        What writes them.
    """

    def __init__(self, folder: Path, writer: Writer) -> None:
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
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
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
        name, parts = pack(pending)
        written = self._folder / name if pending else None
        if written and not self._writer.write(written, parts):
            return
        damaged, self._damaged = self._damaged, []
        for path in damaged:
            # The same entries give the same name: then it is mended already.
            if path != written:
                self._writer.remove(path)

    def _read_pack(self, path: Path, wanted: Collection[str], found: dict[str, Frames]) -> None:
        try:
            with path.open("rb") as file:
                if self._find(path, file, wanted, found):
                    return
            reason = "is damaged"
        except FileNotFoundError:
            return  # another process has replaced it
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
        say(f"{printable(path)}: {reason}; computed again")

    def _find(
        self,
        path: Path,
        file: BufferedReader,
        wanted: Collection[str],
        found: dict[str, Frames],
    ) -> bool:
        """Add to what was found; tells whether the pack is as it was written."""
        entries = read_entries(file, path.stem)
        whole = entries is not None
        for entry in entries or []:
            if entry.content in wanted and entry.content not in found:
                frames = read_values(file, entry)
                if frames is None:
                    whole = False
                else:
                    found[entry.content] = frames
        if not whole:
            self._rescue(path, file, entries or [])
        return whole

    def _rescue(self, path: Path, file: BufferedReader, entries: list[Entry]) -> None:
        """Have what is whole in a damaged pack written into the next one."""
        for entry in entries:
            frames = read_values(file, entry)
            if frames is not None:
                self._pending[entry.content] = frames
        self._damaged.append(path)
