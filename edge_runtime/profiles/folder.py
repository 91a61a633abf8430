"""The folder of profiles: where it is, what is in it, and which of them is active."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.array_file import MODE, belong_to_folder
from edge_runtime.profiles.clips import Clips
from edge_runtime.profiles.profile import Profile
from edge_runtime.profiles.profile_file import SUFFIX, read_profile, write_profile

ACTIVE = "active"  # a file with the name of the active profile
UNFINISHED = ".unfinished"
NOBODY = "none"
LONGEST_NAME = 64


def default_folder() -> Path:
    """Where profiles are, unless something else is asked for.

    A service of systemd has a folder of its own; a user has one below ``~/.local/share``.
    """
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state:
        return Path(state) / "profiles"
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "ser-edge" / "profiles"


class ProfileFolder:
    """Profiles by name.

    Parameters
    ----------
    path : Path, optional
        The folder, which need not exist; see `default_folder`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_folder()

    def names(self) -> list[str]:
        """Names of all profiles, sorted.

        Raises
        ------
        SerEdgeError
            When the folder may not be read.
        """
        try:
            found = [path.stem for path in self.path.iterdir() if path.suffix == SUFFIX]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SerEdgeError(f"{self.path}: cannot be read ({error.strerror})") from error
        return sorted(name for name in found if not name.startswith("."))

    def file(self, name: str) -> Path:
        """Where a profile is, or would be.

        Raises
        ------
        SerEdgeError
            When the name cannot be one.
        """
        return self.path / f"{checked_name(name)}{SUFFIX}"

    def unfinished_file(self, name: str) -> Path:
        """Where an enrolment that is not finished is kept, or would be."""
        return self.path / f".{checked_name(name)}{UNFINISHED}"

    def read(self, name: str) -> tuple[Profile, Clips]:
        """Read a profile and its clips.

        Raises
        ------
        SerEdgeError
            When there is none of this name, or it is damaged.
        """
        path = self.file(name)
        if not path.is_file():
            known = ", ".join(self.names()) or "none"
            raise SerEdgeError(
                f"no profile {name!r} in {self.path} (there: {known}); ser-edge enrol {name}"
            )
        profile, clips = read_profile(path)
        if profile.name != name:
            raise SerEdgeError(f"{path}: is the profile {profile.name!r}; rename it back")
        return profile, clips

    def write(self, profile: Profile, clips: Clips) -> None:
        """Keep a profile, in place of one of the same name.

        Raises
        ------
        SerEdgeError
            When it cannot be written.
        """
        self.make()
        write_profile(self.file(profile.name), profile, clips)

    def make(self) -> None:
        """Make the folder, which its owner alone may enter, where it is not there.

        Raises
        ------
        SerEdgeError
            When it cannot be made.
        """
        if self.path.is_dir():
            return
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            belong_to_folder(self.path)
        except OSError as error:
            raise SerEdgeError(
                f"{self.path}: cannot be made ({error.strerror or error}); --profile-dir DIR names "
                "another folder"
            ) from error

    def remove(self, name: str) -> None:
        """Delete a profile, and what an enrolment of this name has left.

        Raises
        ------
        SerEdgeError
            When there is neither, or it cannot be deleted.
        """
        there = [path for path in (self.file(name), self.unfinished_file(name)) if path.exists()]
        if not there:
            known = ", ".join(self.names()) or "none"
            raise SerEdgeError(f"no profile {name!r} in {self.path} (there: {known})")
        if self.active() == name:
            self.activate(None)
        for path in there:
            _unlink(path)

    def active(self) -> str | None:
        """Name of the profile that is used where none is asked for."""
        try:
            name = (self.path / ACTIVE).read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SerEdgeError(f"{self.path / ACTIVE}: cannot be read ({error})") from error
        return name or None

    def activate(self, name: str | None) -> None:
        """Choose the profile that is used where none is asked for; None for none.

        Raises
        ------
        SerEdgeError
            When there is no such profile, or the choice cannot be written.
        """
        path = self.path / ACTIVE
        if name is None:
            _unlink(path)
            return
        self.read(name)
        try:
            with replacing(path) as temporary:
                temporary.write_text(f"{name}\n", encoding="utf-8")
                temporary.chmod(MODE)
                belong_to_folder(temporary)
        except OSError as error:
            raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error


def checked_name(name: str) -> str:
    """Check that a name can be one of a profile, and so of a file.

    Raises
    ------
    SerEdgeError
        When it cannot; the line says what can.
    """
    letters = all(letter.isalnum() or letter in "-_." for letter in name)
    if letters and 0 < len(name) <= LONGEST_NAME and name[0] not in "-." and name != NOBODY:
        return name
    raise SerEdgeError(
        f"{name!r} cannot be a profile's name: up to {LONGEST_NAME} letters, digits, '-', '_' and "
        f"'.', a letter or digit first, and not {NOBODY!r}"
    )


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be deleted ({error.strerror or error})") from error
