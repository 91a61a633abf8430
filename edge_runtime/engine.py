"""What the daemon does with sound: model, listener, outputs, and the status that tells of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from edge_runtime import __version__
from edge_runtime.classifier import Classifier
from edge_runtime.decisions import DecisionSettings
from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.gates import make_gate
from edge_runtime.listener import Listener
from edge_runtime.outputs.make import SECTIONS, Starter, prepare
from edge_runtime.profiles.choice import make_classifier
from edge_runtime.reader import Chunk
from edge_runtime.settings import Settings
from edge_runtime.sound_archive import SoundRing
from edge_runtime.status import Status, describe_model

LOSSES_SECONDS = 60.0  # lost sound is said at most so often
LEAVE_SECONDS = 0.5  # what an output that a reload takes away is given to deliver the rest
LISTENER_SECTIONS = ("model", "profile", "gate", "decision")
if TYPE_CHECKING:
    from edge_runtime.web import WebServer

Say = Callable[[str], None]


class Engine:
    """Turns chunks of sound into events for the outputs.

    Parameters
    ----------
    settings : Settings
        All settings.
    say : callable
        Takes one line for the log.

    Attributes
    ----------
    status : Status
        What it is doing.

    Raises
    ------
    SerEdgeError
        When the model or an output is not usable.
    """

    def __init__(self, settings: Settings, say: Say) -> None:
        self._say = say
        self._settings = settings
        self._losses_said = -LOSSES_SECONDS
        self._classifier = make_classifier(settings, say)
        self._listener = _listener_for(self._classifier, settings)
        self._ring = _ring_for(self._listener, settings, self.sample_rate)
        about = _about(settings, self._classifier, self._listener)
        starters = _prepared(SECTIONS, settings, about, self._ring, say)
        self._outlets = {section: start() for section, start in starters.items() if start}
        self.status = Status(about, tuple(self._outlets.values()))
        self._web = self._serve(settings)
        self._say_what_does_nothing()

    def __str__(self) -> str:
        model = self._classifier
        whose = f", profile {model.profile_name}" if model.profile_name else ""
        adapts = ", adapting" if self._listener.adapts else ""
        return (
            f"{model.model_id} on {model.backend.name}{whose}{adapts}, "
            f"window {self.window_seconds:.2f} s"
        )

    @property
    def sample_rate(self) -> int:
        """Samples per second that the model asks for."""
        return self._classifier.metadata.features.sample_rate

    @property
    def window_seconds(self) -> float:
        """Length of the model's window."""
        return self._classifier.metadata.window_seconds

    def hear(self, chunk: Chunk) -> None:
        """Take the next sound.

        Raises
        ------
        OSError
            When an output is gone for good.
        """
        if chunk.gap:
            self._tell(self._listener.reset())
        if self._ring is not None:
            self._ring.push(chunk.samples)
        for step in self._listener.push(chunk.samples, chunk.arrival):
            self.status.note_hop(step.hop)
            self._tell(step.events)
        for outlet in self._outlets.values():
            if outlet.error is not None:
                raise outlet.error

    def note_source(self, state: str, detail: str) -> None:
        """Take the state of the source, and say it where it is news."""
        is_first = self.status.snapshot()["source"]["state"] == "opening"
        self.status.note_source(state, detail)
        if state != "listening" or not is_first:
            self._say(f"{state}: {detail}")

    def pause(self) -> None:
        """Take note that no sound comes: what was going on has ended."""
        self._tell(self._listener.reset())

    def note_losses(self, overflows: int, dropped_seconds: float) -> None:
        """Take how much sound was lost since the start because this machine was too busy.

        Parameters
        ----------
        overflows : int
            How often the device lost sound.
        dropped_seconds : float
            What came and was thrown away.
        """
        is_more = self.status.note_losses(overflows, dropped_seconds)
        if is_more and time.monotonic() - self._losses_said >= LOSSES_SECONDS:
            self._losses_said = time.monotonic()
            self._say(
                f"sound was lost ({overflows} overflows of the device, {dropped_seconds:.1f} s "
                "here): this machine is too busy to keep up"
            )

    def renew(self, settings: Settings) -> None:
        """Take other settings, and a model file that changed.

        Raises
        ------
        SerEdgeError
            When something is not usable; nothing has changed then.
        """
        classifier = make_classifier(settings, self._say)
        is_same_model = classifier.hash == self._classifier.hash
        is_same_voice = classifier.profile_key == self._classifier.profile_key
        is_same = is_same_model and is_same_voice
        is_same = is_same and not self._changed(settings, LISTENER_SECTIONS)
        listener = self._listener if is_same else _listener_for(classifier, settings)
        sample_rate = classifier.metadata.features.sample_rate
        is_same_ring = is_same and not self._changed(settings, ("save_audio",))
        ring = self._ring if is_same_ring else _ring_for(listener, settings, sample_rate)
        about = _about(settings, classifier, listener)
        sections = self._changed(settings, SECTIONS)
        if not is_same_model and "mqtt" not in sections:
            sections.append("mqtt")  # it tells the model's labels
        if not is_same_ring and "save_audio" not in sections:
            sections.append("save_audio")
        starters = _prepared(sections, settings, about, ring, self._say)
        self._renew_web(settings)

        if not is_same:
            self._tell(self._listener.reset())
            self._classifier, self._listener = classifier, listener
        self._ring, self._settings = ring, settings
        if not is_same:
            self._say_what_does_nothing()
        for section, start in starters.items():
            old = self._outlets.pop(section, None)
            if old is not None:
                old.close(LEAVE_SECONDS)
            if start is not None:
                self._outlets[section] = start()
        self.status.renew(about, tuple(self._outlets.values()))
        if self._web is not None:
            self._web.renew()
        # An MQTT client and its output hold each other, and two sockets until they are collected,
        # which in a process that allocates so little may be never.
        gc.collect()

    def stop_waiting(self) -> None:
        """From now on wait for no output; safe in a signal handler."""
        for outlet in self._outlets.values():
            outlet.stop_waiting()

    def close(self, seconds: float) -> None:
        """End what is going on and give the outputs so long to deliver it."""
        self._tell(self._listener.reset())
        deadline = time.monotonic() + seconds
        for outlet in self._outlets.values():  # those that wait their turn deliver meanwhile
            outlet.close(max(0.0, deadline - time.monotonic()))
        if self._web is not None:
            self._web.close(LEAVE_SECONDS)

    def _say_what_does_nothing(self) -> None:
        if self._settings.decision.adapt and not self._listener.adapts:
            self._say(
                f"decision.adapt does nothing: the profile {self._classifier.profile_name} is in "
                "use, and knows the voice"
            )

    def _serve(self, settings: Settings) -> WebServer | None:
        chosen = settings.http
        if not chosen.address:
            return None
        from edge_runtime.web import Limits, WebServer

        web = WebServer(
            chosen.address,
            self.status,
            self._another_classifier,
            self._say,
            chosen.token,
            Limits(upload_bytes=chosen.max_upload),
        )
        web.start()
        self._say(f"serving {web.url}")
        return web

    def _another_classifier(self) -> Classifier:
        """The listener's model and profile, for another thread."""
        model = self._settings.model
        classifier = Classifier(model.file, model.backend, model.threads)
        classifier.use(self._classifier.profile)
        return classifier

    def _renew_web(self, settings: Settings) -> None:
        """Serve as other settings say; where that cannot be, as before."""
        if not self._changed(settings, ("http",)):
            return
        old, old_settings = self._web, self._settings
        if old is not None:
            old.close(LEAVE_SECONDS)  # the address may be the same
        try:
            self._web = self._serve(settings)
        except SerEdgeError:
            self._web = None if old is None else self._serve(old_settings)
            raise

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self.status.note_event(event)
            for outlet in self._outlets.values():
                outlet.put(event)

    def _changed(self, settings: Settings, sections: Iterable[str]) -> list[str]:
        old = self._settings
        return [one for one in sections if getattr(old, one) != getattr(settings, one)]


def _listener_for(classifier: Classifier, settings: Settings) -> Listener:
    chosen, sample_rate = settings.decision, classifier.metadata.features.sample_rate
    gate = make_gate(settings.gate.kind, sample_rate, settings.gate.hangover)
    decisions = DecisionSettings(
        smoothing=chosen.smoothing,
        minimum_count=chosen.minimum_count,
        hysteresis=chosen.hysteresis,
        refractory_seconds=chosen.refractory,
        threshold=chosen.threshold,
    )
    return Listener(
        classifier,
        settings.model.hop,
        gate,
        decisions,
        settings.gate.least_speech,
        chosen.adapt,
    )


def _ring_for(listener: Listener, settings: Settings, sample_rate: int) -> SoundRing | None:
    if settings.save_audio.dir is None:
        return None
    return SoundRing(sample_rate, first=listener.n_samples)


def _prepared(
    sections: Iterable[str],
    settings: Settings,
    about: dict[str, Any],
    ring: SoundRing | None,
    say: Say,
) -> dict[str, Starter | None]:
    return {section: prepare(section, settings, about, ring, say) for section in sections}


def _about(settings: Settings, classifier: Classifier, listener: Listener) -> dict[str, Any]:
    folder = settings.save_audio.dir
    return {
        **describe_model(classifier),
        "version": __version__,
        "profile": classifier.profile_name,
        "adapts": listener.adapts,
        "source": settings.source.source,
        "hop_seconds": listener.hop_seconds,
        "saves_audio": None if folder is None else str(folder),
    }
