"""Reports of training runs, for people: one page with figures, pictures and origin.

Every figure is computed anew from the stored predictions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from train.figures import AVERAGED, figures_by_corpus, figures_of, over_seeds
from train.output_files import write_bytes
from train.pages import inline, write_page
from train.plots import class_bars, confusion_matrix, reliability_diagram, training_curves
from train.toml_text import to_toml

RUN_FILE, REPORT_FILE = "run.json", "report.html"
MOST_CONFUSIONS = 8
MOST_MISTAKES = 10
MEASURES = dict(zip(AVERAGED, ("UAR", "WA", "macro F1", "ECE")))
Run = dict[str, Any]


def write_report(folder: Path) -> Path:
    """Write the report of one run beside its ``run.json``.

    Parameters
    ----------
    folder : Path
        A folder that ser-train wrote.

    Returns
    -------
    Path
        ``report.html``, which holds its pictures; they also lie beside it as
        ``training_curves.png``, ``confusion_matrix.png``, ``reliability.png`` and
        ``class_bars.png``.

    Raises
    ------
    SerEdgeError
        When the folder holds no run or a damaged one, or cannot be written.
    """
    run = read_run(folder)
    labels = run["labels"]
    targets, scores = _judged(run)
    corpora = [prediction.get("corpus", "") for prediction in run["predictions"]]
    figures = figures_by_corpus(corpora, targets, scores, tuple(labels))
    pictures = {
        "training_curves": training_curves(run["history"]),
        **_pictures(figures, labels),
    }
    return write_page(
        folder / REPORT_FILE,
        "report.html",
        name=run["recipe"].get("name", folder.name),
        run=run,
        figures=figures,
        classes=_class_rows(figures, labels),
        confusions=confusions_in_words(figures["confusion"], labels),
        mistakes=_mistakes(run, targets, scores),
        recipe=to_toml(run["recipe"]),
        pictures=_store(folder, pictures),
    )


def write_protocol_report(folder: Path, name: str) -> Path:
    """Write one report over all runs below a folder.

    Parameters
    ----------
    folder : Path
        Holds the runs' folders, directly or one folder deeper (a seed's splits).
    name : str
        Of the protocol, for the title.

    Returns
    -------
    Path
        ``report.html`` in `folder`; its pictures lie beside it as ``confusion_matrix.png``,
        ``reliability.png`` and ``class_bars.png``.

    Raises
    ------
    SerEdgeError
        When there is no run, one is damaged, or the report cannot be written.
    """
    found = sorted([*folder.glob(f"*/{RUN_FILE}"), *folder.glob(f"*/*/{RUN_FILE}")])
    if not found:
        raise SerEdgeError(f"{folder}: holds no runs; ser-train evaluate makes them")
    runs = [read_run(path.parent) for path in found]
    for run, path in zip(runs, found):
        run["folder"] = path.parent.relative_to(folder).as_posix()
        run["figures"] = figures_of(*_judged(run), tuple(run["labels"]))
    labels = _all_labels(runs)
    pooled = figures_of(*_pooled(runs, labels), tuple(labels))
    average, spread = _average(runs)
    return write_page(
        folder / REPORT_FILE,
        "protocol.html",
        name=name,
        runs=runs,
        protocols=_unique(run["protocol"] for run in runs),
        warnings=_unique(warning for run in runs for warning in run["warnings"]) + _mixed(runs),
        measures=MEASURES,
        average=average,
        spread=spread,
        means=_mean_rows(runs),
        pooled=pooled,
        confusions=confusions_in_words(pooled["confusion"], labels),
        pictures=_store(folder, _pictures(pooled, labels)),
    )


def read_run(folder: Path) -> Run:
    """Read a run's ``run.json``, with empty values for what it does not record.

    Raises
    ------
    SerEdgeError
        When there is none, or it is damaged.
    """
    path = folder / RUN_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        labels, predictions = list(stored["labels"]), list(stored["predictions"])
        fits = all(
            len(one["scores"]) == len(labels) and 0 <= one["target"] < len(labels)
            for one in predictions
        )
        if not (fits and labels and predictions):
            raise ValueError("its predictions do not fit its labels")
    except FileNotFoundError as error:
        raise SerEdgeError(f"{folder}: no {RUN_FILE}; ser-train writes one when done") from error
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SerEdgeError(f"{path}: is damaged ({error}); train again") from error
    absent: Run = {
        "recipe": {},
        "split": folder.name,
        "protocol": "The protocol was not recorded.",
        "seed": "not recorded",
        "speakers": {},
        "versions": {},
        "finished": "not recorded",
        "history": [],
        "warnings": [],
        "commit": "",
    }
    return {**absent, **stored}


def confusions_in_words(matrix: list[list[int]], labels: list[str]) -> list[str]:
    """Say which classes are most often taken for which.

    Parameters
    ----------
    matrix : list of list of int, shape (n_labels, n_labels)
        Number of utterances; rows are the truth.
    labels : list of str
        The classes.

    Returns
    -------
    list of str
        A sentence for each of the eight largest shares of a class that go to another.
    """
    wrong = [
        (count / sum(row), count, sum(row), labels[truth], labels[guess])
        for truth, row in enumerate(matrix)
        for guess, count in enumerate(row)
        if guess != truth and count
    ]
    # Stable: equal ones stay in the order of the labels.
    wrong.sort(key=lambda one: (-one[0], -one[1]))
    return [
        f"Of {total} {truth} utterances {count} ({share:.0%}) "
        f"{'was' if count == 1 else 'were'} taken for {guess}."
        for share, count, total, truth, guess in wrong[:MOST_CONFUSIONS]
    ]


def _judged(run: Run) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Targets and scores of a run's test utterances."""
    predictions = run["predictions"]
    targets = np.array([one["target"] for one in predictions], dtype=np.int64)
    return targets, np.array([one["scores"] for one in predictions], dtype=np.float32)


def _pictures(figures: dict[str, Any], labels: list[str]) -> dict[str, bytes]:
    return {
        "confusion_matrix": confusion_matrix(figures["confusion"], labels),
        "reliability": reliability_diagram(figures["reliability"], figures["ece"]),
        "class_bars": class_bars(figures, labels),
    }


def _store(folder: Path, pictures: dict[str, bytes]) -> dict[str, str]:
    """Write pictures into a folder and give the addresses for a page."""
    for name, png in pictures.items():
        write_bytes(folder / f"{name}.png", png)
    return {name: inline(png) for name, png in pictures.items()}


def _class_rows(figures: dict[str, Any], labels: list[str]) -> list[dict[str, Any]]:
    kinds = ("precision", "recall", "f1", "class_accuracy")
    return [
        {
            "label": label,
            **{kind: figures[kind].get(label) for kind in kinds},
            "count": sum(figures["confusion"][index]),
        }
        for index, label in enumerate(labels)
    ]


def _mistakes(
    run: Run, targets: NDArray[np.int64], scores: NDArray[np.float32]
) -> list[dict[str, Any]]:
    """The wrong guesses with the highest scores, the most confident first."""
    guesses, labels = scores.argmax(axis=1), run["labels"]
    confidence = scores.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = [index for index in order if guesses[index] != targets[index]]
    return [
        {
            "corpus": run["predictions"][index].get("corpus", ""),
            "name": run["predictions"][index].get("name", ""),
            "truth": labels[targets[index]],
            "guess": labels[guesses[index]],
            "confidence": float(confidence[index]),
            "truth_score": float(scores[index, targets[index]]),
        }
        for index in wrong[:MOST_MISTAKES]
    ]


def _all_labels(runs: list[Run]) -> list[str]:
    return _unique(label for run in runs for label in run["labels"])


def _pooled(runs: list[Run], labels: list[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Targets and scores of all runs over all their labels; a class a run lacks scores 0."""
    all_targets, all_scores = [], []
    for run in runs:
        columns = np.array([labels.index(label) for label in run["labels"]])
        targets, scores = _judged(run)
        wide = np.zeros((len(targets), len(labels)), dtype=np.float32)
        wide[:, columns] = scores
        all_targets.append(columns[targets])
        all_scores.append(wide)
    return np.concatenate(all_targets), np.concatenate(all_scores)


def _by_seed(runs: list[Run]) -> dict[str, list[dict[str, Any]]]:
    seeds: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        seeds.setdefault(str(run["seed"]), []).append(run["figures"])
    return seeds


def _average(runs: list[Run]) -> tuple[dict[str, Any], str]:
    """Mean and deviation over the seeds, each the mean of its splits; of one seed, its splits."""
    seeds = _by_seed(runs)
    if len(seeds) == 1:
        return over_seeds([run["figures"] for run in runs]), "over the runs of one seed"
    means = [
        {name: part["mean"] for name, part in over_seeds(figures).items()}
        for figures in seeds.values()
    ]
    return over_seeds(means), f"over {len(seeds)} seeds, each the mean of its splits"


def _mean_rows(runs: list[Run]) -> list[dict[str, Any]]:
    """Mean and deviation over the splits of each seed, over the seeds, and over all runs."""
    seeds = _by_seed(runs)
    rows = [
        {"title": f"seed {seed}: mean of {len(figures)}", "figures": over_seeds(figures)}
        for seed, figures in seeds.items()
    ]
    if len(seeds) > 1:
        average, spread = _average(runs)
        rows.append({"title": f"mean {spread}", "figures": average})
        everything = over_seeds([run["figures"] for run in runs])
        rows.append({"title": f"mean over all {len(runs)} runs", "figures": everything})
    return rows


def _mixed(runs: list[Run]) -> list[str]:
    """What makes the runs hard to compare, in words."""
    recipes = _unique(str(run["recipe"].get("name", "unknown")) for run in runs)
    if len(recipes) == 1:
        return []
    return [f"These are runs of several recipes, which are averaged here: {', '.join(recipes)}."]


def _unique(texts: Any) -> list[str]:
    """Each text once, in order of appearance."""
    return list(dict.fromkeys(texts))
