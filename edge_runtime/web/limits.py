"""How much of the web server's time and memory a client may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on clients; whoever goes beyond is refused or disconnected.

    Attributes
    ----------
    connections : int
        Open at a time.
    streams : int
        Of these, those that may follow the events.
    header_seconds : float
        From one request to the end of the next one's headers; so a connection may be idle as long.
    body_seconds : float
        For the whole body of a request.
    write_seconds : float
        For a client to read what it was sent.
    classify_seconds : float
        For the classification of an upload.
    heartbeat_seconds : float
        A stream is never silent for longer.
    header_bytes : int
        Largest request line and headers together.
    stream_messages : int
        Kept for each stream that does not read fast enough; then the oldest are dropped.
    upload_bytes : int
        Largest sound file.
    upload_seconds : float
        Longest sound in it.
    """

    connections: int = 64
    streams: int = 16
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 15.0
    classify_seconds: float = 30.0
    heartbeat_seconds: float = 15.0
    header_bytes: int = 16384
    stream_messages: int = 200
    upload_bytes: int = 10_000_000
    upload_seconds: float = 60.0
