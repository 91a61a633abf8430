"""Converts training runs to every target, and keeps what each costs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.collect import RUN_NAME
from benchmarks.conversion_record import Record, made, not_made
from benchmarks.results import store
from convert.datasets import load_held_out, load_representative
from convert.devices import DEVICES
from convert.original import load_original
from convert.pipeline import with_fallback
from convert.targets import TARGETS, Target
from convert.workbench import Settings, Workbench
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import model_hash

KIND = "conversions"
# Where results of runs stand that belong to no protocol: a recipe's own split.
OWN_SPLIT = "own"
MODEL, REPRESENTATIVE, HELD_OUT = "model.keras", "representative.npz", "held_out.npz"


class Conversion(NamedTuple):
    """A run's conversion to one target.

    Attributes
    ----------
    run : dict
        Which run: ``recipe``, ``protocol_name``, ``seed``, ``split``.
    target : str
        What was asked for.
    record : dict
        What is stored of it, see `benchmarks.conversion_record`.
    is_new : bool
        Whether it was made now, or stored before.
    """

    run: dict[str, Any]
    target: str
    record: Record
    is_new: bool


def convert_run(
    folder: Path, targets: Sequence[str], results: Path, again: bool = False
) -> Iterator[Conversion]:
    """Convert a training run to each target; every one is stored as soon as it is made.

    Nothing is left in the run's folder. A back end that is not at hand is noted, and so is a
    target that the run cannot be converted to.

    Parameters
    ----------
    folder : Path
        What ser-train wrote, with ``run.json``, ``model.keras``, ``ser_edge.json``,
        ``representative.npz`` and ``held_out.npz``.
    targets : sequence of str
        Names of `convert.targets.TARGETS`.
    results : Path
        Stored results; a run goes to ``conversions/PROTOCOL/RECIPE-seedN-SPLIT.json``.
    again : bool
        Whether to convert to what is stored already, too.

    Yields
    ------
    Conversion
        What was stored before first, then each as it is made.

    Raises
    ------
    SerEdgeError
        When the folder holds no complete run, its model cannot be run, or what is stored of it is
        damaged or cannot be written.
    """
    run = _described(folder)
    path = _place(run, results)
    stored = _stored(path, run)
    wanted = [name for name in targets if again or name not in stored]
    for name in targets:
        if name not in wanted:
            yield Conversion(run, name, stored[name], is_new=False)
    if not wanted:
        return
    with _workbench(folder) as bench:
        # What is wrong with the run itself is no result of a target.
        bench.original_scores("test")
        for name in wanted:
            stored[name] = _converted(bench, TARGETS[name])
            in_order = {one: stored[one] for one in TARGETS if one in stored}
            store({**run, "targets": in_order}, path)
            yield Conversion(run, name, stored[name], is_new=True)


def _described(folder: Path) -> dict[str, Any]:
    """What a run is, without its targets."""
    path = folder / "run.json"
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        is_of_protocol = RUN_NAME.fullmatch(folder.resolve().parent.name)
        return {
            "recipe": run["recipe"]["name"],
            "architecture": run["recipe"]["architecture"],
            "parameters": run["parameters"],
            "protocol_name": folder.resolve().parents[1].name if is_of_protocol else OWN_SPLIT,
            "protocol": run["protocol"],
            "split": run["split"],
            "seed": run["seed"],
            "commit": run["commit"],
            "finished": run["finished"],
            "model": model_hash(folder / MODEL),
        }
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise SerEdgeError(
            f"{folder}: holds no {missing}; name a folder of one run that ser-train finished"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SerEdgeError(f"{path}: is damaged ({error}); train again") from error


def _place(run: dict[str, Any], results: Path) -> Path:
    name = f"{run['recipe']}-seed{run['seed']}-{run['split']}.json"
    return results / KIND / str(run["protocol_name"]) / name


def _stored(path: Path, run: dict[str, Any]) -> dict[str, Record]:
    """The targets that are stored of this very model."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        is_same, targets = result["model"] == run["model"], dict(result["targets"])
        return targets if is_same else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SerEdgeError(
            f"{path}: is damaged ({error}); delete it and convert the run again"
        ) from error


@contextmanager
def _workbench(folder: Path) -> Iterator[Workbench]:
    original = load_original(folder / MODEL, None, None)
    if not (folder / HELD_OUT).is_file():
        raise SerEdgeError(
            f"{folder}: holds no {HELD_OUT} to judge with; run the ser-train command that trained "
            "it again: it adds the file without training"
        )
    representative = load_representative(folder / REPRESENTATIVE, original.metadata)
    held_out = load_held_out(folder / HELD_OUT, original.metadata)
    with (
        TemporaryDirectory(prefix="ser-bench-") as made_in,
        closing(
            Workbench(original, representative, held_out, Settings(DEVICES["any"]), Path(made_in))
        ) as bench,
    ):
        yield bench


def _converted(bench: Workbench, target: Target) -> Record:
    folders = (bench.original.folder, bench.original.folder.resolve(), bench.folder)
    try:
        report, why = with_fallback(bench, target, bench.folder / f"model{target.ending}")
    except SerEdgeError as error:
        return not_made(error, folders)
    return made(report, why, folders)
