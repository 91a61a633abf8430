"""How well model files do on the test utterances of a training run, on the device's code path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from train.audio import read_utterance
from train.corpora import Utterance, read_corpora
from train.figures import figures_by_corpus

SCORE_DECIMALS = 3


def judge_run(run_folder: Path, models: list[Path], corpora: Path) -> dict[str, Any]:
    """Classify a run's test utterances with model files made from it.

    Every file goes the way of ``ser-edge classify``: the same front end, back end, quantisation
    and windows.

    Parameters
    ----------
    run_folder : Path
        A folder that ser-train wrote; its ``run.json`` names the test utterances.
    models : list of Path
        .tflite or .onnx files.
    corpora : Path
        Folder of the corpora.

    Returns
    -------
    dict
        The run's protocol, split and seed and, for each model file, size, back end, figures
        (`train.figures.figures_of`) and every prediction; as JSON types.

    Raises
    ------
    SerEdgeError
        When the run, a model or an utterance is missing, or they do not fit together.
    """
    run = _load_run(run_folder)
    labels = tuple(run["labels"])
    utterances = _find(run["predictions"], corpora)
    targets = np.array([prediction["target"] for prediction in run["predictions"]])
    names = [utterance.corpus for utterance in utterances]
    judged = {}
    for path in models:
        classifier = Classifier(path)
        if classifier.metadata.labels != labels:
            raise SerEdgeError(f"{path}: its labels are not those of the run in {run_folder}")
        # As they are stored, so that the figures follow from the stored scores exactly.
        scores = np.round(_scores(classifier, utterances), SCORE_DECIMALS)
        judged[path.name] = {
            "bytes": path.stat().st_size,
            "sha256": classifier.hash,
            "backend": f"{classifier.backend.name} {classifier.backend.version}",
            "conversion": classifier.metadata.provenance.get("conversion", {}),
            "figures": figures_by_corpus(names, targets, scores, labels),
            "scores": [[round(float(s), SCORE_DECIMALS) for s in row] for row in scores],
        }
    return {
        "recipe": run["recipe"]["name"],
        "protocol": run["protocol"],
        "split": run["split"],
        "seed": run["seed"],
        "labels": list(labels),
        "speakers": run["speakers"],
        "versions": run["versions"],
        "utterances": [f"{u.corpus}/{u.name}" for u in utterances],
        "targets": targets.tolist(),
        "models": judged,
    }


def _load_run(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise SerEdgeError(
            f"{folder}: no run.json; ser-train writes one when it is done"
        ) from error
    except (OSError, ValueError) as error:
        raise SerEdgeError(f"{folder / 'run.json'}: cannot be read ({error})") from error


def _find(predictions: list[dict[str, Any]], corpora: Path) -> list[Utterance]:
    """The utterances that the predictions name, in their order."""
    names = sorted({prediction["corpus"] for prediction in predictions})
    by_name = {(u.corpus, u.name): u for u in read_corpora(corpora, names)}
    try:
        return [by_name[prediction["corpus"], prediction["name"]] for prediction in predictions]
    except KeyError as error:
        raise SerEdgeError(f"{corpora}: lacks the test utterance {error}") from error


def _scores(classifier: Classifier, utterances: list[Utterance]) -> NDArray[np.float32]:
    rate = classifier.metadata.features.sample_rate
    rows = [
        classifier.clip_scores(read_utterance(utterance.path, rate))
        for utterance in tqdm(utterances, desc=classifier.path.name, unit="utt", disable=None)
    ]
    return np.stack(rows)
