"""An enrolment under way: what is enrolled so far, kept on disk after every clip."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.array_file import damaged, read_arrays, write_arrays
from edge_runtime.profiles.clips import Clip, Clips
from edge_runtime.profiles.folder import ProfileFolder
from edge_runtime.profiles.profile_file import FORMAT_VERSION, check_format

try:
    import fcntl
except ImportError:  # not on this system; then nobody is kept from enrolling twice at once
    fcntl = None  # type: ignore[assignment]


class Session:
    """The clips of one name, those of an earlier enrolment among them.

    Parameters
    ----------
    folder : ProfileFolder
        Where profiles are.
    name : str
        Whose.
    classifier : Classifier
        The model.
    again : bool
        Whether to begin anew; what there is stays until the new profile takes its place.
    say : callable
        Takes a line about what was found.

    Attributes
    ----------
    name : str
        Whose.
    clips : Clips
        So far.
    n_kept : int
        How many clips are on disk.
    is_kept : bool
        Whether the last clip is among them.

    Raises
    ------
    SerEdgeError
        When what is there is damaged, or a profile of another model, which ``again`` replaces.
    """

    def __init__(
        self,
        folder: ProfileFolder,
        name: str,
        classifier: Classifier,
        again: bool,
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._path = folder.unfinished_file(name)
        self._classifier = classifier
        self.name = name
        self.clips = Clips() if again else self._found(say)
        self.n_kept = len(self.clips)
        self.is_kept = True

    def add(self, clip: Clip) -> None:
        """Take a clip, in place of an earlier one from the same source; `keep` writes it."""
        self.clips.add(clip)
        self.is_kept = False

    def keep(self) -> None:
        """Keep all clips on disk, where the next session of this name finds them.

        Raises
        ------
        SerEdgeError
            When they cannot be written.
        """
        self._folder.make()
        about = {"format": FORMAT_VERSION, "model": self._classifier.hash}
        write_arrays(self._path, about, self.clips.to_arrays())
        self.n_kept = len(self.clips)
        self.is_kept = True

    def finish(self) -> None:
        """Forget what was under way: the profile has it."""
        self._path.unlink(missing_ok=True)

    def _found(self, say: Callable[[str], None]) -> Clips:
        if self._path.exists():
            clips = self._unfinished()
            say(f"going on: {len(clips)} of {self.name} are recorded already")
            return clips
        if not self._folder.file(self.name).exists():
            return Clips()
        profile, clips = self._folder.read(self.name)
        if profile.model != self._classifier.hash:
            raise self._of_another_model(f"profile {self.name}", profile.model_id)
        return clips

    def _of_another_model(self, what: str, model_id: str) -> SerEdgeError:
        return SerEdgeError(
            f"{what}: was made with the model {model_id}, not with {self._classifier.model_id}; "
            "--again begins anew in its place, --model FILE names that model"
        )

    def _unfinished(self) -> Clips:
        about, arrays = read_arrays(self._path)
        check_format(self._path, about)
        model = str(about.get("model"))
        if model != self._classifier.hash:
            raise self._of_another_model(str(self._path), model[:8])
        try:
            clips = Clips.from_arrays(arrays)
            size = self._classifier.backend.output_sizes[1]
            clips.check_widths(size, self._classifier.metadata.labels)
        except SerEdgeError as error:
            raise damaged(self._path, error) from error
        return clips


@contextmanager
def alone_in(folder: ProfileFolder) -> Iterator[None]:
    """Keep a second enrolment out of the folder meanwhile: each would undo the other's.

    Raises
    ------
    SerEdgeError
        When there is one, or the folder cannot be made or read.
    """
    folder.make()
    if fcntl is None:
        yield
        return
    try:
        descriptor = os.open(folder.path, os.O_RDONLY)
    except OSError as error:
        raise folder.unusable(error) from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: ProfileFolder) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SerEdgeError(
            f"{folder.path}: somebody is being enrolled there already; finish that first"
        ) from error
