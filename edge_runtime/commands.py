"""What each command of ``ser-edge`` does. Results go to standard output, the rest to the other."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable

from edge_runtime.answers import classify_file
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.config import load
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import model_hash, read_metadata
from edge_runtime.profiles.choice import make_classifier
from edge_runtime.quiet import say
from edge_runtime.settings import Settings, options
from edge_runtime.sources import list_devices
from edge_runtime.sources.audio_file import printable


def listen(arguments: argparse.Namespace) -> int:
    """Run the daemon until its source ends or a signal, Ctrl-C too, says so."""
    from edge_runtime.memory import keep_heap_whole
    from edge_runtime.service import Service

    keep_heap_whole()
    Service(lambda: settings_of(arguments), _say).run()
    return 0


def classify(arguments: argparse.Namespace) -> int:
    """Print one answer for each file; a file that fails does not keep the others from theirs."""
    settings = settings_of(arguments)
    classifier = make_classifier(settings, _say)
    failed = 0
    for path in arguments.files:
        try:
            answer = classify_file(classifier, path)
        except SerEdgeError as error:
            failed += 1
            _say(str(error))
            continue
        if settings.output.format == "jsonl":
            print(json.dumps({"file": path, **dataclasses.asdict(answer)}), flush=True)
        else:
            print(f"{printable(path)}: {answer.to_text()}", flush=True)
    return 1 if failed else 0


def enrol(arguments: argparse.Namespace) -> int:
    """Make a profile of a speaker's own recordings."""
    from edge_runtime.enrol.command import enrol as work

    return work(arguments, settings_of(arguments))


def profiles(arguments: argparse.Namespace) -> int:
    """List, show, remove or choose profiles."""
    work: Callable[[argparse.Namespace, Settings], int] = arguments.work_on_profiles
    return work(arguments, settings_of(arguments))


def devices(arguments: argparse.Namespace) -> int:
    """List the microphones."""
    found = list_devices()
    as_lines = settings_of(arguments).output.format == "jsonl"
    for device in found:
        if as_lines:
            print(json.dumps(dataclasses.asdict(device)))
        else:
            mark = "*" if device.is_default else " "
            print(
                f"{mark}{device.number:3d}  {device.name}  ({device.host_api}, "
                f"{device.input_channels} ch, {device.default_sample_rate:.0f} Hz)"
            )
    if not found:
        _say("no microphone found")
    return 0


def info(arguments: argparse.Namespace) -> int:
    """Print what a model file says about itself."""
    settings = settings_of(arguments)
    path = settings.model.file or DEFAULT_MODEL
    metadata = read_metadata(path)
    described = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": model_hash(path),
        **json.loads(metadata.to_json()),
    }
    if settings.output.format == "jsonl":
        print(json.dumps(described))
        return 0
    # Two long rows of numbers that tell a person nothing.
    del described["feature_mean"], described["feature_scale"]
    described["window_seconds"] = round(metadata.window_seconds, 3)
    for line in _outline(described):
        print(line)
    return 0


def _outline(value: object, indent: int = 0) -> list[str]:
    """Nested JSON as indented lines of key and value."""
    lines: list[str] = []
    if not isinstance(value, dict):
        return lines
    for key, item in value.items():
        prefix = f"{'  ' * indent}{key}:"
        if isinstance(item, dict) and item:
            lines += [prefix, *_outline(item, indent + 1)]
        elif isinstance(item, list):
            lines.append(f"{prefix} {', '.join(map(str, item)) or '-'}")
        else:
            lines.append(f"{prefix} {item if item not in ('', {}) else '-'}")
    return lines


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that a command was given, by flags, the environment and ``--config``."""
    given = vars(arguments)
    flags = {option.key: given[option.key] for option in options() if option.key in given}
    return load(given.get("config"), flags=flags)


def _say(line: str) -> None:
    say(f"ser-edge: {printable(line)}")
