"""What each command of ``ser-edge`` does. Results go to standard output, the rest to the other."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from datetime import datetime, timezone

from edge_runtime.classifier import DEFAULT_MODEL, Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.listener import Listener
from edge_runtime.metadata import model_hash, read_metadata
from edge_runtime.sources import AudioFile, Microphone, PcmStream, Source, list_devices, read_clip
from edge_runtime.sources.audio_file import printable


def listen(arguments: argparse.Namespace) -> int:
    """Print an event for every hop of a source, until it ends or Ctrl-C, the usual way to end."""
    try:
        return _listen(arguments)
    except KeyboardInterrupt:
        return 0


def classify(arguments: argparse.Namespace) -> int:
    """Print one answer for each file; a file that fails does not keep the others from theirs."""
    classifier = Classifier(arguments.model, arguments.backend, arguments.threads)
    failed = 0
    for path in arguments.files:
        try:
            event = _classify_file(classifier, path)
        except SerEdgeError as error:
            failed += 1
            _say(str(error))
            continue
        if arguments.format == "jsonl":
            print(json.dumps({"file": path, **dataclasses.asdict(event)}), flush=True)
        else:
            print(f"{printable(path)}: {_ranking(event)}", flush=True)
    return 1 if failed else 0


def devices(arguments: argparse.Namespace) -> int:
    """List the microphones."""
    found = list_devices()
    for device in found:
        if arguments.format == "jsonl":
            print(json.dumps(dataclasses.asdict(device)))
        else:
            mark = "*" if device.is_default else " "
            print(
                f"{mark}{device.number:3d}  {device.name}  ({device.host_api}, "
                f"{device.input_channels} ch, {device.default_sample_rate:.0f} Hz)"
            )
    if not found:
        _say("no microphone found")
    return 0


def info(arguments: argparse.Namespace) -> int:
    """Print what a model file says about itself."""
    path = arguments.model or DEFAULT_MODEL
    metadata = read_metadata(path)
    described = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": model_hash(path),
        **json.loads(metadata.to_json()),
    }
    if arguments.format == "jsonl":
        print(json.dumps(described))
        return 0
    # Two long rows of numbers that tell a person nothing.
    del described["feature_mean"], described["feature_scale"]
    described["window_seconds"] = round(metadata.window_seconds, 3)
    for line in _outline(described):
        print(line)
    return 0


def _listen(arguments: argparse.Namespace) -> int:
    classifier = Classifier(arguments.model, arguments.backend, arguments.threads)
    listener = Listener(classifier, arguments.hop)
    n_events, n_samples = 0, 0
    with _open_source(arguments, classifier.metadata.features.sample_rate) as source:
        _say(
            f"listening to {_describe(source, arguments)} with {classifier.model_id} on "
            f"{classifier.backend.name}, window {classifier.metadata.window_seconds:.2f} s"
        )
        try:
            for chunk in source.chunks():
                n_samples += len(chunk)
                for event in listener.push(chunk):
                    n_events += 1
                    print(_as_format(event, arguments.format), flush=True)
        finally:
            _report_overflows(source)
    if n_events == 0:
        _explain_no_event(arguments.source, n_samples, classifier)
    return 0


def _open_source(arguments: argparse.Namespace, sample_rate: int) -> Source:
    if arguments.source == "mic":
        return Microphone(arguments.device, sample_rate)
    if arguments.source == "-":
        if sys.stdin is None:
            raise SerEdgeError("standard input: is closed; pipe raw PCM into it")
        return PcmStream(sys.stdin.buffer, sample_rate, arguments.pcm_format)
    return AudioFile(arguments.source, sample_rate, arguments.realtime)


def _describe(source: Source, arguments: argparse.Namespace) -> str:
    if isinstance(source, Microphone):
        return f"microphone {source.device.name!r}"
    return "standard input" if arguments.source == "-" else str(arguments.source)


def _report_overflows(source: Source) -> None:
    if isinstance(source, Microphone) and source.overflows:
        _say(f"sound was lost {source.overflows} times: this machine is too busy to keep up")


def _explain_no_event(source: str, n_samples: int, classifier: Classifier) -> None:
    seconds = n_samples / classifier.metadata.features.sample_rate
    window = classifier.metadata.window_seconds
    if seconds < window:
        raise SerEdgeError(
            f"{source}: {seconds:.2f} s are shorter than the model's window of {window:.2f} s; "
            "for one answer use: ser-edge classify FILE"
        )
    _say(f"{source}: nothing but silence in {seconds:.2f} s")


def _classify_file(classifier: Classifier, path: str) -> Event:
    sample_rate = classifier.metadata.features.sample_rate
    audio = read_clip(path, sample_rate)
    start = time.perf_counter()
    try:
        decision = classifier.classify(audio)
    except SerEdgeError as error:
        raise SerEdgeError(f"{printable(path)}: {error}") from error
    return Event(
        time=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        start=0.0,
        end=round(len(audio) / sample_rate, 3),
        label=decision.label,
        score=decision.score,
        scores=decision.scores,
        latency_ms=round((time.perf_counter() - start) * 1000.0, 3),
        model=classifier.model_id,
    )


def _as_format(event: Event, wanted: str) -> str:
    return event.to_json() if wanted == "jsonl" else event.to_text()


def _ranking(event: Event) -> str:
    """The answer, then every class from the most to the least probable."""
    ranked = sorted(event.scores.items(), key=lambda item: -item[1])
    return f"{event.label}  ({', '.join(f'{name} {score:.0%}' for name, score in ranked)})"


def _outline(value: object, indent: int = 0) -> list[str]:
    """Nested JSON as indented lines of key and value."""
    lines: list[str] = []
    if not isinstance(value, dict):
        return lines
    for key, item in value.items():
        prefix = f"{'  ' * indent}{key}:"
        if isinstance(item, dict) and item:
            lines += [prefix, *_outline(item, indent + 1)]
        elif isinstance(item, list):
            lines.append(f"{prefix} {', '.join(map(str, item)) or '-'}")
        else:
            lines.append(f"{prefix} {item if item not in ('', {}) else '-'}")
    return lines


def _say(line: str) -> None:
    print(f"ser-edge: {line}", file=sys.stderr, flush=True)
