"""A real MQTT broker (Debian's mosquitto) that can be stopped, paused and started again."""

from __future__ import annotations

import getpass
import json
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..certificates import Certificates
from ..some_events import wait_until

PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


def missing() -> str | None:
    """What this machine lacks for a broker, None when nothing."""
    for program in ("mosquitto", "mosquitto_passwd"):
        if _program(program) is None:
            return f"{program} is not installed (apt-get install mosquitto)"
    return None


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


class Broker:
    """A broker on a port of its own, started.

    With a password, only the user "ser-edge" may connect. One that is persistent remembers what is
    retained, and what its clients have yet to hear, when it is stopped.
    """

    def __init__(
        self,
        folder: Path,
        password: str = "",
        certificates: Certificates | None = None,
        persistent: bool = False,
    ) -> None:
        self.port = free_port()
        self._log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._configuration = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", f"user {getpass.getuser()}"]
        lines.append(f"allow_anonymous {'false' if password else 'true'}")
        if password:
            entry = ["-b", "-c", str(folder / "passwords"), "ser-edge", password]
            program = _program("mosquitto_passwd")
            subprocess.run([program, *entry], check=True, capture_output=True)
            lines.append(f"password_file {folder}/passwords")
        if certificates:
            lines += [f"certfile {certificates.server}", f"keyfile {certificates.key}"]
        if persistent:
            lines += ["persistence true", f"persistence_location {folder}/"]
            lines.append("max_queued_messages 100000")
        self._configuration.write_text("\n".join(lines) + "\n")
        self.start()

    def start(self) -> None:
        """Start, and wait until it can be connected to."""
        with self._log.open("ab") as log:
            command = [_program("mosquitto"), "-v", "-c", str(self._configuration)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._listens)

    def stop(self) -> None:
        """Stop, as for an update."""
        self._signal(signal.SIGTERM)
        self._process.wait(timeout=20)

    def pause(self) -> None:
        """Have it hang: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop for good."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What it has said."""
        return self._log.read_text(errors="replace")

    def _signal(self, number: int) -> None:
        self._process.send_signal(number)

    def _listens(self) -> bool:
        assert self._process.poll() is None, self.log()
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0


class Watcher:
    """A client that keeps every message; what it misses while away, the broker keeps for it."""

    def __init__(self, broker: Broker) -> None:
        from paho.mqtt import client as paho

        self.messages: list[tuple[str, str, bool]] = []  # topic, payload, whether it was retained
        self._changed = threading.Condition()
        version = paho.CallbackAPIVersion.VERSION2
        self._client = paho.Client(version, client_id="watcher", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = self._on_message
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert subscribed.wait(20.0)

    def events(self, topic: str = "ser-edge/event") -> list[dict[str, Any]]:
        """The events so far."""
        return [json.loads(payload) for name, payload, _ in self.messages if name == topic]

    def payloads(self, topic: str) -> list[str]:
        """What was said below a topic so far."""
        return [payload for name, payload, _ in self.messages if name == topic]

    def wait_for(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait until the messages meet a condition."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), self.messages

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Say something."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(20.0)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        with self._changed:
            entry = (message.topic, message.payload.decode(), message.retain)
            self.messages.append(entry)
            self._changed.notify_all()


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=PLACES)
