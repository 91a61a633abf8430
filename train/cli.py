"""The command line of ``ser-train``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from edge_runtime.program import run_program


def main(argv: list[str] | None = None) -> int:
    """Run ``ser-train`` and return its exit status."""
    arguments = _parser().parse_args(argv)
    return run_program("ser-train", arguments.work, arguments)


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
        "--protocol", required=True, metavar="NAME", help="ravdess-5fold or tess-loso"
    )
    evaluate.set_defaults(work=_evaluate)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="name of a bundled recipe, or a .toml file")
    parser.add_argument(
        "--corpora",
        metavar="DIR",
        help="folder with one subfolder per corpus (default: $SER_EDGE_CORPORA)",
    )
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
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches (default: 0)")


def _fit(arguments: argparse.Namespace) -> int:
    from train.corpora import corpora_folder
    from train.recipe import load_recipe

    recipe, corpora = load_recipe(arguments.recipe), corpora_folder(arguments.corpora)
    _quieten_tensorflow()
    from train.evaluate import fit_recipe

    folder = arguments.out / f"{recipe.name}-seed{arguments.seed}"
    figures = fit_recipe(recipe, corpora, arguments.cache, arguments.seed, folder)
    print(f"{folder / 'model.keras'}: {_summary(figures)}")
    for corpus, part in figures.get("by_corpus", {}).items():
        print(f"  {corpus}: {_summary(part)}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from edge_runtime.errors import SerEdgeError
    from train.corpora import corpora_folder
    from train.recipe import load_recipe
    from train.splits import PROTOCOLS

    if arguments.protocol not in PROTOCOLS:
        raise SerEdgeError(
            f"--protocol: unknown {arguments.protocol!r}; known are {', '.join(PROTOCOLS)}"
        )
    recipe, corpora = load_recipe(arguments.recipe), corpora_folder(arguments.corpora)
    _quieten_tensorflow()
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


def _summary(figures: dict[str, Any]) -> str:
    return f"UAR {figures['uar']:.3f}, WA {figures['wa']:.3f}, {figures['utterances']} utterances"


def _quieten_tensorflow() -> None:
    """Keep TensorFlow's start-up notes out of the log, unless the user asked for them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
