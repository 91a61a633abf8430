"""The reference of a program's options, out of the parser that reads them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from benchmarks.markdown import markdown
from benchmarks.results import Results


def train_table(_results: Results) -> str:
    """Say what every command of ``ser-train`` takes, a table for each."""
    from train.cli import make_parser

    parts = []
    for name, about, parser in _commands(make_parser()):
        parts.append(f"### ser-train {name}\n\n{_sentence(about)}\n\n{_table(parser)}")
    return "\n\n".join(parts)


def convert_table(_results: Results) -> str:
    """Say what ``ser-convert`` takes."""
    from convert.cli import make_parser

    return _table(make_parser())


def _commands(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Name, help and parser of each command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                yield choice.dest, choice.help or "", action.choices[choice.dest]


def _table(parser: argparse.ArgumentParser) -> str:
    taken = [action for action in parser._actions if "--help" not in action.option_strings]
    rows = [[f"`{_cell(_usage(action))}`", _cell(action.help or "")] for action in taken]
    return markdown([["argument", ""], *rows])


def _usage(action: argparse.Action) -> str:
    """Flags and what follows them, as ``-o, --output FILE``."""
    name = action.metavar or action.dest.upper()
    if action.choices and not action.metavar:
        name = "{" + ",".join(map(str, action.choices)) + "}"
    value = {"0": "", "+": f"{name}...", "*": f"[{name}...]"}.get(str(action.nargs), str(name))
    return " ".join(part for part in (", ".join(action.option_strings), value) if part)


def _cell(text: str) -> str:
    return text.replace("%%", "%")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
