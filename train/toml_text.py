"""Reads TOML, and writes settings as such, for people to read and to copy into a recipe."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    SerEdgeError
        When it cannot be read, or is not TOML.
    """
    try:
        return dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SerEdgeError(f"{path}: not TOML ({error})") from error


def to_toml(settings: dict[str, Any]) -> str:
    """Write a tree of settings as TOML.

    Parameters
    ----------
    settings : dict
        Texts, numbers, booleans, lists and dictionaries of them; None, which TOML lacks, is left
        out.

    Returns
    -------
    str
        Values first, then a section for each dictionary.

    Examples
    --------
    >>> print(to_toml({"name": "edge", "training": {"steps": 3000}, "corpora": ["TESS"]}))
    name = "edge"
    corpora = ["TESS"]
    <BLANKLINE>
    [training]
    steps = 3000
    """
    return "\n".join(_lines(settings, ())).strip("\n")


def _lines(settings: dict[str, Any], section: tuple[str, ...]) -> list[str]:
    tables = {key: value for key, value in settings.items() if isinstance(value, dict)}
    lines = [
        f"{_key(key)} = {_value(value)}"
        for key, value in settings.items()
        if key not in tables and value is not None
    ]
    for key, table in tables.items():
        path = (*section, key)
        lines += ["", f"[{'.'.join(map(_key, path))}]", *_lines(table, path)]
    return lines


def _value(value: Any) -> str:
    if isinstance(value, dict):
        items = (f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(items) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(one) for one in value if one is not None) + "]"
    if isinstance(value, float):
        return repr(value)
    # TOML's texts are JSON's, but for surrogates and for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    plain = key.isascii() and key.replace("-", "_").isidentifier()
    return key if plain else _value(key)
