"""What can be set of ``ser-edge listen``: each setting stated once, with its default and limits.

From here come the flags, the environment variables, the keys of the configuration file, its example
and its reference.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

from edge_runtime.backends import BACKEND_NAMES, MAX_THREADS
from edge_runtime.gates.choice import GATE_NAMES, HANGOVER_SECONDS, MAX_HANGOVER_SECONDS
from edge_runtime.listener import LEAST_SPEECH_SECONDS, MAX_HOP_SECONDS
from edge_runtime.sources.pcm_stream import DTYPES

ENVIRONMENT = "SER_EDGE_"
FORMATS = ("text", "jsonl", "none")
PORTS = (1, 65535)


def _setting(default: Any, text: str, flag: str = "", **limits: Any) -> Any:
    """A field with its help; `limits` are "choices", "least", "most", "above" and "metavar"."""
    return field(default=default, metadata={"text": text, "flag": flag, **limits})


# Optional[...], for Python 3.9 evaluates these types when the options are listed.
@dataclass(frozen=True)
class SourceSettings:
    """Where the sound comes from."""

    source: str = _setting(
        "mic", "mic, a sound FILE, or - for raw PCM on standard input", "--source"
    )
    device: Optional[str] = _setting(
        None, "microphone: a number or part of its name", "--device", metavar="N|NAME"
    )
    channel: Optional[int] = _setting(
        None, "channel to hear, counted from 0 (default: the mean of all)", "--channel", least=0
    )
    pcm_format: str = _setting(
        "s16le",
        "of raw PCM: mono at the model's sample rate",
        "--pcm-format",
        choices=tuple(DTYPES),
    )
    realtime: bool = _setting(False, "pace a file like a microphone", "--realtime")
    wait: bool = _setting(False, "wait for a microphone that is missing at the start", "--wait")


@dataclass(frozen=True)
class ModelSettings:
    """The model and what runs it."""

    file: Optional[Path] = _setting(
        None, "a .tflite or .onnx file (default: the bundled model)", "--model", metavar="FILE"
    )
    backend: str = _setting("auto", "interpreter", "--backend", choices=("auto", *BACKEND_NAMES))
    threads: int = _setting(
        1, "threads of the interpreter", "--threads", metavar="N", least=1, most=MAX_THREADS
    )
    hop: Optional[float] = _setting(
        None,
        "seconds between decisions (default: the model's)",
        "--hop",
        metavar="S",
        above=0.0,
        most=MAX_HOP_SECONDS,
    )


@dataclass(frozen=True)
class ProfileSettings:
    """Whose voice it is, where somebody has enrolled; see ``ser-edge enrol``."""

    name: Optional[str] = _setting(
        None,
        "profile to use, none for the model alone (default: the active one)",
        "--profile",
        metavar="NAME",
    )
    dir: Optional[Path] = _setting(
        None,
        "folder of profiles (default: below the service's or the user's own data)",
        metavar="DIR",
    )


@dataclass(frozen=True)
class GateSettings:
    """What tells speech from a quiet or noisy room."""

    kind: str = _setting("energy", "what tells when there is speech", "--gate", choices=GATE_NAMES)
    least_speech: float = _setting(
        LEAST_SPEECH_SECONDS,
        "seconds that the gate must be open before windows are classified",
        least=0.0,
        most=60.0,
    )
    hangover: float = _setting(
        HANGOVER_SECONDS,
        "seconds that the gate stays open after speech",
        least=0.0,
        most=MAX_HANGOVER_SECONDS,
    )


@dataclass(frozen=True)
class DecisionKeys:
    """How much it takes to say something; see `edge_runtime.decisions`."""

    smoothing: float = _setting(
        0.5, "weight of the newest window, 1 for no smoothing", above=0.0, most=1.0
    )
    minimum_count: int = _setting(
        2, "windows in a row that must agree before an emotion starts", least=1, most=1000
    )
    hysteresis: float = _setting(
        0.1, "how far the score may fall before an emotion ends", least=0.0, most=1.0
    )
    refractory: float = _setting(
        1.0, "seconds after one start before another", least=0.0, most=3600.0
    )
    threshold: Optional[float] = _setting(
        None,
        "least score that is not called unsure (default: the model's)",
        "--threshold",
        least=0.0,
        most=1.0,
    )
    adapt: bool = _setting(
        False, "get used to the voice that is heard, where no profile is in use", "--adapt"
    )


@dataclass(frozen=True)
class OutputSettings:
    """What goes to standard output."""

    format: str = _setting("text", "of the results", "--format", choices=FORMATS)


@dataclass(frozen=True)
class JsonlSettings:
    """Events as lines of JSON in a file that is rotated."""

    file: Optional[Path] = _setting(None, "file to append events to", metavar="FILE")
    max_bytes: int = _setting(10_000_000, "size at which it is rotated, in bytes", least=1000)
    keep: int = _setting(5, "older files that are kept", least=0, most=1000)


@dataclass(frozen=True)
class MqttSettings:
    """Events to an MQTT broker and Home Assistant."""

    host: str = _setting("", "broker that events go to", metavar="HOST")
    port: int = _setting(1883, "its port", least=PORTS[0], most=PORTS[1])
    user: str = _setting("", "name to log in with")
    password: str = _setting("", "password; better in the file or the environment than in a flag")
    topic: str = _setting("ser-edge", "first part of the topics")
    client_id: str = _setting("", "name at the broker (default: topic and host name)")
    device_name: str = _setting("ser-edge", "what Home Assistant calls this device")
    tls: bool = _setting(False, "encrypt the connection")
    ca_file: Optional[Path] = _setting(
        None, "certificate of who signed the broker's (default: the system's)", metavar="FILE"
    )
    discovery: bool = _setting(True, "tell Home Assistant about the sensors")
    discovery_prefix: str = _setting("homeassistant", "where Home Assistant looks")
    backlog: int = _setting(1000, "events kept while the broker is away", least=1, most=100000)


@dataclass(frozen=True)
class WebhookSettings:
    """The start and end of emotions to a web address."""

    url: str = _setting("", "address that events are posted to", metavar="URL")
    token: str = _setting("", "sent as: Authorization: Bearer TOKEN")
    ca_file: Optional[Path] = _setting(
        None, "certificate of who signed the server's (default: the system's)", metavar="FILE"
    )
    timeout: float = _setting(5.0, "seconds for one event", above=0.0, most=60.0)
    backlog: int = _setting(1000, "events kept while the address is away", least=1, most=100000)


@dataclass(frozen=True)
class CommandSettings:
    """A command for the start and end of each emotion."""

    run: str = _setting("", "command, the event as JSON on its standard input", metavar="COMMAND")
    timeout: float = _setting(10.0, "seconds before it is killed", above=0.0, most=3600.0)


@dataclass(frozen=True)
class HttpSettings:
    """The web server: live page, events, metrics, classification."""

    address: str = _setting("", "address:port to serve on, as 127.0.0.1:8765", "--http")
    token: str = _setting("", "what a visitor must know; needed for other than loopback")
    max_upload: int = _setting(10_000_000, "largest sound file taken, in bytes", least=1000)


@dataclass(frozen=True)
class AudioSettings:
    """The sound around emotions, kept as files. Nothing is kept without a folder."""

    dir: Optional[Path] = _setting(None, "folder to keep sound in", "--save-audio", metavar="DIR")
    max_megabytes: int = _setting(
        100, "size of the folder; the oldest files are deleted", least=1, most=1_000_000
    )


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, section by section."""

    source: SourceSettings = field(default_factory=SourceSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    profile: ProfileSettings = field(default_factory=ProfileSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    decision: DecisionKeys = field(default_factory=DecisionKeys)
    output: OutputSettings = field(default_factory=OutputSettings)
    jsonl: JsonlSettings = field(default_factory=JsonlSettings)
    mqtt: MqttSettings = field(default_factory=MqttSettings)
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    command: CommandSettings = field(default_factory=CommandSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    save_audio: AudioSettings = field(default_factory=AudioSettings)


SECTIONS: dict[str, Any] = {
    "source": SourceSettings,
    "model": ModelSettings,
    "profile": ProfileSettings,
    "gate": GateSettings,
    "decision": DecisionKeys,
    "output": OutputSettings,
    "jsonl": JsonlSettings,
    "mqtt": MqttSettings,
    "webhook": WebhookSettings,
    "command": CommandSettings,
    "http": HttpSettings,
    "save_audio": AudioSettings,
}


@dataclass(frozen=True)
class Option:
    """One setting, wherever it is given.

    Attributes
    ----------
    section, name : str
        Its place in the configuration file.
    type : type
        `str`, `int`, `float`, `bool` or `Path`.
    default : object
        Its value when nobody gives one.
    text : str
        What it is, for people.
    flag : str
        On the command line.
    choices : tuple of str
        What it may be; empty for anything.
    least, most : float or None
        The least and the greatest value.
    above : float or None
        What the value must be greater than.
    metavar : str or None
        What stands for the value in help.
    """

    section: str
    name: str
    type: Any
    default: Any
    text: str
    flag: str
    choices: tuple[str, ...] = ()
    least: Optional[float] = None
    most: Optional[float] = None
    above: Optional[float] = None
    metavar: Optional[str] = None

    @property
    def key(self) -> str:
        """Its name in the configuration file."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return ENVIRONMENT + self.flag.lstrip("-").upper().replace("-", "_")

    @property
    def wanted(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.type is bool:
            return "true or false"
        if self.type in (int, float):
            noun = "a whole number" if self.type is int else "a number"
            return " ".join([noun, *self._limits()])
        return "text"

    def _limits(self) -> list[str]:
        limits = []
        if self.above is not None:
            limits.append(f"above {self.above:g}")
        if self.least is not None:
            limits.append(f"at least {self.least:g}")
        if self.most is not None:
            limits.append(f"at most {self.most:g}")
        return [" and ".join(limits)] if limits else []

    def parse(self, text: str) -> Any:
        """Read a value from a flag or the environment.

        Raises
        ------
        ValueError
            When it is none.
        """
        if self.type is bool:
            lowered = text.lower()
            if lowered in ("1", "true", "yes", "on"):
                return True
            if lowered in ("0", "false", "no", "off"):
                return False
            raise ValueError(text)
        return self.check(text if self.type is Path else self.type(text))

    def check(self, value: Any) -> Any:
        """Check a value that has a type, as the configuration file gives it.

        Returns
        -------
        object
            The value; None for an empty text where nothing is the default, as the example has it.

        Raises
        ------
        ValueError
            When it does not fit.
        """
        if value == "" and self.default is None:
            return None
        if self.type is Path and isinstance(value, str):
            value = _path(value)
        if self.type is float and type(value) is int:
            value = float(value)
        if self.name == "device" and type(value) is int:
            value = str(value)  # a device may be named by its number
        fits = isinstance(value, self.type) and (self.type is bool or not isinstance(value, bool))
        if not fits or (self.choices and value not in self.choices):
            raise ValueError(value)
        if self.type in (int, float) and not self._is_within(value):
            raise ValueError(value)
        return value

    def _is_within(self, value: float) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and value == value  # NaN passes no comparison, but one without limits
        )


def _path(text: str) -> Path:
    """A path, below the user's home where it begins with ~: no shell has seen to that in a file."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no such home
        return Path(text)


@lru_cache(maxsize=1)  # asked for by every command line, ten times
def options() -> tuple[Option, ...]:
    """Every setting, in the order of the sections."""
    every = []
    for name, section in SECTIONS.items():
        hints = typing.get_type_hints(section)
        every += [_option(name, entry, hints[entry.name]) for entry in dataclasses.fields(section)]
    return tuple(every)


def _option(section: str, entry: Any, hint: Any) -> Option:
    details = dict(entry.metadata)
    inner = [one for one in typing.get_args(hint) if one is not type(None)]
    flag = details.pop("flag") or f"--{section}-{entry.name}".replace("_", "-")
    kind = inner[0] if inner else hint
    return Option(section, entry.name, kind, entry.default, details.pop("text"), flag, **details)
