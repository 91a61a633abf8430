"""Events to a real broker: what arrives, what is retained, and every way a broker may fail.

SER_EDGE_OUTAGE_SECONDS sets how long the broker is away in the test of that (3 by default).
"""

from __future__ import annotations

import gc
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import SerEdgeError
from edge_runtime.outputs import mqtt as mqtt_module
from edge_runtime.outputs import outlet as outlet_module
from edge_runtime.outputs.home_assistant import discovery_messages
from edge_runtime.outputs.mqtt import Mqtt
from edge_runtime.outputs.outlet import Outlet
from edge_runtime.outputs.output import NotDeliveredError

from ..certificates import Certificates, make_certificates
from ..some_events import some_event, wait_until
from .broker import Broker, Watcher, free_port, missing

pytest.importorskip("paho.mqtt", reason="the paho-mqtt package is not installed")
if missing():
    pytest.skip(f"no broker: {missing()}", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
ABOUT = {"version": "1.2.3", "model": "small@0123abcd", "labels": ["happy", "sad"]}
OUTAGE_SECONDS = float(os.environ.get("SER_EDGE_OUTAGE_SECONDS", "3"))
HOME_ASSISTANT = os.environ.get("SER_EDGE_HOME_ASSISTANT_PYTHON")
SILENT_STATE = {"label": "silent", "score": None, "level_dbfs": None, "since": None}
MakeMqtt = Callable[..., Mqtt]


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    started = Broker(tmp_path)
    yield started
    started.close()


@pytest.fixture
def persistent_broker(tmp_path) -> Iterator[Broker]:
    started = Broker(tmp_path, persistent=True)
    yield started
    started.close()


@pytest.fixture
def make_mqtt() -> Iterator[MakeMqtt]:
    """Makes outputs, with their log in ``said``, that are closed after the test."""
    made = []

    def make(port: int, host: str = "127.0.0.1", **settings: Any) -> Mqtt:
        said: list[str] = []
        output = Mqtt(host=host, port=port, about=ABOUT, say=said.append, **settings)
        output.said = said
        output.connect()
        made.append(output)
        return output

    yield make
    for output in made:
        output.close()


@pytest.fixture
def watch() -> Iterator[Callable[[Broker], Watcher]]:
    watchers = []

    def make(broker: Broker) -> Watcher:
        watchers.append(Watcher(broker))
        return watchers[-1]

    yield make
    for watcher in watchers:
        watcher.close()


@pytest.fixture
def eager(monkeypatch):
    """Attempts follow each other quickly."""
    monkeypatch.setattr(outlet_module, "LONGEST_RETRY_SECONDS", 0.5)
    monkeypatch.setattr(mqtt_module, "LONGEST_RECONNECT_SECONDS", 1)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(mqtt_module, "ACK_SECONDS", 0.3)


def failure(output: Mqtt) -> str:
    with pytest.raises(NotDeliveredError) as raised:
        output.deliver(some_event(1))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def said(output: Mqtt) -> str:
    """The one line that it has said of its first connection."""
    wait_until(lambda: output.said)
    (line,) = output.said
    return line


def test_every_event_arrives_and_the_state_follows(broker, watch, make_mqtt):
    watcher = watch(broker)
    output = make_mqtt(broker.port)
    events = [
        some_event(0, "start"),
        some_event(1, "update"),
        some_event(2, "end"),
        some_event(3, "start", "unsure"),
        some_event(4, "start"),  # the end of the last one was dropped
    ]
    for event in events:
        output.deliver(event)
    watcher.wait_for(lambda: len(watcher.payloads("ser-edge/state")) == 6)
    assert watcher.events() == [asdict(event) for event in events]
    first, *states = map(json.loads, watcher.payloads("ser-edge/state"))
    assert first == SILENT_STATE
    happy = {"label": "happy", "score": 0.75, "level_dbfs": -23.5, "since": events[0].time}
    assert states == [
        happy,
        happy,
        {"label": "silent", "score": None, "level_dbfs": -23.5, "since": events[2].time},
        {**happy, "label": "unsure", "since": events[3].time},
        {**happy, "since": events[4].time},
    ]
    assert said(output) == f"mqtt: connected to 127.0.0.1:{broker.port}"


def test_state_and_presence_are_retained_and_events_are_not(broker, watch, make_mqtt):
    output = make_mqtt(broker.port, topic="home/kitchen", discovery=False)
    output.deliver(some_event(0, "start"))
    watcher = watch(broker)
    watcher.wait_for(lambda: len(watcher.messages) == 2)
    retained = {topic: payload for topic, payload, is_retained in watcher.messages if is_retained}
    assert set(retained) == {"home/kitchen/state", "home/kitchen/availability"}
    assert json.loads(retained["home/kitchen/state"])["label"] == "happy"
    assert retained["home/kitchen/availability"] == "online"


def test_one_that_was_not_begun_disturbs_nothing_and_begins_with_its_first_event(
    broker, watch, make_mqtt
):
    watcher = watch(broker)
    first = make_mqtt(broker.port)
    first.deliver(some_event(0))
    second = Mqtt("127.0.0.1", ABOUT, print, broker.port)  # has the same name at the broker
    Mqtt("127.0.0.1", ABOUT, print, broker.port).close()
    first.deliver(some_event(1))
    first.close()
    second.deliver(some_event(2))
    watcher.wait_for(lambda: len(watcher.events()) == 3)
    expected = ["online", "offline", "online"]
    watcher.wait_for(lambda: watcher.payloads("ser-edge/availability") == expected)
    second.close()
    assert broker.log().count("New client connected") == 3  # with the watcher


def test_says_that_it_is_gone(broker, watch, make_mqtt):
    watcher = watch(broker)
    output = make_mqtt(broker.port)
    output.deliver(some_event(0))
    output.close()
    watcher.wait_for(lambda: watcher.payloads("ser-edge/availability") == ["online", "offline"])
    # It said so itself, not the broker for it.
    wait_until(lambda: "Received DISCONNECT from ser-edge" in broker.log())


def test_the_broker_says_that_it_is_gone_when_it_is_killed(broker, watch):
    watcher = watch(broker)
    script = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from edge_runtime.outputs.mqtt import Mqtt
output = Mqtt("127.0.0.1", {ABOUT!r}, print, {broker.port})
output.connect()
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as child:
        watcher.wait_for(lambda: watcher.payloads("ser-edge/availability") == ["online"])
        child.kill()
    watcher.wait_for(lambda: watcher.payloads("ser-edge/availability") == ["online", "offline"])


def test_says_again_that_it_is_there_when_someone_denies_it(broker, watch, make_mqtt):
    watcher = watch(broker)
    make_mqtt(broker.port)
    watcher.wait_for(lambda: watcher.payloads("ser-edge/availability") == ["online"])
    watcher.publish("ser-edge/availability", "offline", retain=True)
    expected = ["online", "offline", "online"]
    watcher.wait_for(lambda: watcher.payloads("ser-edge/availability") == expected)


@pytest.mark.usefixtures("eager")
def test_a_broker_that_is_away_costs_no_event(persistent_broker, watch, make_mqtt, monkeypatch):
    if OUTAGE_SECONDS < 10.0:
        monkeypatch.setattr(mqtt_module, "ACK_SECONDS", 1.0)
    broker = persistent_broker
    watcher = watch(broker)
    lines = []
    outlet = Outlet(make_mqtt(broker.port), lines.append, capacity=1000)
    numbers = iter(range(100000))

    def listen(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:  # twenty times as fast as a listener
            outlet.put(some_event(next(numbers)))
            time.sleep(0.025 if OUTAGE_SECONDS < 20 else 0.1)

    listen(0.5)
    wait_until(lambda: outlet.waiting == 0)
    broker.stop()
    listen(OUTAGE_SECONDS)
    assert outlet.waiting > 20
    assert outlet.trouble
    broker.start()
    listen(0.5)
    n_events = next(numbers)
    outlet.close(60.0)
    assert (outlet.delivered, outlet.dropped) == (n_events, 0)
    watcher.wait_for(lambda: len({event["start"] for event in watcher.events()}) == n_events)
    starts = [event["start"] for event in watcher.events()]
    assert list(dict.fromkeys(starts)) == list(range(n_events))  # in order; twice may be
    assert len(starts) <= n_events + 2
    *troubles, end = lines
    kept = "; up to 1000 events are kept"
    address = f"127.0.0.1:{broker.port}"
    # Which of them is said, and whether another follows, hangs on the moment.
    reasons = {
        f"mqtt: no connection to {address}: the connection was lost{kept}",
        f"mqtt: no connection to {address}: connection refused{kept}",
        f"mqtt: {address}: no acknowledgement in {mqtt_module.ACK_SECONDS:g} s{kept}",
    }
    assert 1 <= len(troubles) == len(set(troubles))
    assert set(troubles) <= reasons
    assert end == "mqtt: delivers again; 0 events lost so far"


@pytest.mark.usefixtures("eager")
def test_a_broker_that_hangs_costs_no_event(persistent_broker, watch, make_mqtt, monkeypatch):
    monkeypatch.setattr(mqtt_module, "ACK_SECONDS", 0.2)
    broker = persistent_broker
    watcher = watch(broker)
    output = make_mqtt(broker.port)
    outlet = Outlet(output, print)
    outlet.put(some_event(0))
    wait_until(lambda: outlet.delivered == 1)
    broker.pause()
    for number in range(1, 20):
        outlet.put(some_event(number))
    wait_until(lambda: outlet.trouble)
    time.sleep(2.0)  # several attempts
    assert outlet.trouble == f"127.0.0.1:{broker.port}: no acknowledgement in 0.2 s"
    broker.go_on()
    outlet.close(60.0)
    assert (outlet.delivered, outlet.dropped) == (20, 0)
    watcher.wait_for(lambda: len(watcher.events()) >= 20)
    # Once each: an event that is tried again is not sent again while the connection lasts.
    assert [event["start"] for event in watcher.events()] == list(range(20))


def test_a_broker_that_has_forgotten_everything_is_told_again(broker, watch, make_mqtt):
    output = make_mqtt(broker.port)
    output.deliver(some_event(0, "start"))
    broker.stop()
    broker.start()
    wait_until(lambda: "Sending CONNACK to ser-edge" in broker.log().rpartition("starting")[2])
    watcher = watch(broker)
    watcher.wait_for(lambda: len({topic for topic, _, _ in watcher.messages}) == 5)
    assert watcher.payloads("ser-edge/availability")[-1] == "online"
    assert json.loads(watcher.payloads("ser-edge/state")[-1])["label"] == "happy"


def test_home_assistant_is_told_again_when_it_starts(broker, watch, make_mqtt):
    make_mqtt(broker.port)
    watcher = watch(broker)
    watcher.wait_for(lambda: len({topic for topic, _, _ in watcher.messages}) == 5)
    before = {topic for topic, _, _ in watcher.messages}
    watcher.messages.clear()
    watcher.publish("homeassistant/status", "online")
    watcher.wait_for(lambda: len({topic for topic, _, _ in watcher.messages}) == 6)
    assert {topic for topic, _, _ in watcher.messages} == before | {"homeassistant/status"}


def test_the_user_and_password_are_given(tmp_path, watch, make_mqtt):
    broker = Broker(tmp_path, password="secret")
    try:
        output = make_mqtt(broker.port, user="ser-edge", password="secret")
        output.deliver(some_event(0))
        assert said(output) == f"mqtt: connected to 127.0.0.1:{broker.port}"
    finally:
        broker.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("settings", [{}, {"user": "ser-edge", "password": "wrong"}])
def test_a_refused_password_is_one_line(tmp_path, make_mqtt, settings):
    broker = Broker(tmp_path, password="secret")
    try:
        output = make_mqtt(broker.port, **settings)
        refused = (
            f"no connection to 127.0.0.1:{broker.port}: the broker refuses: not authorized; "
            "check user and password"
        )
        assert said(output) == f"mqtt: {refused}; tries again"
        assert failure(output) == refused
        wait_until(lambda: broker.log().count("not authorised") >= 2)  # it goes on trying
        assert failure(output) == refused
    finally:
        broker.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls_broker(tmp_path, certificates) -> Iterator[Broker]:
    started = Broker(tmp_path, certificates=certificates)
    yield started
    started.close()


def test_encrypts_and_trusts_the_authority_that_is_named(tls_broker, certificates, make_mqtt):
    output = make_mqtt(tls_broker.port, tls=True, ca_file=certificates.authority)
    output.deliver(some_event(0))
    assert said(output) == f"mqtt: connected to 127.0.0.1:{tls_broker.port}"


@pytest.mark.usefixtures("impatient")
def test_a_certificate_that_is_not_trusted_is_one_line(tls_broker, make_mqtt):
    output = make_mqtt(tls_broker.port, tls=True)
    assert re.fullmatch(
        rf"mqtt: no connection to 127.0.0.1:{tls_broker.port}: its certificate is not trusted "
        r"\(.*\); give its authority's as ca_file; tries again",
        said(output),
    )
    assert "its certificate is not trusted" in failure(output)


@pytest.mark.usefixtures("impatient")
def test_a_certificate_of_another_host_is_one_line(tmp_path, make_mqtt):
    other = make_certificates(tmp_path, "DNS:elsewhere.example")
    broker = Broker(tmp_path, certificates=other)
    try:
        output = make_mqtt(broker.port, tls=True, ca_file=other.authority)
        assert "its certificate is not trusted (IP address mismatch" in said(output)
    finally:
        broker.close()


@pytest.mark.usefixtures("impatient")
def test_tls_on_one_side_only_is_one_line(tls_broker, broker_on_its_own, make_mqtt, certificates):
    encrypted = make_mqtt(broker_on_its_own.port, tls=True, ca_file=certificates.authority)
    plain = make_mqtt(tls_broker.port)
    for output in (encrypted, plain):
        line = said(output)
        assert line.startswith("mqtt: no connection to 127.0.0.1:")
        assert line.endswith("; tries again")
        assert failure(output).startswith("no connection to 127.0.0.1:")


@pytest.fixture
def broker_on_its_own(tmp_path_factory) -> Iterator[Broker]:
    started = Broker(tmp_path_factory.mktemp("broker"))
    yield started
    started.close()


@pytest.mark.usefixtures("impatient")
def test_nobody_there_is_one_line(make_mqtt):
    port = free_port()
    output = make_mqtt(port)
    assert said(output) == (
        f"mqtt: no connection to 127.0.0.1:{port}: connection refused; tries again"
    )
    assert failure(output) == f"no connection to 127.0.0.1:{port}: connection refused"


@pytest.mark.usefixtures("impatient")
def test_a_host_that_is_not_known_is_one_line(make_mqtt):
    output = make_mqtt(1883, host="no-such-host.invalid")
    assert said(output).startswith("mqtt: no connection to no-such-host.invalid:1883: ")
    assert failure(output).startswith("no connection to no-such-host.invalid:1883: ")


@pytest.mark.usefixtures("eager")
def test_a_broker_that_comes_later_is_found(tmp_path, make_mqtt):
    port_holder = Broker(tmp_path)
    port_holder.stop()
    output = make_mqtt(port_holder.port)
    outlet = Outlet(output, print)
    outlet.put(some_event(0))
    assert "connection refused" in said(output)
    port_holder.start()
    try:
        wait_until(lambda: outlet.delivered == 1)
        outlet.close(5.0)
    finally:
        port_holder.close()


@pytest.mark.usefixtures("impatient")
def test_what_accepts_and_never_answers_is_given_up_and_tried_again(make_mqtt, monkeypatch):
    monkeypatch.setattr(mqtt_module, "KEEPALIVE_SECONDS", 1)
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while len(accepted) < 2:
                accepted.append(listening.accept()[0])

        accepting = threading.Thread(target=accept)
        accepting.start()
        port = listening.getsockname()[1]
        output = make_mqtt(port)
        assert failure(output) == f"no connection to 127.0.0.1:{port}: no answer"
        accepting.join(20.0)
        assert len(accepted) == 2
        assert "the connection was closed (keep alive timeout)" in said(output)
        output.close()
        for connection in accepted:
            connection.close()


def test_ends_at_once_whatever_the_broker_does(broker, make_mqtt):
    hanging = make_mqtt(broker.port)
    hanging.deliver(some_event(0))
    broker.pause()
    outputs = [hanging, make_mqtt(free_port()), make_mqtt(broker.port)]
    outlets = [Outlet(output, lambda line: None) for output in outputs]
    for outlet in outlets:
        outlet.put(some_event(1))
        closer = threading.Thread(target=outlet.close, args=(0.2,))
        closer.start()
        wait_until(lambda closer=closer: not closer.is_alive(), 2.0)
        assert outlet.dropped == 1


def test_leaves_no_thread_and_no_descriptor_behind(broker):
    def use(port: int) -> None:
        said: list[str] = []
        output = Mqtt("127.0.0.1", ABOUT, said.append, port)
        output.connect()
        wait_until(lambda: said)
        output.close()

    def are_gone() -> bool:
        gc.collect()  # the library's clients hold sockets until they are deleted
        threads = [one for one in threading.enumerate() if "paho" in one.name]
        return not threads and len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        use(broker.port)
        use(free_port())
    wait_until(are_gone)


def test_two_devices_do_not_disturb_each_other(broker, watch, make_mqtt):
    watcher = watch(broker)
    outputs = [make_mqtt(broker.port, topic=topic) for topic in ("home/a", "home/b")]
    for number in range(5):
        for output in outputs:
            output.deliver(some_event(number))
    watcher.wait_for(lambda: all(len(watcher.events(f"home/{x}/event")) == 5 for x in "ab"))
    configured = [topic for topic, _, _ in watcher.messages if topic.endswith("/config")]
    assert len(set(configured)) == 6


def test_what_home_assistant_is_told(broker, watch, make_mqtt):
    watcher = watch(broker)
    make_mqtt(broker.port, client_id="pi kitchen", device_name="Kitchen")
    watcher.wait_for(lambda: len({topic for topic, _, _ in watcher.messages}) == 5)
    found = {
        topic: json.loads(payload)
        for topic, payload, _ in watcher.messages
        if topic.startswith("homeassistant/")
    }
    assert set(found) == {
        f"homeassistant/sensor/pi-kitchen/{key}/config" for key in ("emotion", "score", "level")
    }
    for topic, sensor in found.items():
        # The pattern that Home Assistant's integration matches topics with.
        assert re.fullmatch(r"homeassistant/\w+/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", topic)
        assert sensor["state_topic"] == "ser-edge/state"
        assert sensor["availability_topic"] == "ser-edge/availability"
        assert sensor["device"] == {
            "identifiers": ["pi-kitchen"],
            "name": "Kitchen",
            "manufacturer": "ser-edge",
            "model": "small@0123abcd",
            "sw_version": "1.2.3",
        }
        assert sensor["origin"] == {"name": "ser-edge", "sw_version": "1.2.3"}
    assert len({sensor["unique_id"] for sensor in found.values()}) == 3
    emotion = found["homeassistant/sensor/pi-kitchen/emotion/config"]
    assert emotion["device_class"] == "enum"
    assert emotion["options"] == ["happy", "sad", "unsure", "silent"]
    # Neither goes with an enumeration.
    assert not {"state_class", "unit_of_measurement"} & set(emotion)


def test_the_templates_give_what_the_sensors_show():
    jinja2 = pytest.importorskip("jinja2", reason="the jinja2 package is not installed")
    happy = {"label": "happy", "score": 0.8123, "level_dbfs": -23.5, "since": "2026-11-24"}
    shown = {"emotion": ("happy", "silent"), "score": ("81.2", "None"), "level": ("-23.5", "None")}
    for topic, payload in discovery_messages("a", "A", "t", ABOUT).items():
        template = jinja2.Template(json.loads(payload)["value_template"])
        # Home Assistant takes "None" for unknown.
        values = (template.render(value_json=state) for state in (happy, SILENT_STATE))
        assert tuple(values) == shown[topic.split("/")[3]]


CHECK = """
import asyncio, json, sys
from homeassistant.components.mqtt.discovery import TOPIC_MATCHER
from homeassistant.components.mqtt.models import MqttValueTemplate
from homeassistant.components.mqtt.sensor import DISCOVERY_SCHEMA
from homeassistant.core import HomeAssistant
from homeassistant.helpers import frame

async def main():
    frame.async_setup(HomeAssistant("."))
    for topic, payload in json.load(sys.stdin).items():
        assert TOPIC_MATCHER.fullmatch(topic.partition("/")[2]), topic
        message = json.loads(payload)
        checked = DISCOVERY_SCHEMA(message)
        print(topic.split("/")[3], sorted(set(message) - set(checked)))

asyncio.run(main())
"""


@pytest.mark.skipif(
    not HOME_ASSISTANT,
    reason="set SER_EDGE_HOME_ASSISTANT_PYTHON to a Python with the homeassistant package",
)
def test_home_assistant_itself_finds_the_messages_valid(tmp_path):
    messages = json.dumps(discovery_messages("küche pi", "Küche", "home/küche", ABOUT))
    checked = subprocess.run(
        [HOME_ASSISTANT, "-c", CHECK], cwd=tmp_path, input=messages, capture_output=True, text=True
    )
    # Nothing is refused, and nothing is ignored.
    assert (checked.stdout, checked.stderr) == ("emotion []\nscore []\nlevel []\n", "")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"host": ""}, "'' is no host name or address"),
        ({"host": "mqtt://broker"}, "'mqtt://broker' is no host name or address"),
        ({"host": "a..b"}, "'a..b' is no host name or address"),
        ({"topic": ""}, "'' is no topic"),
        ({"topic": "home/#"}, "'home/#' is no topic"),
        ({"topic": "home/+/x"}, "'home/+/x' is no topic"),
        ({"topic": "/home"}, "'/home' is no topic"),
        ({"topic": "home/"}, "'home/' is no topic"),
        ({"topic": "$SYS"}, "'$SYS' is no topic"),
        ({"topic": "a\0b"}, r"'a\x00b' is no topic"),
        ({"discovery_prefix": ""}, "'' is no topic"),
        ({"password": "secret"}, "the password needs a user"),
        ({"ca_file": "ca.pem"}, "the ca_file needs tls"),
    ],
)
def test_a_setting_that_is_not_usable_is_one_line(settings, reason):
    with pytest.raises(SerEdgeError) as refusal:
        Mqtt(**{"host": "127.0.0.1", "about": ABOUT, "say": print, **settings})
    assert str(refusal.value).startswith(f"mqtt: {reason}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("hidden", ["None", "type(sys)('paho.mqtt.client')"])
def test_a_missing_package_is_one_line(hidden):
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import paho.mqtt
hidden = {hidden}
sys.modules["paho.mqtt.client"] = hidden
if hidden:
    paho.mqtt.client = hidden
from edge_runtime.errors import SerEdgeError
from edge_runtime.outputs.mqtt import Mqtt
try:
    Mqtt("127.0.0.1", {ABOUT!r}, print)
except SerEdgeError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout == "mqtt: needs paho-mqtt, 2.0 or later: pip install 'ser-edge[mqtt]'\n"
