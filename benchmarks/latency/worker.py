"""The process that is measured: one model in one back end, as ``ser-edge listen`` runs it.

Until it says that it is ready it does what the daemon does, and imports no more. Then it does as
it is told on standard input, one word a line, and answers each with one line of JSON. It runs
under whichever Python has the back end, Python 3.9 or later.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.latency.stages import INFERENCE, Stopwatch, TimedBackend, TimedGate
from benchmarks.latency.stream import Stream
from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.gates import Gate, make_gate
from edge_runtime.listener import Listener
from edge_runtime.memory import keep_heap_whole

WARM_UP_HOPS = 2  # of every round: another process has had the caches since


class Worker:
    """Measures one model in one back end.

    Parameters
    ----------
    task : dict
        ``model``, ``backend`` and ``threads``; ``hop_seconds``, the model's own when None;
        ``speech`` and ``room``, files of raw samples at the model's rate.
    """

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self._classifier = Classifier(task["model"], task["backend"], task["threads"])
        self._rate = self._classifier.metadata.features.sample_rate
        self._listener = self._listening(self._gate())
        self._watch = Stopwatch()
        self._backend = self._classifier.backend
        self._timed_backend = TimedBackend(self._backend, self._watch)
        self._streams: dict[str, Stream] = {}

    def ready(self) -> dict[str, Any]:
        """Say what is running."""
        return {
            "backend_version": self._backend.version,
            "hop_seconds": self._listener.hop_seconds,
            "python": ".".join(map(str, sys.version_info[:3])),
        }

    def first(self) -> dict[str, Any]:
        """Hear speech until the first window is classified, and time that hop."""
        listener = self._listening(TimedGate(self._gate(), self._watch))
        self._streams["timed"] = self._stream(listener, "speech")
        (times,) = self._stages(1)
        return {"inference": times[INFERENCE], "decision": sum(times)}

    def settle(self) -> dict[str, Any]:
        """Hear speech and a quiet room until everything has been done once."""
        self._streams["plain"] = self._stream(self._listener, "speech")
        self._streams["quiet"] = self._stream(self._listening(self._gate()), "room")
        self._streams["plain"].until_open()
        self._streams["quiet"].hop()
        return {}

    def round(self) -> dict[str, Any]:
        """Time some hops: whole, by stage, and of a quiet room, in nanoseconds."""
        n_hops = self._task["hops"]
        plain, quiet_room = self._streams["plain"], self._streams["quiet"]
        plain.whole(WARM_UP_HOPS, is_open=True)
        worked = time.process_time_ns()
        whole, n_closed = plain.whole(n_hops, is_open=True)
        worked = time.process_time_ns() - worked
        stages = self._stages(n_hops)
        quiet, _ = quiet_room.whole(self._task["quiet_hops"], is_open=False)
        return {
            "whole": whole,
            "closed": n_closed,
            "worked": worked,
            "stages": stages,
            "quiet": quiet,
        }

    def operators(self) -> dict[str, Any]:
        """Say how long each kind of operator takes; None where the back end does not tell."""
        if self._backend.name != "onnxruntime":
            return {"microseconds": None}
        from benchmarks.latency.operators import onnx_operators

        model, threads = Path(self._task["model"]), self._task["threads"]
        return {"microseconds": onnx_operators(model, self._backend.input_shape, threads)}

    def versions(self) -> dict[str, Any]:
        """Say which libraries it runs with."""
        import numpy as np

        return {"numpy": np.__version__}

    def _gate(self) -> Gate:
        return make_gate("energy", self._rate)

    def _stages(self, n_hops: int) -> list[list[int]]:
        self._classifier.backend = self._timed_backend
        times = self._streams["timed"].by_stage(n_hops, self._watch)
        self._classifier.backend = self._backend
        return times

    def _listening(self, gate: Gate) -> Listener:
        return Listener(self._classifier, self._task["hop_seconds"], gate)

    def _stream(self, listener: Listener, sound: str) -> Stream:
        return Stream(listener, Path(self._task[sound]), self._rate)


def main() -> None:
    """Do as standard input says until it ends; the task is the first argument, as JSON."""
    keep_heap_whole()
    # What libraries print on standard output is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(said: dict[str, Any]) -> None:
        answers.write(f"{json.dumps(said)}\n")
        answers.flush()

    try:
        worker = Worker(json.loads(sys.argv[1]))
        answer(worker.ready())
        for line in sys.stdin:
            answer(getattr(worker, line.strip())())
    except SerEdgeError as error:
        answer({"error": str(error)})
