"""The reference of the daemon's settings, out of the code that reads them."""

from __future__ import annotations

from benchmarks.markdown import markdown
from benchmarks.results import Results
from edge_runtime.settings import SECTIONS, Option, options


def settings_table(_results: Results) -> str:
    """A table for each section: key, flag, default, what it is; variables follow from the flag."""
    parts = []
    for name, section in SECTIONS.items():
        rows = [["key", "flag", "default", ""]]
        rows += [_row(option) for option in options() if option.section == name]
        about = (section.__doc__ or "").split("\n")[0]
        parts.append(f"**`[{name}]`** {about}\n\n{markdown(rows)}")
    return "\n\n".join(parts)


def _row(option: Option) -> list[str]:
    limits = f" ({option.wanted})" if option.choices or option.type in (int, float) else ""
    text = f"{option.text}{limits}"
    return [f"`{option.name}`", f"`{option.flag}`", _default(option), text]


def _default(option: Option) -> str:
    if option.default in (None, ""):
        return ""
    value = str(option.default)
    return f"`{value.lower() if option.type is bool else value}`"
