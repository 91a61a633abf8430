"""Self-contained HTML pages: pictures inside, nothing loaded from elsewhere, all text escaped."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from train.output_files import write_bytes

TEMPLATES = Path(__file__).parent / "templates"


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Fill in a template and write the page.

    Parameters
    ----------
    path : Path
        The .html file; its folder is made.
    template : str
        Name of a file in ``train/templates``.
    **values
        What it names.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    SerEdgeError
        When the page cannot be written.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, figure=_figure)
    page = environment.get_template(template).render(values)
    # A file name may hold bytes that are no text.
    write_bytes(path, page.encode("utf-8", errors="backslashreplace"))
    return path


def inline(png: bytes) -> str:
    """Address of a picture that holds the picture."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _figure(value: float | None, decimals: int = 3) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
