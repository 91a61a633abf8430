"""Files of arrays and a few words about them: private to their owner, whole or not there at all."""

from __future__ import annotations

import glob
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import DAMAGED

ABOUT = "about"
MODE = 0o600  # what a voice is like is nobody else's business
MOST_BYTES = 4_000_000  # of the file, and of what it holds unpacked
Arrays = dict[str, NDArray[Any]]


def write_arrays(path: Path, about: dict[str, Any], arrays: Arrays) -> None:
    """Write arrays to a file that its owner alone can read.

    Written by root, it belongs to the owner of its folder, as the service's do.

    Parameters
    ----------
    path : Path
        The file; what was there stays when writing fails.
    about : dict
        As JSON.
    arrays : dict of str to ndarray
        By name, which is not "about".

    Raises
    ------
    SerEdgeError
        When it cannot be written.
    """
    packed = io.BytesIO()
    entries: dict[str, Any] = {ABOUT: np.array(json.dumps(about)), **arrays}
    np.savez_compressed(packed, **entries)
    content = packed.getvalue()
    if max(len(content), sum(array.nbytes for array in arrays.values())) > MOST_BYTES // 2:
        raise SerEdgeError(f"{path}: would be too large to be read again; enrol fewer recordings")
    try:
        _write_privately(path, content)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error


def _write_privately(path: Path, content: bytes) -> None:
    # Of this process alone: another may be writing, too.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with replacing(path, temporary):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        belong_to_folder(temporary)


def temporaries_of(path: Path) -> list[Path]:
    """What writers of a file that were killed have left of it."""
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.*"))


def belong_to_folder(path: Path) -> None:
    """Give what root has made to the owner of the folder that it is in."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def read_arrays(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Read what `write_arrays` wrote.

    Returns
    -------
    about : dict
        What is said about the arrays.
    arrays : dict of str to ndarray
        By name.

    Raises
    ------
    SerEdgeError
        When it cannot be read, is damaged or larger than such a file ever is.
    """
    try:
        content = _content(path)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MOST_BYTES:
            raise ValueError(f"it would unpack to {unpacked} bytes")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(str(arrays.pop(ABOUT)[()]))
        if not isinstance(about, dict):
            raise ValueError("it says nothing about itself")
    except (*DAMAGED, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise damaged(path, error) from error
    return about, arrays


def damaged(path: Path, reason: object) -> SerEdgeError:
    """One line about a file that cannot be used."""
    first = (str(reason).splitlines() or [""])[0]
    return SerEdgeError(f"{path}: is damaged ({first}); remove it and enrol again")


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SerEdgeError(f"{path}: is larger than a profile ever is; remove it and enrol again")
    return content
