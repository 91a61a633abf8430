"""Enrols recordings that are there already: a folder for each emotion."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.clips import Clip, Clips
from edge_runtime.sources import read_clip


def labelled_files(folder: Path, labels: Sequence[str]) -> list[tuple[str, Path]]:
    """List LABEL/FILE below a folder.

    Parameters
    ----------
    folder : Path
        With a folder for each label; hidden files and folders are passed over.
    labels : sequence of str
        What the folders may be called, in capitals too.

    Returns
    -------
    list of (str, Path)
        Label and file, sorted.

    Raises
    ------
    SerEdgeError
        When it cannot be read, a folder's name is no label, or there is no file.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        folders = [path for path in inside if path.is_dir()]
        wrong = [path.name for path in folders if path.name.lower() not in labels]
        if wrong:
            raise SerEdgeError(
                f"{folder}: {wrong[0]!r} is none of the model's labels ({', '.join(labels)}); "
                "rename it or take it out"
            )
        found = [
            (path.name.lower(), file)
            for path in folders
            for file in sorted(path.iterdir())
            if file.is_file() and not file.name.startswith(".")
        ]
    except OSError as error:
        raise SerEdgeError(f"{folder}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise SerEdgeError(
            f"{folder}: holds no LABEL/FILE; put recordings into folders named after what they "
            f"are: {', '.join(labels)}"
        )
    return found


def enrol_files(
    files: Sequence[tuple[str, Path]],
    classifier: Classifier,
    clips: Clips,
    say: Callable[[str], None],
) -> int:
    """Add recordings to a profile's clips.

    Parameters
    ----------
    files : sequence of (str, Path)
        What each is, and where.
    classifier : Classifier
        The model.
    clips : Clips
        What they are added to; the same recording is not there twice, and counts as what the later
        folder says.
    say : callable
        Takes a line about each file that cannot be used.

    Returns
    -------
    int
        How many could not be used.
    """
    n_refused = 0
    known: dict[str, Path] = {}
    for label, path in files:
        try:
            clip = clip_of(classifier, path, label)
            _require_new(clip, path, known)
        except SerEdgeError as error:
            n_refused += 1
            say(str(error))
            continue
        known[clip.source] = path
        clips.add(clip)
    return n_refused


def _require_new(clip: Clip, path: Path, known: dict[str, Path]) -> None:
    if clip.source in known:
        raise SerEdgeError(f"{path}: is the same recording as {known[clip.source]}; keep one")


def clip_of(classifier: Classifier, path: Path, label: str) -> Clip:
    """What the model makes of a recording.

    Raises
    ------
    SerEdgeError
        When it cannot be read, or holds nothing to classify.
    """
    audio = read_clip(path, classifier.metadata.features.sample_rate)
    try:
        scores, embedding = classifier.clip_outputs(audio)
    except SerEdgeError as error:
        raise SerEdgeError(f"{path}: {error}") from error
    return Clip(embedding, scores, label, f"file {_digest(path)}")


def _digest(path: Path) -> str:
    """What tells a file's content from all others, whatever the file is called."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read ({error.strerror or error})") from error
