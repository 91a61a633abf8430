"""The command line of ``ser-train``."""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import SerEdgeError
from edge_runtime.program import run_program
from edge_runtime.quiet import quiet_libraries

if TYPE_CHECKING:
    from train.evaluate import Place

# Keras does without them where they are missing. Here it need not find them, for nothing of what it
# offers with them is used, and importing them takes longer than all else before training begins.
NOT_FOR_KERAS = ("sklearn", "pandas", "matplotlib")
MOST_SEED = (1 << 32) - 1  # what Keras takes


def main(argv: list[str] | None = None) -> int:
    """Run ``ser-train`` and return its exit status."""
    return run_program("ser-train", make_parser, argv, extra="train")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of ``ser-train``."""
    parser = argparse.ArgumentParser(
        prog="ser-train", description="Train emotion recognition models on speech corpora."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_corpora_command(commands)
    _add_explore(commands)
    _add_fit(commands)
    _add_evaluate(commands)
    _add_search(commands)
    _add_ablate(commands)
    _add_predict(commands)
    _add_report(commands)
    return parser


def _add_corpora_command(commands: Any) -> None:
    corpora = commands.add_parser("corpora", help="say what the corpora's folders hold")
    _add_names(corpora)
    corpora.add_argument("--hours", action="store_true", help="also time the recordings")
    _add_format(corpora)
    corpora.set_defaults(work=_corpora)


def _add_explore(commands: Any) -> None:
    explore = commands.add_parser(
        "explore", help="draw what recordings hold: classes, speakers, lengths, levels, examples"
    )
    _add_names(explore)
    explore.add_argument(
        "--out",
        type=Path,
        default=Path("runs/explore"),
        metavar="DIR",
        help="where the report goes (default: runs/explore)",
    )
    _add_jobs(explore)
    _add_format(explore)
    explore.set_defaults(work=_explore)


def _add_fit(commands: Any) -> None:
    fit = commands.add_parser("fit", help="train a recipe on its own split, to use the model")
    _add_common(fit)
    fit.add_argument(
        "--data",
        nargs="+",
        metavar="NAME",
        help="corpora to train on in place of the recipe's, all their emotions, split by speakers "
        "where they are known: a corpus, folder:DIR or table:FILE.csv",
    )
    _add_labels(fit)
    fit.add_argument(
        "--start", metavar="RUN", help="run whose model to start from (default: random weights)"
    )
    fit.add_argument(
        "--freeze",
        choices=("nothing", "body"),
        default="nothing",
        help="with --start: what stays as it is, 'body' is all but the last, classifying layers "
        "(default: nothing)",
    )
    _add_format(fit)
    fit.set_defaults(work=_fit)


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser(
        "evaluate", help="train and judge a recipe on every split of a protocol"
    )
    _add_common(evaluate)
    evaluate.add_argument(
        "--protocol",
        required=True,
        metavar="NAME",
        help="ravdess-5fold, tess-loso, emodb-loso, tess-random or cross-corpus, as published; "
        "or, with --data: random, speaker (k folds), loso, leave-one-corpus-out, or cross-corpus "
        "(with --test-on)",
    )
    evaluate.add_argument(
        "--data", nargs="+", metavar="NAME", help="corpora: names, folder:DIR or table:FILE.csv"
    )
    evaluate.add_argument("--test-on", nargs="+", metavar="NAME", help="corpora to be tested on")
    _add_labels(evaluate)
    evaluate.add_argument("--folds", type=int, metavar="K", help="of speakers (default: 5)")
    evaluate.add_argument(
        "--seeds",
        type=_positive,
        default=1,
        metavar="K",
        help="how many seeds, counted from --seed (default: 1)",
    )
    _add_format(evaluate)
    evaluate.set_defaults(work=_evaluate)


def _add_search(commands: Any) -> None:
    search = commands.add_parser(
        "search", help="look for better values of a recipe, judged on its validation part alone"
    )
    _add_common(search)
    search.add_argument(
        "--trials",
        type=_positive,
        default=20,
        metavar="N",
        help="how many in all, those done before included (default: 20)",
    )
    search.set_defaults(work=_search)


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser("predict", help="score sound files with a run's model")
    predict.add_argument("files", type=Path, nargs="+", metavar="FILE", help="sound files")
    predict.add_argument(
        "--run", type=Path, metavar="DIR", help="the run (default: the latest below --runs)"
    )
    predict.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="where runs are stored (default: runs)",
    )
    _add_format(predict)
    predict.set_defaults(work=_predict)


def _add_report(commands: Any) -> None:
    report = commands.add_parser(
        "report", help="draw a run's report again, or one over all runs below a folder"
    )
    report.add_argument("folder", type=Path, metavar="DIR", help="a run, or a folder of runs")
    report.set_defaults(work=_report)


def _add_ablate(commands: Any) -> None:
    ablate = commands.add_parser(
        "ablate",
        help="say what each part of a recipe is worth: train variants, judged on validation",
    )
    ablate.add_argument("file", type=Path, help="the variants, a .toml file")
    _add_place(ablate)
    ablate.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="STEP",
        help="variants to train, so that several processes share the work (default: all)",
    )
    ablate.add_argument(
        "--store", type=Path, metavar="FILE.json", help="keep all results in one file"
    )
    _add_format(ablate)
    ablate.set_defaults(work=_ablate)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="name of a bundled recipe, or a .toml file")
    _add_place(parser)
    parser.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="of everything drawn: split, varied copies, weights, batches, values that a search "
        "tries (default: 0)",
    )


def _add_place(parser: argparse.ArgumentParser) -> None:
    _add_corpora(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="where runs are stored (default: runs)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("cache"),
        metavar="DIR",
        help="where features are kept (default: cache)",
    )
    _add_jobs(parser)
    parser.add_argument(
        "--dask",
        default="",
        metavar="ADDRESS",
        help="Dask scheduler that spreads the extraction of features in place of --jobs, "
        "tcp://HOST:PORT (default: none)",
    )


def _add_corpora(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--corpora",
        metavar="DIR",
        help="folder with one subfolder per corpus (default: $SER_EDGE_CORPORA)",
    )


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a corpus, folder:DIR or table:FILE.csv (default: every known corpus)",
    )
    _add_corpora(parser)


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=int,
        default=-1,
        metavar="N",
        help="processes that read recordings; -1 is one per core (default: -1)",
    )


def _add_labels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--labels",
        nargs="+",
        metavar="LABEL",
        help="with --data: the classes; other emotions are left out (default: all that occur)",
    )


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=("text", "jsonl"), default="text", help="of the results (default: text)"
    )


def _seed(text: str) -> int:
    return _whole(text, 0, MOST_SEED)


def _positive(text: str) -> int:
    return _whole(text, 1)


def _whole(text: str, least: int, most: float = math.inf) -> int:
    wanted = f"{least} or more" if most == math.inf else f"{least} to {most}"
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, {wanted}") from None
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"must be {wanted}")
    return number


def _fit(arguments: argparse.Namespace) -> int:
    from train.corpora import corpora_folder_for
    from train.recipe import load_recipe

    recipe = load_recipe(arguments.recipe)
    if arguments.data:
        folder = corpora_folder_for(arguments.data, arguments.corpora)
        recipe = recipe.on_data(tuple(arguments.data), tuple(arguments.labels or ()), folder)
    elif arguments.labels:
        raise SerEdgeError("--labels: needs --data NAME; a recipe names its own")
    if arguments.start:
        recipe = recipe.starting_from(arguments.start, arguments.freeze)
    elif arguments.freeze != "nothing":
        raise SerEdgeError("--freeze: needs --start RUN, a model of which to keep the body")
    place = _place(arguments, recipe.corpora)
    from train.evaluate import fit_recipe

    folder = arguments.out / f"{recipe.name}-seed{arguments.seed}"
    figures = fit_recipe(recipe, place, arguments.seed, folder)
    if arguments.format == "jsonl":
        print(json.dumps({"run": str(folder), "figures": figures}))
        return 0
    print(f"{folder}: {_summary(figures)}; see {folder / 'report.html'}")
    for corpus, by_corpus in figures.get("by_corpus", {}).items():
        print(f"  {corpus}: {_summary(by_corpus)}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from train.recipe import load_recipe
    from train.splits import protocol_of

    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    if seeds[-1] > MOST_SEED:
        raise SerEdgeError(
            f"--seeds: the last would be {seeds[-1]}, above {MOST_SEED}; ask for fewer"
        )
    recipe = load_recipe(arguments.recipe)
    protocol = protocol_of(
        arguments.protocol,
        arguments.data,
        arguments.test_on,
        arguments.folds,
        recipe.merge,
        arguments.labels,
    )
    place = _place(arguments, protocol.corpora)
    from train.evaluate import evaluate_recipe
    from train.figures import over_seeds
    from train.report import write_protocol_report

    name = arguments.protocol
    folder = arguments.out / name_of(
        name, arguments.data, arguments.test_on, arguments.folds, arguments.labels
    )
    means = []
    for seed in seeds:
        run = folder / f"{recipe.name}-seed{seed}"
        figures = evaluate_recipe(recipe, name, protocol, place, seed, run)
        report = write_protocol_report(run, f"{recipe.name}, {name}, seed {seed}")
        mean = over_seeds(list(figures.values()))
        means.append({key: value["mean"] for key, value in mean.items()})
        if arguments.format == "jsonl":
            result = {"protocol": name, "seed": seed, "mean": means[-1], "splits": figures}
            print(json.dumps({"run": str(run), **result}), flush=True)
            continue
        print(
            f"{name}, seed {seed}: mean UAR {means[-1]['uar']:.3f} over "
            f"{len(figures)} splits ({protocol.description}); see {report}",
            flush=True,
        )
    if len(means) > 1:
        _print_over_seeds(name, over_seeds(means), len(means), arguments.format)
    return 0


def _print_over_seeds(name: str, figures: dict[str, Any], seeds: int, form: str) -> None:
    if form == "jsonl":
        print(json.dumps({"protocol": name, "seeds": seeds, "over_seeds": figures}))
        return
    spreads = ", ".join(
        f"{title} {figures[key]['mean']:.3f} ± {figures[key]['std']:.3f}"
        for key, title in (("uar", "UAR"), ("wa", "WA"), ("macro_f1", "macro F1"), ("ece", "ECE"))
    )
    print(f"{name}, {seeds} seeds: {spreads}")


def name_of(
    protocol: str,
    data: list[str] | None,
    test_on: list[str] | None,
    folds: int | None = None,
    labels: list[str] | None = None,
) -> str:
    """Name of a folder for a protocol on some data.

    Examples
    --------
    >>> name_of("speaker", ["TESS", "folder:my/voices"], None, 10, ["happy", "sad"])
    'speaker-TESS-folder-my-voices-10folds-labels-happy-sad'
    """
    parts = [
        protocol,
        *(data or ()),
        *(["on", *test_on] if test_on else ()),
        *([f"{folds}folds"] if folds is not None else ()),
        *(["labels", *labels] if labels else ()),
    ]
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-") for part in parts)


def _search(arguments: argparse.Namespace) -> int:
    from train.recipe import load_recipe

    recipe = load_recipe(arguments.recipe)
    place = _place(arguments, recipe.corpora)
    from train.search import search

    folder = arguments.out / f"{recipe.name}-search-seed{arguments.seed}"
    best = search(recipe, place, arguments.seed, arguments.trials, folder)
    print(f"{best.path}: validation UAR {best.uar:.3f} after {best.trials} trials; train it with")
    print(f"  ser-train fit {best.path}")
    return 0


def _ablate(arguments: argparse.Namespace) -> int:
    _import_keras()
    from train.ablation import load_ablation, run_ablation, store, stored_results
    from train.ablation_table import as_text

    ablation = load_ablation(arguments.file)
    folder = arguments.out / f"ablation-{arguments.file.stem}"
    run_ablation(ablation, _place(arguments, ablation.corpora), folder, arguments.only)
    results = stored_results(ablation, folder)
    if arguments.store:
        store(results, arguments.store)
    if arguments.format == "jsonl":
        for result in results:
            print(json.dumps(result))
    else:
        print(as_text(results))
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    _import_keras()
    from train.predict import Predictor, latest_run

    predictor = Predictor(arguments.run or latest_run(arguments.runs))
    for path in arguments.files:
        scores = predictor.scores(path)
        if arguments.format == "jsonl":
            print(json.dumps({"file": str(path), "scores": scores}), flush=True)
        else:
            ranked = sorted(scores.items(), key=lambda item: -item[1])
            listed = ", ".join(f"{label} {score:.2f}" for label, score in ranked)
            print(f"{path}: {listed}", flush=True)
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from train.report import write_protocol_report, write_report

    if (arguments.folder / "run.json").is_file():
        print(write_report(arguments.folder))
    else:
        print(write_protocol_report(arguments.folder, arguments.folder.resolve().name))
    return 0


def _explore(arguments: argparse.Namespace) -> int:
    from train.corpora import ADAPTERS, corpora_folder_for, read_corpora, scan_corpus
    from train.explore import draw, measure

    folder = corpora_folder_for(arguments.names or ADAPTERS, arguments.corpora)
    names = arguments.names or [name for name in ADAPTERS if scan_corpus(folder, name).utterances]
    utterances = read_corpora(folder, names)
    measured = measure(utterances, arguments.jobs)
    report = draw(measured, utterances, arguments.out)
    if arguments.format == "jsonl":
        print(json.dumps({**measured, "report": str(report)}))
    else:
        print(f"{len(utterances)} utterances; see {report}")
    return 0


def _place(arguments: argparse.Namespace, names: Iterable[str]) -> Place:
    """Where recordings and features are; Keras is imported on the way."""
    from train.corpora import corpora_folder_for

    folder = corpora_folder_for(names, arguments.corpora)
    _import_keras()
    from train.cache import FeatureCache
    from train.evaluate import Place

    return Place(folder, FeatureCache(arguments.cache, arguments.jobs, arguments.dask))


def _corpora(arguments: argparse.Namespace) -> int:
    """Print every corpus; one that was asked for by name and is not there is a failure."""
    from train.corpora import ADAPTERS, corpora_folder, summarise

    folder = corpora_folder(arguments.corpora)
    missing = []
    for name in arguments.names or ADAPTERS:
        summary = summarise(folder, name, arguments.hours)
        if arguments.format == "jsonl":
            print(json.dumps(summary.to_dict()), flush=True)
        else:
            print("\n".join(summary.lines()), flush=True)
        if summary.missing and arguments.names:
            missing.append(name)
    if missing:
        raise SerEdgeError(f"no recordings of {', '.join(missing)}; see above where to get them")
    return 0


def _summary(figures: dict[str, Any]) -> str:
    return f"UAR {figures['uar']:.3f}, WA {figures['wa']:.3f}, {figures['utterances']} utterances"


def _import_keras() -> None:
    """Import Keras without TensorFlow's start-up notes, unless the user asked for them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_libraries(), _without(NOT_FOR_KERAS), _uncollected():
        import keras  # noqa: F401


@contextmanager
def _without(packages: Iterable[str]) -> Iterator[None]:
    """Make imports fail for packages that are not imported yet, as if they were not installed."""
    hidden = [name for name in packages if name not in sys.modules]
    # What Python's import system documents None to mean.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Spare imports the garbage collector, which would go through all that they have made so far.

    Nearly all of it stays until the program ends, and so is left alone afterwards too.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
