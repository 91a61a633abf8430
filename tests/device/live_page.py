"""Fills a status with what the bundled model says of synthesised speech, and takes the picture.

``python -m tests.device.live_page docs/images/live-page.png`` makes the picture in the docs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime import __version__
from edge_runtime.classifier import Classifier
from edge_runtime.listener import Listener, Step
from edge_runtime.sources import read_clip
from edge_runtime.status import Status, describe_model
from edge_runtime.web import WebServer

from .browser import Browser

RATE = 16000
# espeak-ng's voice, pitch and speed, and what it says.
SPOKEN = (
    ("en-us+f3", 70, 150, "The postman brought a letter, and I have waited for it so very long."),
    ("en+m3", 30, 110, "Nobody came to the station, and the rain would not stop."),
    ("en+f4", 99, 220, "Look at that! You really did it! I cannot believe it!"),
    ("en+m7", 60, 170, "How often have I told you not to leave the door open!"),
    ("en-us+m1", 45, 140, "The train leaves at nine from the second platform."),
)


def about(classifier: Classifier, **changes: Any) -> dict[str, Any]:
    """What the daemon would say of itself."""
    told = {"version": __version__, "source": "mic", "hop_seconds": 0.5, "saves_audio": None}
    return {**told, **describe_model(classifier), **changes}


def synthesised_speech(folder: Path, seconds: float) -> np.ndarray:
    """Sentences between pauses of faint noise, repeated to so many seconds."""
    rng = np.random.default_rng(0)
    parts = []
    for voice, pitch, speed, text in SPOKEN:
        path = folder / "sentence.wav"
        how = ["-v", voice, "-p", str(pitch), "-s", str(speed)]
        subprocess.run(["espeak-ng", *how, "-w", str(path), text], check=True)
        parts += [np.zeros(7 * RATE), 0.5 * read_clip(path, RATE)]
    sound = np.resize(np.concatenate(parts), int(seconds * RATE))
    return (sound + rng.normal(0.0, 3e-4, len(sound))).astype(np.float32)


def heard(classifier: Classifier, sound: np.ndarray) -> Iterator[Step]:
    """What the listener makes of it, as if its end were now."""
    listener = Listener(classifier)
    steps = [s for at in range(0, len(sound), 1600) for s in listener.push(sound[at : at + 1600])]
    end, now = len(sound) / RATE, datetime.now(timezone.utc)
    for step in steps:
        time = (now - timedelta(seconds=end - step.hop.end)).isoformat(timespec="milliseconds")
        events = tuple(replace(event, time=time, monotonic=step.hop.end) for event in step.events)
        yield Step(replace(step.hop, time=time), events)


def tell(status: Status, step: Step) -> None:
    """Note a step as the daemon does."""
    status.note_hop(step.hop)
    for event in step.events:
        status.note_event(event)


def missing() -> str:
    """What this machine lacks for the picture; "" when nothing."""
    return ", ".join(name for name in ("chromium", "espeak-ng") if shutil.which(name) is None)


def take_picture(path: Path) -> None:
    """Write a PNG of the page, in the middle of a word."""
    classifier = Classifier()
    status = Status(about(classifier))
    status.note_source("listening", "")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        steps = list(heard(classifier, synthesised_speech(Path(folder), 301.0)))
        hops = [step.hop for step in steps]
        loud = [n for n, hop in enumerate(hops) if hop.label and hop.level_dbfs > -40.0]
        for step in steps[: loud[-1] + 1]:
            tell(status, step)
        server = WebServer("127.0.0.1:0", status, Classifier, print)
        server.start()
        browser = Browser(Path(folder) / "profile")
        try:
            browser.set_view(900, 1060, "light")
            browser.go(server.url)
            browser.wait_for("document.querySelectorAll('#events li').length > 3")
            # The machine's own numbers come with the first status.
            browser.wait_for("document.getElementById('facts').innerText.includes('% of a core')")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(browser.screenshot())
        finally:
            browser.close()
            server.close(2.0)


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]))
