"""The event that every output carries."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Event:
    """One decision about one window of the stream.

    Attributes
    ----------
    time : str
        UTC time of the decision, ISO 8601.
    start, end : float
        The window's place in the stream, in seconds since its start.
    label : str
        The most probable class, or "unsure".
    score : float
        Probability of the most probable class, 0 to 1.
    scores : dict of str to float
        Probability of every class; they sum to 1.
    latency_ms : float
        From the arrival of the window's last samples to the decision, in milliseconds.
    model : str
        Name and short hash of the model.
    """

    time: str
    start: float
    end: float
    label: str
    score: float
    scores: dict[str, float]
    latency_ms: float
    model: str

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    def to_text(self) -> str:
        """One line for people: when, what, how sure, how fast."""
        return (
            f"{self.start:7.2f} - {self.end:6.2f} s  {self.label:<9} {self.score:4.0%}  "
            f"{self.latency_ms:5.1f} ms"
        )
