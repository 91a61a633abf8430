"""Looks at labelled recordings before anybody trains on them: counts, pictures and warnings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import LABELS
from train.audio import read_utterance
from train.corpora.utterance import Utterance
from train.corpus_warnings import CLIPPED_SHARE, duplicates, warnings_about
from train.jobs import require_jobs
from train.recording import Recording, measure_recording

REPORT_FILE = "explore.html"
EXAMPLE_RATE = 16000  # Hz, or less where the example has less
LEAST_RATE = 4000  # Hz, of an example
LEAST_EXAMPLE_SECONDS = 0.1
SECONDS_PER_HOUR = 3600.0
MEASURED = tuple(Recording.__dataclass_fields__)
Measured = dict[str, Any]


def measure(utterances: list[Utterance], jobs: int = 1) -> Measured:
    """Read every recording once and sum up what they are like.

    Parameters
    ----------
    utterances : list of Utterance
        What to read.
    jobs : int
        Number of processes; -1 is one per core.

    Returns
    -------
    dict
        As JSON types: ``utterances`` and ``readable`` (numbers), ``hours``, ``classes``,
        ``corpora`` and ``speakers`` (by name), ``sample_rates`` and ``channels`` (number of
        recordings by value), ``duplicates`` (paths, a list for each content), ``broken`` (path and
        reason), ``warnings`` (sentences) and ``files``: for each recording, in order, its corpus,
        name, emotion, speaker, error (None when it can be read) and the fields of
        `train.recording.Recording`, None when it cannot.

    Raises
    ------
    SerEdgeError
        When there is no utterance, or `jobs` is 0 or below -1.
    """
    require_jobs(jobs)
    if not utterances:
        raise SerEdgeError("there are no recordings to look at")
    tasks = (delayed(_measured)(utterance.path) for utterance in utterances)
    results = Parallel(n_jobs=jobs, return_as="generator")(tasks)
    bar = tqdm(results, total=len(utterances), desc="recordings", unit="utt", disable=None)
    files = [{**_identity(utterance), **values} for utterance, values in zip(utterances, bar)]
    return {**_summary(pd.DataFrame(files), utterances), "files": files}


def draw(measured: Measured, utterances: list[Utterance], folder: Path) -> Path:
    """Write the report about measured recordings.

    Parameters
    ----------
    measured : dict
        What `measure` gave for the same utterances.
    utterances : list of Utterance
        In the same order.
    folder : Path
        Where the report goes; made when absent.

    Returns
    -------
    Path
        ``explore.html``, which holds its pictures; they also lie beside it as ``classes.png``,
        ``durations.png``, ``levels.png``, ``speakers.png`` and an ``example_....png`` for each
        class.

    Raises
    ------
    SerEdgeError
        When the report cannot be written.
    """
    # matplotlib takes a moment to load, and measuring does without.
    from train.output_files import write_bytes
    from train.pages import inline, write_page

    pictures = _pictures(measured)
    examples = _examples(measured, utterances)
    for name, png in {**pictures, **{e["file"]: e["png"] for e in examples}}.items():
        write_bytes(folder / f"{name}.png", png)
    return write_page(
        folder / REPORT_FILE,
        "explore.html",
        measured=measured,
        hours=measured["hours"],
        pictures={name: inline(png) for name, png in pictures.items()},
        examples=[{**e, "picture": inline(e["png"])} for e in examples],
    )


def _measured(path: Path) -> dict[str, Any]:
    try:
        return {"error": None, **asdict(measure_recording(path))}
    except SerEdgeError as error:
        reason = str(error).removeprefix(f"{path}: ")
        return {"error": reason, **dict.fromkeys(MEASURED)}


def _identity(utterance: Utterance) -> dict[str, str]:
    return {
        "corpus": utterance.corpus,
        "name": utterance.name,
        "emotion": utterance.emotion,
        "speaker": utterance.speaker,
    }


def _summary(files: pd.DataFrame, utterances: list[Utterance]) -> Measured:
    # A column without any value would hold objects, which do not compare with numbers.
    numbers = [name for name in MEASURED if name != "sha256"]
    files[numbers] = files[numbers].astype(float)
    readable = files[files["error"].isna()]
    paths = [str(utterance.path) for utterance in utterances]
    return {
        "utterances": len(files),
        "readable": len(readable),
        "hours": _hours(readable),
        "classes": {
            emotion: _group(files[files["emotion"] == emotion])
            for emotion in _ordered(files["emotion"].unique())
        },
        "corpora": {
            corpus: {
                **_group(group),
                "classes": _counts(group["emotion"]),
                "sample_rates": _counts(group["sample_rate"]),
                "channels": _counts(group["channels"]),
            }
            for corpus, group in files.groupby("corpus", sort=False)
        },
        "speakers": {
            speaker: _counts(group["emotion"]) for speaker, group in files.groupby("speaker")
        },
        "sample_rates": _counts(files["sample_rate"]),
        "channels": _counts(files["channels"]),
        "duplicates": [[paths[row] for row in rows] for rows in duplicates(files)],
        "broken": [
            {"path": paths[row], "reason": files["error"][row]}
            for row in files.index[files["error"].notna()]
        ],
        "warnings": warnings_about(files),
    }


def _group(files: pd.DataFrame) -> dict[str, Any]:
    """Number, speakers, length and medians of some recordings."""
    # Where no speaker is known, the corpus stands in its place.
    speakers = set(files["speaker"]) - set(files["corpus"])
    return {
        "utterances": len(files),
        "speakers": len(speakers) or None,
        "hours": _hours(files),
        **{f"median_{name}": _median(files[name]) for name in ("seconds", "level_dbfs", "silence")},
        "clipped_recordings": int((files["clipped"] > CLIPPED_SHARE).sum()),
    }


def _hours(files: pd.DataFrame) -> float:
    return round(float(files["seconds"].sum()) / SECONDS_PER_HOUR, 4)


def _median(values: pd.Series) -> float | None:
    return None if values.isna().all() else round(float(values.median()), 4)


def _counts(values: pd.Series) -> dict[str, int]:
    """Number of each value, the most frequent first."""
    counted = values.dropna().value_counts()
    order = sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
    return {
        str(int(value)) if isinstance(value, float) else str(value): int(n) for value, n in order
    }


def _ordered(emotions: Iterable[str]) -> list[str]:
    """The project's labels in their order, then others by name."""
    rank = {label: place for place, label in enumerate(LABELS)}
    return sorted(emotions, key=lambda emotion: (rank.get(emotion, len(rank)), emotion))


def _pictures(measured: Measured) -> dict[str, bytes]:
    from train.corpus_plots import class_counts, durations, levels, speaker_balance

    emotions = list(measured["classes"])
    pictures = {
        "classes": class_counts(
            {corpus: group["classes"] for corpus, group in measured["corpora"].items()}, emotions
        ),
        "speakers": speaker_balance(measured["speakers"], emotions),
    }
    if measured["readable"]:
        level, silence = _by_class(measured, "level_dbfs"), _by_class(measured, "silence")
        peaks = [file["peak_dbfs"] for file in measured["files"] if not file["error"]]
        pictures["durations"] = durations(_by_class(measured, "seconds"))
        pictures["levels"] = levels(level, peaks, silence)
    return pictures


def _by_class(measured: Measured, name: str) -> dict[str, list[float]]:
    """Values of one measure by class, of the classes that have a readable recording."""
    values: dict[str, list[float]] = {emotion: [] for emotion in measured["classes"]}
    for file in measured["files"]:
        if not file["error"]:
            values[file["emotion"]].append(file[name])
    return {emotion: found for emotion, found in values.items() if found}


def _examples(measured: Measured, utterances: list[Utterance]) -> list[dict[str, Any]]:
    """A recording of each class, as long as most, drawn."""
    from train.corpus_plots import example

    examples = []
    for number, emotion in enumerate(measured["classes"], start=1):
        place = _typical(measured["files"], emotion)
        if place is None:
            continue
        utterance, file = utterances[place], measured["files"][place]
        rate = min(EXAMPLE_RATE, file["sample_rate"])
        title = f"{emotion}: {utterance.corpus}/{utterance.name}"
        png = example(read_utterance(utterance.path, rate), rate, title)
        plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in emotion)
        examples.append({"file": f"example_{number}_{plain}", "title": title, "png": png})
    return examples


def _typical(files: list[dict[str, Any]], emotion: str) -> int | None:
    """Where the recording of a class of the median length is, None where none can be drawn."""
    candidates = [
        place
        for place, file in enumerate(files)
        if file["emotion"] == emotion
        and not file["error"]
        and file["seconds"] >= LEAST_EXAMPLE_SECONDS
        and file["sample_rate"] >= LEAST_RATE
    ]
    candidates.sort(key=lambda place: (files[place]["seconds"], place))
    return candidates[len(candidates) // 2] if candidates else None
