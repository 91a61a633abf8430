"""A ``ser-edge listen`` process of its own, fed with sound and watched from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 30.0


class Lines:
    """The lines that a process writes, collected as they come."""

    def __init__(self, stream: Any) -> None:
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._collect, args=(stream,), daemon=True)
        self._thread.start()

    def __iter__(self):
        with self._changed:
            return iter(list(self._lines))

    def __len__(self) -> int:
        return len(self._lines)

    def wait_for(self, what, seconds: float = PATIENCE_SECONDS) -> str:
        """The first line that contains a text, or for which a function is true."""
        matches = what if callable(what) else (lambda line: what in line)
        deadline, seen = time.monotonic() + seconds, 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if matches(line):
                        return line
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    raise AssertionError(f"no line with {what!r} in: {self._lines}")
                self._changed.wait(left)

    def all(self) -> list[str]:
        """All lines, once the process has closed its end."""
        self._thread.join(PATIENCE_SECONDS)
        return list(self)

    def _collect(self, stream: Any) -> None:
        for line in stream:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class Daemon:
    """A running ``ser-edge listen``; a context manager that ends it."""

    def __init__(self, *options: str, env: dict[str, str] | None = None, **popen: Any) -> None:
        command = [sys.executable, "-m", "edge_runtime.cli", "listen", *map(str, options)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **popen,
        )
        self.log = Lines(self.process.stderr)
        self.output = Lines(self.process.stdout)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events on its standard output, which is JSONL."""
        return [json.loads(line) for line in self.output]

    def is_listening(self) -> Daemon:
        """Wait until it listens."""
        self.log.wait_for("listening to")
        return self

    def push(self, samples: np.ndarray) -> None:
        """Write sound to its standard input, which is its source."""
        pcm = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        self.process.stdin.buffer.write(pcm)
        self.process.stdin.buffer.flush()

    def end_of_input(self) -> None:
        """Close its standard input."""
        self.process.stdin.close()

    def signal(self, name: str) -> None:
        """Send a signal."""
        self.process.send_signal(getattr(signal, name))

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for its end: the exit status."""
        return self.process.wait(seconds)

    def wait_for_event(self, seconds: float = PATIENCE_SECONDS, **wanted: Any) -> dict[str, Any]:
        """The first event with these values."""
        line = self.output.wait_for(
            lambda text: wanted.items() <= json.loads(text).items(), seconds
        )
        return json.loads(line)
