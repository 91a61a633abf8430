"""An enrolment under way: what is enrolled so far, kept on disk after every clip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.array_file import read_arrays, write_arrays
from edge_runtime.profiles.clips import Clip, Clips
from edge_runtime.profiles.folder import ProfileFolder


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
    clips : Clips
        So far.

    Raises
    ------
    SerEdgeError
        When the name cannot be one, or what is there is damaged.
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
        self._model = classifier.hash
        self.name = name
        self.clips = Clips() if again else self._found(say)

    def add(self, clip: Clip) -> None:
        """Take a clip, and keep all on disk.

        Raises
        ------
        SerEdgeError
            When they cannot be written; the clip is taken all the same.
        """
        self.clips.add(clip)
        self.keep()

    def keep(self) -> None:
        """Keep all clips on disk, where the next session of this name finds them.

        Raises
        ------
        SerEdgeError
            When they cannot be written.
        """
        self._folder.make()
        write_arrays(self._path, {"model": self._model}, self.clips.to_arrays())

    def finish(self) -> None:
        """Forget what was under way: the profile has it."""
        self._path.unlink(missing_ok=True)

    def _found(self, say: Callable[[str], None]) -> Clips:
        if self._path.exists():
            clips = self._unfinished(self._path)
            if clips is not None:
                say(f"going on: {len(clips)} of {self.name} are recorded already")
                return clips
            say(f"what was recorded for {self.name} was for another model: beginning anew")
            return Clips()
        if not self._folder.file(self.name).exists():
            return Clips()
        profile, clips = self._folder.read(self.name)
        if profile.model != self._model:
            say(f"the profile {self.name} is of another model: beginning anew")
            return Clips()
        return clips

    def _unfinished(self, path: Path) -> Clips | None:
        about, arrays = read_arrays(path)
        if about.get("model") != self._model:
            return None
        try:
            return Clips.from_arrays(arrays)
        except SerEdgeError as error:
            raise SerEdgeError(f"{path}: {error}; remove it and enrol again") from error
