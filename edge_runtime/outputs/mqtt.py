"""Events to an MQTT broker, with Home Assistant in mind."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.outputs.home_assistant import (
    OFFLINE,
    ONLINE,
    PREFIX,
    SILENT,
    discovery_messages,
    slug,
)
from edge_runtime.outputs.output import NotDeliveredError
from edge_runtime.outputs.tls import client_context, tls_reason

PORT = 1883
ACK_SECONDS = 5.0  # for the broker to acknowledge an event
CLOSE_SECONDS = 0.4  # for each of the two steps of a farewell
KEEPALIVE_SECONDS = 15  # a broker that does not answer is given up after about so long
LONGEST_RECONNECT_SECONDS = 10
# Messages that the library keeps until they are acknowledged; the events wait in the outlet.
MAX_UNACKNOWLEDGED = 50
NOT_ALLOWED = ("Not authorized", "Bad user name or password")


class Mqtt:
    """Publishes events, the present state, and whether this device is there.

    Topics, below the one that is given:

    - ``event``: every event, as JSON;
    - ``state``: label, score, level_dbfs and since (UTC) of what goes on, as JSON, retained;
    - ``availability``: "online" or "offline", retained; the broker itself says "offline" when the
      connection is lost.

    Once begun, it connects in the background, and again whenever the connection is lost; each time,
    and whenever Home Assistant starts, it says anew what is retained. An event that is acknowledged
    as the connection breaks may arrive twice.

    Parameters
    ----------
    host : str
        The broker.
    about : dict
        "version", "model" and "labels" of what runs: see `edge_runtime.status.Status`.
    say : callable
        Takes one line for the log: whether the first connection came about. What happens later
        is told by `deliver`.
    port : int
        Port of the broker.
    user, password : str
        To log in with; empty for neither.
    topic : str
        First part of the topics. Devices that share a broker must not share it.
    client_id : str
        Name of this device at the broker, and in Home Assistant's registry; by default made of
        topic and host name.
    tls : bool
        Encrypt the connection.
    ca_file : str or Path, optional
        Certificate of the authority that signed the broker's; those of the system by default.
    discovery : bool
        Whether to tell Home Assistant about the sensors.
    discovery_prefix : str
        First part of the topics that Home Assistant looks at.
    device_name : str
        What Home Assistant calls this device.

    Raises
    ------
    SerEdgeError
        When a setting is not usable or paho-mqtt is missing.
    """

    name = "mqtt"

    def __init__(
        self,
        host: str,
        about: dict[str, Any],
        say: Callable[[str], None],
        port: int = PORT,
        user: str = "",
        password: str = "",
        topic: str = "ser-edge",
        client_id: str = "",
        tls: bool = False,
        ca_file: str | os.PathLike[str] | None = None,
        discovery: bool = True,
        discovery_prefix: str = PREFIX,
        device_name: str = "ser-edge",
    ) -> None:
        _require_host(host)
        _require_topics(topic, discovery_prefix)
        if password and not user:
            raise SerEdgeError("mqtt: the password needs a user")
        if ca_file and not tls:
            raise SerEdgeError("mqtt: the ca_file needs tls")
        self._address = f"{host}:{port}"
        self._topic = topic
        self._say = say
        client_id = client_id or f"{slug(topic)}-{slug(socket.gethostname())}"
        self._discovery = (
            discovery_messages(client_id, device_name, topic, about, discovery_prefix)
            if discovery
            else {}
        )
        self._home_assistant = f"{discovery_prefix}/status" if discovery else ""
        self._state = _state(SILENT, None, None, None)
        self._since = ""
        self._trouble = "no answer"
        self._has_said = False
        self._was_refused = False
        self._is_closing = False
        self._connected = threading.Event()
        self._disconnected = threading.Event()
        self._event: Event | None = None  # the one under way, and its messages
        self._messages: list[Any] = []
        self._client = self._make_client(client_id, user, password)
        if tls:
            self._client.tls_set_context(client_context(ca_file))
        self._client.connect_async(host, port, KEEPALIVE_SECONDS)
        self._has_begun = False

    def connect(self) -> None:
        """Begin to connect, in the background. Otherwise, the first event does it.

        Not when it is made: a second client of the same name would throw out the first, which may
        have to stay.
        """
        if not self._has_begun:
            self._has_begun = True
            self._client.loop_start()

    def deliver(self, event: Event) -> None:
        """Publish one event, and the state that it brings, until the broker has them.

        Raises
        ------
        NotDeliveredError
            When there is no connection or no acknowledgement in time.
        """
        self.connect()
        deadline = time.monotonic() + ACK_SECONDS
        if not self._connected.wait(ACK_SECONDS):
            raise NotDeliveredError(f"no connection to {self._address}: {self._trouble}")
        if event is not self._event:
            self._publish_event(event)
        try:
            for message in self._messages:
                message.wait_for_publish(max(0.001, deadline - time.monotonic()))
            is_published = all(message.is_published() for message in self._messages)
        except (ValueError, RuntimeError) as error:
            # Not taken by the library; what it takes, it keeps and sends when it can.
            self._event = None
            raise NotDeliveredError(
                f"{self._address}: has not acknowledged the last {MAX_UNACKNOWLEDGED} messages"
                if isinstance(error, ValueError)
                else f"{self._address}: the connection was lost"
            ) from error
        if not is_published:  # asked for the same event again, it goes on waiting
            raise NotDeliveredError(f"{self._address}: no acknowledgement in {ACK_SECONDS:g} s")
        self._event = None
        self._messages = []

    def close(self) -> None:
        """Say that this device is gone, and disconnect."""
        self._is_closing = True
        if self._connected.is_set():
            farewell = self._publish("availability", OFFLINE)
            # Without an acknowledgement, it is in the way before what ends the connection; and
            # where neither arrives, the broker says it.
            with suppress(ValueError, RuntimeError):  # not taken by the library
                farewell.wait_for_publish(CLOSE_SECONDS)
        self._client.disconnect()
        # Not loop_stop(), which may wait for an attempt to connect. The thread ends by itself.
        self._disconnected.wait(CLOSE_SECONDS if self._connected.is_set() else 0.0)

    def _make_client(self, client_id: str, user: str, password: str) -> Any:
        paho = _import_paho()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id)
        if user:
            client.username_pw_set(user, password or None)
        client.will_set(f"{self._topic}/availability", OFFLINE, qos=1, retain=True)
        client.max_queued_messages_set(MAX_UNACKNOWLEDGED)
        client.reconnect_delay_set(1, LONGEST_RECONNECT_SECONDS)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _publish_event(self, event: Event) -> None:
        if event.kind == "end":
            self._state = _state(SILENT, None, event.level_dbfs, event.time)
        else:
            if event.kind == "start" or not self._since:
                self._since = event.time
            self._state = _state(event.label, event.score, event.level_dbfs, self._since)
        self._event = event
        self._messages = [
            self._client.publish(f"{self._topic}/event", event.to_json(), qos=1),
            self._publish("state", self._state),
        ]

    def _publish(self, name: str, payload: str) -> Any:
        return self._client.publish(f"{self._topic}/{name}", payload, qos=1, retain=True)

    def _announce(self) -> None:
        """Say everything that is retained: the broker may have forgotten it."""
        for topic, payload in self._discovery.items():
            self._client.publish(topic, payload, qos=1, retain=True)
        self._publish("availability", ONLINE)
        self._publish("state", self._state)

    # What follows runs on the thread of the library, and must not raise.

    def _on_connect(
        self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if self._is_closing:  # it was closed as it was about to connect
            client.disconnect()
            return
        if reason.is_failure:
            self._was_refused = True
            self._note_trouble(_refusal(reason))
            return
        self._announce()
        client.subscribe(f"{self._topic}/availability", qos=1)
        if self._home_assistant:
            client.subscribe(self._home_assistant, qos=1)
        self._disconnected.clear()
        self._connected.set()
        if not self._has_said:
            self._has_said = True
            self._say(f"{self.name}: connected to {self._address}")

    def _on_connect_fail(self, client: Any, _data: Any) -> None:
        if self._is_closing:
            client.disconnect()  # no further attempt
            return
        # The library tells of the failure, not of its cause, which it handles at this moment.
        error = sys.exc_info()[1]
        if isinstance(error, ssl.SSLError):
            self._note_trouble(tls_reason(error))
        elif isinstance(error, OSError):
            self._note_trouble(str(error.strerror or error).lower())

    def _on_disconnect(
        self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        was_connected = self._connected.is_set()
        self._connected.clear()
        self._disconnected.set()
        if self._is_closing:
            client.disconnect()  # no further attempt
        elif was_connected:
            self._trouble = "the connection was lost"
        elif not self._was_refused:
            self._note_trouble(f"the connection was closed ({str(reason).lower()})")
        self._was_refused = False

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        if self._is_closing:
            return
        if message.topic == self._home_assistant:
            if message.payload == ONLINE.encode():
                self._announce()
        elif message.payload != ONLINE.encode():
            # The late last will of a connection that was thought to be lost, or someone's error.
            self._publish("availability", ONLINE)

    def _note_trouble(self, reason: str) -> None:
        self._trouble = reason
        if not self._has_said:
            self._has_said = True
            self._say(f"{self.name}: no connection to {self._address}: {reason}; tries again")


def _state(label: str, score: float | None, level_dbfs: float | None, since: str | None) -> str:
    return json.dumps({"label": label, "score": score, "level_dbfs": level_dbfs, "since": since})


def _refusal(reason: Any) -> str:
    text = str(reason)
    advice = "; check user and password" if text in NOT_ALLOWED else ""
    return f"the broker refuses: {text.lower()}{advice}"


def _require_host(host: str) -> None:
    refusal = SerEdgeError(f"mqtt: {host!r} is no host name or address")
    if not re.fullmatch(r"[^\s/@]+", host):
        raise refusal
    try:
        host.encode("idna")  # as the look-up of its name will do
    except UnicodeError:
        raise refusal from None


def _require_topics(*topics: str) -> None:
    for topic in topics:
        if not topic.isprintable() or not re.fullmatch(r"[^/$+#]([^+#]*[^/+#])?", topic):
            raise SerEdgeError(
                f"mqtt: {topic!r} is no topic; it must not be empty, hold + or #, begin with / or "
                "$, or end with /"
            )


def _import_paho() -> Any:
    need = SerEdgeError("mqtt: needs paho-mqtt, 2.0 or later: pip install 'ser-edge[mqtt]'")
    try:
        from paho.mqtt import client
    except ImportError as error:
        raise need from error
    if not hasattr(client, "CallbackAPIVersion"):
        raise need
    return client
