"""Where the time of a decision goes: a stopwatch that the parts of the real code path switch."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend
from edge_runtime.gates import Gate

# In the order in which a hop runs through them.
STAGES = ("capture", "gate", "features", "inference", "decision")
CAPTURE, GATE, FEATURES, INFERENCE, DECISION = range(len(STAGES))


class Stopwatch:
    """Gives every nanosecond of a hop to exactly one stage.

    Examples
    --------
    >>> watch = Stopwatch()
    >>> watch.start()
    >>> watch.switch(GATE)
    >>> times = watch.stop()
    >>> len(times), times[INFERENCE], min(times) >= 0
    (5, 0, True)
    """

    def __init__(self) -> None:
        self._times = [0] * len(STAGES)
        self._stage = CAPTURE
        self._since = 0

    def start(self) -> None:
        """Begin a hop, with its first stage."""
        self._times = [0] * len(STAGES)
        self._stage = CAPTURE
        self._since = time.perf_counter_ns()

    def switch(self, stage: int) -> None:
        """End the stage that runs and begin another."""
        now = time.perf_counter_ns()
        self._times[self._stage] += now - self._since
        self._stage, self._since = stage, now

    def stop(self) -> list[int]:
        """End the hop and give its nanoseconds by stage."""
        self.switch(CAPTURE)
        return self._times


class TimedGate:
    """A gate on a stopwatch: what comes after it in a hop is features.

    Parameters
    ----------
    gate : Gate
        The real one.
    watch : Stopwatch
        To switch.
    """

    def __init__(self, gate: Gate, watch: Stopwatch) -> None:
        self._gate = gate
        self._watch = watch
        self._note()

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples; see `Gate.push`."""
        self._watch.switch(GATE)
        self._gate.push(samples)
        self._note()
        self._watch.switch(FEATURES)

    def reset(self) -> None:
        """Forget all samples; see `Gate.reset`."""
        self._gate.reset()
        self._note()

    def _note(self) -> None:
        gate = self._gate
        self.is_open, self.open_seconds = gate.is_open, gate.open_seconds
        self.level_dbfs, self.noise_dbfs = gate.level_dbfs, gate.noise_dbfs


class TimedBackend:
    """A back end on a stopwatch: what comes after it in a hop is decision.

    Parameters
    ----------
    backend : Backend
        The real one.
    watch : Stopwatch
        To switch.
    """

    def __init__(self, backend: Backend, watch: Stopwatch) -> None:
        self._backend = backend
        self._watch = watch
        self.name, self.version = backend.name, backend.version
        self.input_shape, self.output_sizes = backend.input_shape, backend.output_sizes
        self.score_step = backend.score_step

    def run(self, features: NDArray[np.float32], outputs: int = 1) -> list[NDArray[np.float32]]:
        """Run the model on one window; see `Backend.run`."""
        self._watch.switch(INFERENCE)
        given = self._backend.run(features, outputs)
        self._watch.switch(DECISION)
        return given
