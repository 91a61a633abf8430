"""The command line of ``ser-edge``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn

from edge_runtime import __version__
from edge_runtime.commands import classify, devices, enrol, info, listen, profiles
from edge_runtime.doctor import doctor
from edge_runtime.enrol.prompts import CLIPS, MOST_CLIPS
from edge_runtime.install import SYSTEM_CONFIG, install_service
from edge_runtime.profiles.command import (
    list_profiles,
    remove_profile,
    show_profile,
    use_profile,
)
from edge_runtime.program import run_program
from edge_runtime.settings import ENVIRONMENT, Option, options

MODEL_KEYS = ("model.file", "model.backend", "model.threads")
PROFILE_KEYS = ("profile.name", "profile.dir")
FORMAT_KEY = "output.format"
EXIT_USAGE = 2


def main(argv: list[str] | None = None) -> int:
    """Run ``ser-edge`` and return its exit status."""
    return run_program("ser-edge", make_parser, argv)


class Parser(argparse.ArgumentParser):
    """Tells a wrong flag in one line, not below all that there are."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with status 2."""
        if self.format_usage().count("\n") > 1:
            self.exit(EXIT_USAGE, f"{self.prog}: error: {message}; see: {self.prog} --help\n")
        super().error(message)


def make_parser() -> Parser:
    """Make the parser of ``ser-edge``."""
    parser = Parser(
        prog="ser-edge",
        description="Recognise emotion in speech on a small device.",
        epilog=f"Every option can be set in the environment too: --model as {ENVIRONMENT}MODEL.",
    )
    parser.add_argument("--version", action="version", version=f"ser-edge {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("listen", help="classify a microphone, file or pipe as it goes")
    _add_config(
        command, "settings as TOML; the environment goes before them, and flags before both"
    )
    add_options(command)
    command.set_defaults(work=listen)

    command = commands.add_parser("classify", help="one answer for each sound file")
    command.add_argument("files", nargs="+", metavar="FILE", help="holds one utterance")
    add_options(command, (*MODEL_KEYS, *PROFILE_KEYS, FORMAT_KEY))
    command.set_defaults(work=classify)

    _add_enrol(commands)
    _add_profiles(commands)

    command = commands.add_parser("devices", help="list the microphones")
    add_options(command, (FORMAT_KEY,))
    command.set_defaults(work=devices)

    command = commands.add_parser("info", help="what a model file says about itself")
    command.add_argument(
        "model.file",
        nargs="?",
        type=Path,
        metavar="MODEL",
        help="a .tflite or .onnx file (default: the bundled model)",
    )
    add_options(command, (FORMAT_KEY,))
    command.set_defaults(work=info)

    command = commands.add_parser("doctor", help="check this machine and say what to mend")
    _add_config(command, "settings to check (default: the service's, where there is one)")
    add_options(command, ("source.device", "model.file", FORMAT_KEY))
    command.set_defaults(work=doctor)

    command = commands.add_parser("install-service", help="run ser-edge as a service of systemd")
    _add_config(command, f"its settings (default: {SYSTEM_CONFIG}; with --user, below ~/.config)")
    command.add_argument(
        "--user", action="store_true", help="a service of yours, with your sound server"
    )
    command.add_argument(
        "--root", type=Path, metavar="DIR", help="write below DIR, for a package or an image"
    )
    command.add_argument("--enable", action="store_true", help="start it, now and at every boot")
    command.add_argument("--dry-run", action="store_true", help="print what would be written")
    command.set_defaults(work=install_service)
    return parser


def _add_enrol(commands: Any) -> None:
    command = commands.add_parser(
        "enrol", help="teach the model your voice: a few sentences in each emotion"
    )
    command.add_argument("name", metavar="NAME", help="whose voice")
    _add_config(command, "settings of the service, for its profiles folder and microphone")
    command.add_argument(
        "--clips",
        type=_count,
        metavar="N",
        help=f"of each emotion, 1 to {MOST_CLIPS} (default: {CLIPS})",
    )
    command.add_argument(
        "--emotions", metavar="A,B", help="these alone (default: all of the model)"
    )
    command.add_argument(
        "--from",
        dest="from_folder",
        type=Path,
        metavar="DIR",
        help="recordings as LABEL/FILE, in place of the microphone",
    )
    command.add_argument(
        "--keep-audio", type=Path, metavar="DIR", help="keep the recordings, too, as LABEL/FILE.wav"
    )
    command.add_argument(
        "--again", action="store_true", help="begin anew (default: add to what is there)"
    )
    command.add_argument(
        "--activate",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="use the profile from now on (default: if it helps)",
    )
    keys = ("source.device", "source.channel", "gate.kind", "profile.dir")
    add_options(command, (*MODEL_KEYS, *keys, FORMAT_KEY))
    command.set_defaults(work=enrol)


def _add_profiles(commands: Any) -> None:
    command = commands.add_parser("profiles", help="list, show, remove or choose profiles")
    actions = command.add_subparsers(required=True, metavar="ACTION")
    for name, work, text in (
        ("list", list_profiles, "all, with what they gain; * is active"),
        ("show", show_profile, "one of them"),
        ("remove", remove_profile, "delete one"),
        ("use", use_profile, "make one the active one, or none"),
    ):
        action = actions.add_parser(name, help=text)
        if name != "list":
            action.add_argument("name", metavar="NAME")
        _add_config(action, "settings of the service, for its profiles folder")
        add_options(action, ("profile.dir", FORMAT_KEY))
        action.set_defaults(work=profiles, work_on_profiles=work)


def _count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= MOST_CLIPS:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be 1 to {MOST_CLIPS}, not {text!r}")


def _add_config(parser: argparse.ArgumentParser, text: str) -> None:
    given = os.environ.get(f"{ENVIRONMENT}CONFIG") or None
    parser.add_argument("--config", type=Path, metavar="FILE", default=given, help=text)


def add_options(parser: argparse.ArgumentParser, keys: Collection[str] | None = None) -> None:
    """Add the flags of settings, those of some keys or of all; what is not given is None."""
    groups: dict[str, Any] = {}
    for option in options():
        if keys is not None and option.key not in keys:
            continue
        if keys is None and option.section not in groups:
            groups[option.section] = parser.add_argument_group(option.section)
        _add_option(groups.get(option.section, parser), option)


def _add_option(group: Any, option: Option) -> None:
    default = str(option.default).lower() if option.type is bool else option.default
    stated = "" if default in (None, "") else f" (default: {default})"
    text = f"{option.text}{stated}".replace("%", "%%")
    if option.type is bool:
        group.add_argument(
            option.flag,
            dest=option.key,
            action=argparse.BooleanOptionalAction,
            default=None,
            help=text,
        )
        return
    group.add_argument(
        option.flag,
        dest=option.key,
        type=_reader(option),
        metavar=option.metavar or _metavar(option),
        help=text,
    )


def _metavar(option: Option) -> str:
    if option.choices:
        return "{" + ",".join(option.choices) + "}"
    return {int: "N", float: "X", Path: "FILE"}.get(option.type, "TEXT")


def _reader(option: Option) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return option.parse(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {option.wanted}, not {text!r}") from None

    return read


if __name__ == "__main__":
    sys.exit(main())
