"""The settings of ``ser-edge listen``: from a TOML file, the environment and flags in turn."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError
from edge_runtime.settings import ENVIRONMENT, SECTIONS, Option, Settings, options

Values = dict[str, dict[str, Any]]

# How alike two names must be, of 1, that the one is taken for the other with a slip in it.
SLIP = 0.9


def load(
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Put the settings together.

    Parameters
    ----------
    path : Path, optional
        The configuration file.
    environment : mapping, optional
        Environment variables; those of the process by default.
    flags : mapping, optional
        Values from the command line by key ("section.name"), checked already; None is not given.
        Then the environment counts for these keys alone.

    Returns
    -------
    Settings
        The value of every setting.

    Raises
    ------
    SerEdgeError
        When the file cannot be read, a value does not fit, or a variable nearly has the name of a
        setting; the line names file and line, or the variable.
    """
    values: Values = {}
    if path is not None:
        _take_file(values, path)
    known = [option for option in options() if flags is None or option.key in flags]
    given = os.environ if environment is None else environment
    _require_known_names(given)
    _take_environment(values, known, given)
    for key, value in (flags or {}).items():
        if value is not None:
            section, name = key.split(".")
            values.setdefault(section, {})[name] = value
    return Settings(**{name: section(**values.get(name, {})) for name, section in SECTIONS.items()})


def example() -> str:
    """An example of the configuration file: every setting with its default, commented out."""
    lines = ["# Configuration of ser-edge listen. What is commented out is the default."]
    section = ""
    for option in options():
        if option.section != section:
            section = option.section
            about = SECTIONS[section].__doc__ or ""
            lines += ["", f"# {about.split(chr(10))[0]}", f"[{section}]"]
        lines.append(f"# {option.text}{_limits(option)}")
        lines.append(f"#{option.name} = {_toml(option)}")
    return "\n".join(lines) + "\n"


def _limits(option: Option) -> str:
    if option.choices or option.type in (int, float):
        return f" ({option.wanted})"
    return ""


def _toml(option: Option) -> str:
    if option.type is bool:
        return str(option.default).lower()
    if option.type in (int, float):
        return "" if option.default is None else str(option.default)
    return f'"{"" if option.default is None else option.default}"'


def _take_file(values: Values, path: Path) -> None:
    text = _read(path)
    known = {option.key: option for option in options()}
    for section, entries in _parse(path, text).items():
        if section not in SECTIONS or not isinstance(entries, dict):
            raise SerEdgeError(
                f"{path}: line {_line_of(text, section, None)}: there is no section [{section}]; "
                f"there are {', '.join(sorted(SECTIONS))}"
            )
        for name, value in entries.items():
            option = known.get(f"{section}.{name}")
            where = f"{path}: line {_line_of(text, section, name)}"
            if option is None:
                names = [one.name for one in known.values() if one.section == section]
                raise SerEdgeError(
                    f"{where}: [{section}] has no setting {name!r}; it has {', '.join(names)}"
                )
            values.setdefault(section, {})[name] = _checked(option, value, f"{where}: {option.key}")


def _require_known_names(environment: Mapping[str, str]) -> None:
    """Refuse a variable that nearly is a setting: not set, it would be missed without a word."""
    known = [option.variable for option in options()]
    for name in environment:
        if name.startswith(ENVIRONMENT) and name not in known:
            for meant in difflib.get_close_matches(name, known, n=1, cutoff=SLIP):
                raise SerEdgeError(
                    f"{name} is set, and is no setting; {meant} is: rename it, or take it away"
                )


def _take_environment(
    values: Values, known: Iterable[Option], environment: Mapping[str, str]
) -> None:
    for option in known:
        text = environment.get(option.variable)
        if not text:  # set to nothing counts as not set
            continue
        try:
            value = option.parse(text)
        except ValueError:
            raise SerEdgeError(f"{option.variable} must be {option.wanted}, not {text!r}") from None
        values.setdefault(option.section, {})[option.name] = value


def _checked(option: Option, value: Any, where: str) -> Any:
    try:
        return option.check(value)
    except ValueError:
        raise SerEdgeError(f"{where} must be {option.wanted}, not {value!r}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SerEdgeError(f"{path}: is no text (UTF-8)") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        parsed: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SerEdgeError(f"{path}: is no valid TOML: {error}") from error
    return parsed


def _line_of(text: str, section: str, name: str | None) -> int:
    """Line of a setting, or of its section, counted from 1; the first where it is written oddly."""
    here, section_line = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*[\"']?([\w-]+)", line)
        if header:
            here = header[1]
            section_line = number if here == section else section_line
        elif name is not None and here == section:
            if re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line):
                return number
        elif not here and re.match(rf"\s*[\"']?{re.escape(section)}\b", line):
            return number
    return section_line
