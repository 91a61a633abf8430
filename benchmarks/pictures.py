"""Whether a result can be drawn."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from edge_runtime.errors import SerEdgeError


def require_drawable(path: Path | None, endings: tuple[str, ...]) -> None:
    """Refuse before the measurement what would fail after it.

    Parameters
    ----------
    path : Path or None
        What ``--plot`` names, if anything.
    endings : tuple of str
        What the name may end in.

    Raises
    ------
    SerEdgeError
        When it ends in something else, or matplotlib is not installed.
    """
    if path is None:
        return
    if path.suffix not in endings:
        raise SerEdgeError(f"--plot {path}: the name must end in {' or '.join(endings)}")
    if find_spec("matplotlib") is None:
        raise SerEdgeError("--plot needs matplotlib: pip install 'ser-edge[bench]'")
