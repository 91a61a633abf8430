"""What the listener tells: the events that every output carries, and what each hop brought."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

KINDS = ("start", "update", "end")


@dataclass(frozen=True)
class Event:
    """An emotion begins, goes on, or ends.

    Attributes
    ----------
    kind : {"start", "update", "end"}
        "update" comes at every hop while the emotion lasts; every "start" has its "end".
    time : str
        UTC time of the decision, ISO 8601.
    monotonic : float
        The same moment on a clock that nobody sets, in seconds: `time.monotonic`.
    start : float
        Where in the stream the first window of the emotion began, in seconds.
    end : float
        Where in the stream its latest window ended, in seconds.
    label : str
        The class, or "unsure".
    score : float
        Its probability, 0 to 1, smoothed over windows; of "unsure", that of the likeliest class.
    scores : dict of str to float
        Probability of every class, smoothed over windows; they sum to 1.
    level_dbfs : float
        Level of the sound, in dB below full scale.
    latency_ms : float
        From the arrival of the window's last samples to the decision, in milliseconds.
    model : str
        Name and short hash of the model.
    profile : str or None
        Name of the profile in use; see ``ser-edge enrol``.
    """

    kind: str
    time: str
    monotonic: float
    start: float
    end: float
    label: str
    score: float
    scores: dict[str, float]
    level_dbfs: float
    latency_ms: float
    model: str
    profile: str | None = None

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    def to_text(self) -> str:
        """One line for people: when, what, how sure, how fast."""
        return (
            f"{self.start:7.2f} - {self.end:6.2f} s  {self.kind:<6}  {self.label:<9} "
            f"{self.score:4.0%}  {self.latency_ms:5.1f} ms"
        )


@dataclass(frozen=True)
class Hop:
    """What one hop of the stream brought, whether or not anything was said about it.

    Attributes
    ----------
    time : str
        UTC time, ISO 8601.
    end : float
        Where in the stream the hop ended, in seconds.
    is_open : bool
        Whether the gate heard speech, so that the window was classified.
    level_dbfs, noise_dbfs : float
        Level of the sound and of what the gate takes for noise, in dB below full scale.
    scores : dict of str to float, or None
        Probability of every class for this window alone; None where it was not classified.
    label : str or None
        The emotion that is going on, "unsure", or None.
    latency_ms : float
        From the arrival of the hop's last samples to the decision, in milliseconds.
    """

    time: str
    end: float
    is_open: bool
    level_dbfs: float
    noise_dbfs: float
    scores: dict[str, float] | None
    label: str | None
    latency_ms: float
