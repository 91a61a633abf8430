"""A configuration while it is measured: its process, and what was measured of it so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.latency.child import Child
from benchmarks.latency.configurations import Configuration
from edge_runtime.errors import SerEdgeError

KIB_PER_MIB = 1024.0
Answer = dict[str, Any]


@dataclass(frozen=True)
class Readings:
    """All that was measured of a configuration.

    Attributes
    ----------
    configuration : Configuration
        Of what.
    about : dict
        What its process said of itself: ``backend_version``, ``python``, ``numpy``,
        ``hop_seconds``.
    ready_seconds : list of float
        Of each start.
    first : list of dict
        Of each start, ``inference`` and ``decision`` in nanoseconds.
    rounds : list of dict
        See `benchmarks.latency.worker.Worker.round`.
    status : dict of str to int
        See `benchmarks.latency.child.Child.status`.
    operators : list or None
        See `benchmarks.latency.worker.Worker.operators`.
    """

    configuration: Configuration
    about: Answer
    ready_seconds: list[float]
    first: list[Answer]
    rounds: list[Answer]
    status: dict[str, int]
    operators: list[list[Any]] | None


class Measured:
    """One configuration and its process.

    Parameters
    ----------
    configuration : Configuration
        What to measure.
    task : dict
        See `benchmarks.latency.worker.Worker`.
    """

    def __init__(self, configuration: Configuration, task: dict[str, Any]) -> None:
        self._configuration = configuration
        self._task = task
        self._child: Child | None = None
        self._ready_seconds: list[float] = []
        self._first: list[Answer] = []
        self._rounds: list[Answer] = []

    @property
    def own_mib(self) -> float | None:
        """Memory that its process shares with no other, in MiB; None where it is not told."""
        own = None if self._child is None else self._child.status().get("own")
        return None if own is None else own / KIB_PER_MIB

    def start(self) -> None:
        """Start a process and let it classify for the first time.

        Raises
        ------
        SerEdgeError
            When it cannot run the model.
        """
        self._child = Child(self._configuration.python, self._task)
        self._ready_seconds.append(self._child.ready_seconds)
        self._first.append(self._child.ask("first"))

    def round(self) -> None:
        """Measure a round.

        Raises
        ------
        SerEdgeError
            When the process fails.
        """
        if not self._rounds:
            self._ask("settle")
        self._rounds.append(self._ask("round"))

    def finish(self) -> Readings:
        """Take what is measured last, and give all.

        Raises
        ------
        SerEdgeError
            When the process fails.
        """
        assert self._child is not None
        status = self._child.status()  # before the profile, which takes more
        return Readings(
            configuration=self._configuration,
            about={**self._child.ready, **self._ask("versions")},
            ready_seconds=self._ready_seconds,
            first=self._first,
            rounds=self._rounds,
            status=status,
            operators=self._ask("operators")["microseconds"],
        )

    def close(self) -> None:
        """End the process, if there is one."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _ask(self, word: str) -> Answer:
        assert self._child is not None
        try:
            return self._child.ask(word)
        except SerEdgeError as error:
            raise SerEdgeError(f"{self._configuration.pair}: {error}") from error
