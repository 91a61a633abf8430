"""What Home Assistant is told so that the sensors appear in it by themselves.

References
----------
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery,
https://www.home-assistant.io/integrations/sensor.mqtt/
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

PREFIX = "homeassistant"
# What the state says while no emotion goes on.
SILENT = "silent"
UNSURE = "unsure"
ONLINE, OFFLINE = "online", "offline"

_OR_UNKNOWN = "value_json.{0} is not none else none"
_SCORE = f"{{{{ (value_json.score * 100) | round(1) if {_OR_UNKNOWN.format('score')} }}}}"
_LEVEL = f"{{{{ value_json.level_dbfs if {_OR_UNKNOWN.format('level_dbfs')} }}}}"


def discovery_messages(
    identifier: str,
    device_name: str,
    topic: str,
    about: dict[str, Any],
    prefix: str = PREFIX,
) -> dict[str, str]:
    """Describe the sensors "emotion", "score" and "level" of one device.

    Parameters
    ----------
    identifier : str
        Of the device, unlike that of any other.
    device_name : str
        For people.
    topic : str
        First part of the topics `topic`/state and `topic`/availability.
    about : dict
        "version", "model" and "labels" of what runs.
    prefix : str
        First part of the topics that Home Assistant looks at.

    Returns
    -------
    dict of str to str
        The message of every topic, to be retained.
    """
    node = slug(identifier)
    shared = {
        "state_topic": f"{topic}/state",
        "availability_topic": f"{topic}/availability",
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "qos": 1,
        "device": {
            "identifiers": [node],
            "name": device_name,
            "manufacturer": "ser-edge",
            "model": str(about["model"]),
            "sw_version": str(about["version"]),
        },
        "origin": {"name": "ser-edge", "sw_version": str(about["version"])},
    }
    return {
        f"{prefix}/sensor/{node}/{key}/config": json.dumps(
            {**sensor, "unique_id": f"{node}_{key}", **shared}
        )
        for key, sensor in _sensors(topic, about["labels"]).items()
    }


def slug(text: str) -> str:
    """Reduce text to what Home Assistant takes as part of a discovery topic."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-") or "ser-edge"


def _sensors(topic: str, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        "emotion": {
            "name": "Emotion",
            "icon": "mdi:account-voice",
            "device_class": "enum",
            "options": list(dict.fromkeys([*labels, UNSURE, SILENT])),
            "value_template": "{{ value_json.label }}",
            "json_attributes_topic": f"{topic}/state",
            "json_attributes_template": "{{ {'since': value_json.since} | tojson }}",
        },
        "score": {
            "name": "Score",
            "icon": "mdi:gauge",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "suggested_display_precision": 0,
            "value_template": _SCORE,
        },
        "level": {
            "name": "Level",
            "icon": "mdi:microphone",
            "unit_of_measurement": "dBFS",
            "state_class": "measurement",
            "suggested_display_precision": 0,
            "entity_category": "diagnostic",
            "value_template": _LEVEL,
        },
    }
