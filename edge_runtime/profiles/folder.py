"""The folder of profiles: where it is, what is in it, and which of them is active."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.array_file import MODE, belong_to_folder, temporaries_of
from edge_runtime.profiles.clips import Clips
from edge_runtime.profiles.names import checked_name, is_same_file
from edge_runtime.profiles.profile import Profile
from edge_runtime.profiles.profile_file import SUFFIX, read_profile, write_profile

ACTIVE = "active"  # a file with the name of the active profile
UNFINISHED = ".unfinished"


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
            When the name cannot be one, or another differs from it by capitals alone.
        """
        spelt = checked_name(name)
        for other in self.names():
            if other != spelt and is_same_file(other, spelt):
                raise SerEdgeError(
                    f"there is a profile {other!r}; say that, or choose another name"
                )
        return self.path / f"{spelt}{SUFFIX}"

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
        if not _exists(path):
            raise SerEdgeError(f"{self._without(name)}; ser-edge enrol {name} makes one")
        profile, clips = read_profile(path)
        if profile.name != path.stem:
            raise SerEdgeError(f"{path}: is the profile {profile.name!r}; rename it back")
        return profile, clips

    def _without(self, name: str) -> str:
        return f"no profile {name!r} in {self.path} (there: {', '.join(self.names()) or 'none'})"

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
        try:
            if not self.path.is_dir():
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                belong_to_folder(self.path)
        except OSError as error:
            raise self.unusable(error) from error

    def unusable(self, error: OSError) -> SerEdgeError:
        """One line about a folder that cannot be made or entered."""
        if isinstance(error, PermissionError):
            advice = "run it with sudo, as for the service's profiles, or name one of yours"
        else:
            advice = "name another folder"
        return SerEdgeError(
            f"{self.path}: profiles cannot be kept there ({error.strerror or error}); "
            f"{advice}: --profile-dir DIR"
        )

    def remove(self, name: str) -> None:
        """Delete a profile, and what an enrolment of this name has left.

        Raises
        ------
        SerEdgeError
            When there is neither, or it cannot be deleted.
        """
        name = checked_name(name)
        files = (self.file(name), self.unfinished_file(name))
        there = [path for path in files if _exists(path)]
        there += [path for file in files for path in temporaries_of(file)]
        if not there:
            raise SerEdgeError(self._without(name))
        if self.active() == name:
            self.activate(None)
        for path in there:
            _unlink(path)

    def active(self) -> str | None:
        """Name of the profile that is used where none is asked for.

        Raises
        ------
        SerEdgeError
            When it cannot be read.
        """
        try:
            name = (self.path / ACTIVE).read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            reason = error.strerror or error
            raise SerEdgeError(f"{self.path / ACTIVE}: cannot be read ({reason})") from error
        except UnicodeDecodeError as error:
            raise SerEdgeError(
                f"{self.path / ACTIVE}: holds no name; ser-edge profiles use NAME writes it anew"
            ) from error
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
        name = checked_name(name)
        self.read(name)
        try:
            with replacing(path) as temporary:
                temporary.write_text(f"{name}\n", encoding="utf-8")
                temporary.chmod(MODE)
                belong_to_folder(temporary)
        except OSError as error:
            raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read ({error.strerror or error})") from error


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be deleted ({error.strerror or error})") from error
