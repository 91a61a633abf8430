"""``ser-bench accuracy``: how well model files do."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.arguments import add_corpora, add_format, positive
from benchmarks.pictures import require_drawable
from edge_runtime.backends import BACKEND_NAMES, BACKENDS
from edge_runtime.errors import SerEdgeError

if TYPE_CHECKING:
    from benchmarks.accuracy_selection import Selection
    from edge_runtime.classifier import Classifier

CONDITION_KINDS = ("clean", "noise", "rooms")


def add_parser(commands: Any) -> None:
    """Add ``accuracy`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "accuracy",
        help="judge model files: on utterances and streams, clean, in noise and in rooms",
        usage="ser-bench accuracy [RUN] MODEL... [options]",
    )
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        metavar="MODEL",
        help=".tflite or .onnx files, judged on the test speakers that they name themselves; or, "
        "after the folder of a run that ser-train wrote, on that run's test utterances",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="CORPUS",
        help="judge on these, without the speakers that a model was trained or selected on",
    )
    parser.add_argument(
        "--include-training-speakers",
        action="store_true",
        help="with them: how well known voices are told, which says nothing about others",
    )
    add_corpora(parser)
    parser.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help="utterances, drawn in proportion of every corpus and class (default: all)",
    )
    parser.add_argument(
        "--backend",
        choices=("auto", *BACKEND_NAMES),
        default="auto",
        help="the interpreter (default: the first that is installed)",
    )
    parser.add_argument(
        "--conditions",
        nargs="+",
        choices=CONDITION_KINDS,
        default=["clean"],
        metavar="KIND",
        help="of clean, noise (at 20, 10, 5 and 0 dB) and rooms (each impulse response); clean "
        "always is among them (default: clean)",
    )
    parser.add_argument(
        "--stream",
        action="store_true",
        help="also as rolling streams: time to the first right decision, flips per minute",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes, -1 for one per core (default: 1)",
    )
    parser.add_argument(
        "--store", type=Path, metavar="FILE.json", help="keep the result, every prediction included"
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE.png",
        help="draw how sure the models are of what is right: reliability, and how much is right "
        "of what is answered at each rejection threshold",
    )
    add_format(parser)
    parser.set_defaults(work=accuracy, wrong_usage=parser.error)


def accuracy(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench accuracy``."""
    # The libraries of training, which the other commands do without.
    from benchmarks.accuracy import judge
    from benchmarks.accuracy_selection import sample
    from benchmarks.accuracy_tables import as_text
    from benchmarks.results import store
    from benchmarks.sound_conditions import find_conditions
    from edge_runtime.classifier import Classifier
    from train.corpora import corpora_folder, corpora_folder_for

    require_drawable(arguments.plot, (".png",))
    run, models = _run_and_models(arguments)
    if arguments.data and arguments.conditions == ["clean"]:
        corpora = corpora_folder_for(arguments.data, arguments.corpora)
    else:  # a model names corpora itself; noise and rooms lie beside them
        corpora = corpora_folder(arguments.corpora)
    classifiers = [Classifier(path, arguments.backend) for path in models]
    selection = _selected(run, classifiers, corpora, arguments)
    if arguments.limit:
        selection = sample(selection, arguments.limit)
    conditions = find_conditions(corpora, arguments.conditions)
    result = judge(selection, classifiers, conditions, arguments.stream, arguments.jobs)
    if arguments.store:
        store(result, arguments.store)
    print(json.dumps(result) if arguments.format == "jsonl" else as_text(result))
    if arguments.plot:
        from benchmarks.accuracy_plot import sureness
        from train.output_files import write_bytes

        write_bytes(arguments.plot, sureness(result))
    return 0


def _run_and_models(arguments: argparse.Namespace) -> tuple[Path | None, list[Path]]:
    """Tell the folder of a run, which may come first, from model files by their endings."""
    paths, data = arguments.paths, arguments.data or []
    if not paths:
        # ``--data CORPUS... MODEL...``: the option took the models for corpora.
        paths = [Path(name) for name in data if _is_model(Path(name))]
        arguments.data = [name for name in data if not _is_model(Path(name))]
    if not paths:
        arguments.wrong_usage("name a .tflite or .onnx file")
    first, *others = paths
    if _is_model(first):
        return None, paths
    if not others:
        raise SerEdgeError(f"{first}: is no model file; name a .tflite or .onnx file after it")
    for option, given in (
        ("--data", arguments.data),
        ("--include-training-speakers", arguments.include_training_speakers),
    ):
        if given:
            raise SerEdgeError(
                f"{first}: a run is judged on its own test utterances; leave out {option}, or "
                "the run"
            )
    return first, others


def _is_model(path: Path) -> bool:
    return path.suffix in BACKENDS and not path.is_dir()


def _selected(
    run: Path | None,
    classifiers: list[Classifier],
    corpora: Path,
    arguments: argparse.Namespace,
) -> Selection:
    from benchmarks.accuracy_selection import (
        of_corpora,
        of_run,
        own_test_speakers,
        require_of_run,
    )

    known_too = arguments.include_training_speakers
    if run:
        selection = of_run(run, corpora)
        require_of_run(classifiers, selection)
        return selection
    if arguments.data:
        return of_corpora(classifiers, corpora, arguments.data, known_too)
    return own_test_speakers(classifiers, corpora, known_too)
