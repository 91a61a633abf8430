"""Makes the outputs that the settings ask for. Each is imported only when it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from edge_runtime.outputs.outlet import Outlet
from edge_runtime.settings import Settings
from edge_runtime.sound_archive import SoundArchive, SoundRing

TRANSITIONS = ("start", "end")
Say = Callable[[str], None]
About = dict[str, Any]
Starter = Callable[[], Outlet]


def prepare(
    section: str, settings: Settings, about: About, ring: SoundRing | None, say: Say
) -> Starter | None:
    """Make the output that a section of the settings describes, and do not start it yet.

    Parameters
    ----------
    section : str
        One of `SECTIONS`.
    settings : Settings
        All settings.
    about : dict
        See `edge_runtime.status.Status`.
    ring : SoundRing or None
        The newest sound, where sound is to be kept.
    say : callable
        Takes one line for the log.

    Returns
    -------
    callable or None
        Starts its outlet; None where the settings do not ask for it.

    Raises
    ------
    SerEdgeError
        When the output is not usable, or its package is missing.
    """
    return SECTIONS[section](settings, about, ring, say)


def is_live(settings: Settings) -> bool:
    """Whether sound comes at its own pace: then outputs that are slow lose events."""
    return settings.source.source == "mic" or settings.source.realtime


def _standard_output(
    settings: Settings, _about: About, _ring: SoundRing | None, say: Say
) -> Starter | None:
    from edge_runtime.outputs.standard_output import StandardOutput

    if settings.output.format == "none":
        return None
    output = StandardOutput(settings.output.format)
    return partial(Outlet, output, say, waits=not is_live(settings))


def _jsonl(settings: Settings, _about: About, _ring: SoundRing | None, say: Say) -> Starter | None:
    from edge_runtime.outputs.jsonl_file import JsonlFile

    chosen = settings.jsonl
    if chosen.file is None:
        return None
    output = JsonlFile(chosen.file, max_bytes=chosen.max_bytes, keep=chosen.keep)
    return partial(Outlet, output, say, waits=not is_live(settings))


def _mqtt(settings: Settings, about: About, _ring: SoundRing | None, say: Say) -> Starter | None:
    if not settings.mqtt.host:
        return None
    from edge_runtime.outputs.mqtt import Mqtt

    values = dataclasses.asdict(settings.mqtt)
    backlog = values.pop("backlog")
    output = Mqtt(**values, about=about, say=say)

    def start() -> Outlet:
        output.connect()
        return Outlet(output, say, capacity=backlog)

    return start


def _webhook(
    settings: Settings, _about: About, _ring: SoundRing | None, say: Say
) -> Starter | None:
    chosen = settings.webhook
    if not chosen.url:
        return None
    from edge_runtime.outputs.webhook import Webhook

    output = Webhook(
        chosen.url, timeout_seconds=chosen.timeout, token=chosen.token, ca_file=chosen.ca_file
    )
    return partial(Outlet, output, say, TRANSITIONS, chosen.backlog)


def _command(
    settings: Settings, _about: About, _ring: SoundRing | None, say: Say
) -> Starter | None:
    chosen = settings.command
    if not chosen.run:
        return None
    from edge_runtime.outputs.command import Command

    output = Command(chosen.run, say, timeout_seconds=chosen.timeout)
    return partial(Outlet, output, say, TRANSITIONS)


def _sound(settings: Settings, _about: About, ring: SoundRing | None, say: Say) -> Starter | None:
    chosen = settings.save_audio
    if chosen.dir is None or ring is None:
        return None
    archive = SoundArchive(chosen.dir, chosen.max_megabytes * 1_000_000, ring)
    say(f"sound around emotions is kept in {chosen.dir}, at most {chosen.max_megabytes} MB")
    return partial(Outlet, archive, say, ("end",), capacity=10)


SECTIONS = {
    "output": _standard_output,
    "jsonl": _jsonl,
    "mqtt": _mqtt,
    "webhook": _webhook,
    "command": _command,
    "save_audio": _sound,
}
