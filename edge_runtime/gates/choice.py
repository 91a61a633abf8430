"""Makes the gate of a name."""

from __future__ import annotations

import math

from edge_runtime.errors import SerEdgeError
from edge_runtime.gates.gate import Detector, Gate
from edge_runtime.gates.hysteresis import HysteresisGate
from edge_runtime.gates.open_gate import OpenGate

GATE_NAMES = ("energy", "silero", "webrtc", "off")
HANGOVER_SECONDS = 1.0
MAX_HANGOVER_SECONDS = 60.0


def make_gate(kind: str, sample_rate: int, hangover_seconds: float = HANGOVER_SECONDS) -> Gate:
    """Make a gate.

    Parameters
    ----------
    kind : {"energy", "silero", "webrtc", "off"}
        Energy above the noise and the shape of the sound, in numpy; Silero VAD; WebRTC's
        detector; or always open.
    sample_rate : int
        Samples per second.
    hangover_seconds : float
        For how long the gate stays open after the last speech, 0 to 60.

    Returns
    -------
    Gate
        At the start of a stream: closed, unless "off".

    Raises
    ------
    SerEdgeError
        When there is no such gate, its package is not installed, or it cannot work at the rate.

    Examples
    --------
    >>> import numpy as np
    >>> gate = make_gate("energy", 16000)
    >>> gate.push(np.zeros(16000, dtype=np.float32))
    >>> gate.is_open, gate.level_dbfs
    (False, -120.0)
    """
    if not (math.isfinite(hangover_seconds) and 0.0 <= hangover_seconds <= MAX_HANGOVER_SECONDS):
        raise SerEdgeError(
            f"the gate's hang-over must be 0 to {MAX_HANGOVER_SECONDS:g} seconds, "
            f"not {hangover_seconds:g}"
        )
    if kind == "off":
        return OpenGate(sample_rate)
    return HysteresisGate(_detector(kind, sample_rate), sample_rate, hangover_seconds)


def _detector(kind: str, sample_rate: int) -> Detector:
    # Each is imported only when it is asked for.
    if kind == "energy":
        from edge_runtime.gates.speech_gate import SpeechDetector

        return SpeechDetector(sample_rate)
    if kind == "silero":
        from edge_runtime.gates.silero import SileroDetector

        return SileroDetector(sample_rate)
    if kind == "webrtc":
        from edge_runtime.gates.webrtc import WebrtcDetector

        return WebrtcDetector(sample_rate)
    raise SerEdgeError(f"there is no gate {kind!r}; there are: {', '.join(GATE_NAMES)}")
