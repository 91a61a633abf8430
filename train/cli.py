"""The command line of ``ser-train``."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError
from edge_runtime.program import run_program
from edge_runtime.quiet import quiet_libraries


def main(argv: list[str] | None = None) -> int:
    """Run ``ser-train`` and return its exit status."""
    return run_program("ser-train", _parser, argv, extra="train")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ser-train", description="Train emotion recognition models on speech corpora."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fit = commands.add_parser("fit", help="train a recipe on its own split, to use the model")
    _add_common(fit)
    fit.set_defaults(work=_fit)

    evaluate = commands.add_parser(
        "evaluate", help="train and judge a recipe on every split of a protocol"
    )
    _add_common(evaluate)
    evaluate.add_argument(
        "--protocol",
        required=True,
        metavar="NAME",
        help="ravdess-5fold, tess-loso, emodb-loso, tess-random or cross-corpus",
    )
    evaluate.set_defaults(work=_evaluate)

    corpora = commands.add_parser("corpora", help="say what the corpora's folders hold")
    corpora.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a corpus, folder:DIR or table:FILE.csv (default: every known corpus)",
    )
    _add_corpora(corpora)
    corpora.add_argument("--hours", action="store_true", help="also time the recordings")
    corpora.add_argument(
        "--format", choices=("text", "jsonl"), default="text", help="of the results (default: text)"
    )
    corpora.set_defaults(work=_corpora)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="name of a bundled recipe, or a .toml file")
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
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="of weights and batches (default: 0)"
    )


def _add_corpora(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--corpora",
        metavar="DIR",
        help="folder with one subfolder per corpus (default: $SER_EDGE_CORPORA)",
    )


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 1 << 32:
        raise argparse.ArgumentTypeError("must be 0 to 4294967295")
    return seed


def _fit(arguments: argparse.Namespace) -> int:
    from train.corpora import corpora_folder
    from train.recipe import load_recipe

    recipe, corpora = load_recipe(arguments.recipe), corpora_folder(arguments.corpora)
    _import_keras()
    from train.evaluate import fit_recipe

    folder = arguments.out / f"{recipe.name}-seed{arguments.seed}"
    figures = fit_recipe(recipe, corpora, arguments.cache, arguments.seed, folder)
    print(f"{folder / 'model.keras'}: {_summary(figures)}")
    for corpus, part in figures.get("by_corpus", {}).items():
        print(f"  {corpus}: {_summary(part)}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from train.corpora import corpora_folder
    from train.recipe import load_recipe
    from train.splits import PROTOCOLS

    if arguments.protocol not in PROTOCOLS:
        raise SerEdgeError(
            f"--protocol: unknown {arguments.protocol!r}; known are {', '.join(PROTOCOLS)}"
        )
    recipe, corpora = load_recipe(arguments.recipe), corpora_folder(arguments.corpora)
    _import_keras()
    from train.evaluate import evaluate_recipe

    folder = arguments.out / arguments.protocol / f"{recipe.name}-seed{arguments.seed}"
    figures = evaluate_recipe(
        recipe, arguments.protocol, corpora, arguments.cache, arguments.seed, folder
    )
    mean = sum(split["uar"] for split in figures.values()) / len(figures)
    print(
        f"{arguments.protocol}, seed {arguments.seed}: mean UAR {mean:.3f} over "
        f"{len(figures)} splits ({PROTOCOLS[arguments.protocol].description})"
    )
    return 0


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
    with quiet_libraries():
        import keras  # noqa: F401
