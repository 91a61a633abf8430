"""Enrols recordings that are there already: a folder for each emotion."""

from __future__ import annotations

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
        What they are added to; a file of the same folder and name takes the place of the earlier.
    say : callable
        Takes a line about each file that cannot be used.

    Returns
    -------
    int
        How many could not be used.
    """
    n_refused = 0
    for label, path in files:
        try:
            clip = clip_of(classifier, path, label)
        except SerEdgeError as error:
            n_refused += 1
            say(str(error))
            continue
        clips.add(clip)
    return n_refused


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
    return Clip(embedding, scores, label, f"{label}/{path.name}")
