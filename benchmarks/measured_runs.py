"""Commands that measure the converted models of training runs, and keep a result of each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.arguments import add_corpora, add_format, add_results
from benchmarks.results import store
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import model_hash

MODEL = "model.int8.tflite"
Result = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser, whose: str) -> None:
    """Add the runs and what all such commands take.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the command.
    whose : str
        Which runs, for the help.
    """
    parser.add_argument(
        "runs",
        type=Path,
        nargs="*",
        metavar="RUN",
        help=f"folders that ser-train wrote{whose}, each with its model converted to {MODEL}",
    )
    add_corpora(parser)
    parser.add_argument("--again", action="store_true", help="measure what is stored already, too")
    add_results(parser)
    add_format(parser)


def is_measured(
    run: Path,
    arguments: argparse.Namespace,
    folder: str,
    measure: Callable[[Path, Path, Path], Result],
    as_text: Callable[[Result], str],
) -> bool:
    """Measure a run, store and print what comes of it, unless it is stored; say what is wrong.

    Parameters
    ----------
    run : Path
        Its folder.
    arguments : argparse.Namespace
        With what `add_arguments` adds.
    folder : str
        Where it is stored, below the results.
    measure : callable
        Takes the run, its model and the folder of the corpora.
    as_text : callable
        Makes the result a text for people.

    Returns
    -------
    bool
        Whether there is a result.
    """
    # Not at the top: the base install has not what reads corpora.
    from train.corpora import corpora_folder

    name = f"{run.resolve().parent.name}-{run.resolve().name}.json"
    path = arguments.results / folder / name
    model = run / MODEL
    if path.is_file() and not arguments.again:
        print(f"{name}: stored earlier{_of_another(path, model)}", flush=True)
        return True
    try:
        if not model.is_file():
            raise SerEdgeError(
                f"{model}: no such file; ser-convert {run / 'model.keras'} --int8 makes it"
            )
        result = measure(run, model, corpora_folder(arguments.corpora))
        store(result, path)
    except SerEdgeError as error:
        print(f"ser-bench: {error}", file=sys.stderr, flush=True)
        return False
    print(json.dumps(result) if arguments.format == "jsonl" else as_text(result), flush=True)
    return True


def _of_another(stored: Path, model: Path) -> str:
    """Say so where a result is not of the model file that is there now."""
    try:
        same = json.loads(stored.read_text(encoding="utf-8"))["model"] == model_hash(model)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SerEdgeError(f"{stored}: is damaged ({error}); measure --again") from error
    return "" if same else ", of another model file; --again measures this one"
