"""Convert, choose, verify, describe, and only then put the file in its place."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from convert import report as reports
from convert.attempts import Attempt, NotQuantisableError, attempts, layer_errors, make
from convert.calibration import NONE, Calibration, fit_calibration
from convert.child import ChildCrashedError
from convert.figures import departure, embedding_departure, judged
from convert.operators import operators_of
from convert.original import POSSIBLE
from convert.targets import TARGETS, Target
from convert.verify import (
    Ran,
    compared,
    others,
    primary_backend,
    require_known_operators,
    run_in,
    split,
)
from convert.workbench import Workbench
from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import OUTPUTS, read_metadata, write_metadata

# Below this a converted model is not the model that was trained.
LEAST_AGREEMENT = 0.9
# Below this its embedding tells other voices apart than that which was trained.
LEAST_CORRELATION = 0.95
# Half the lead of the best score that quantisation easily takes, which has steps of 1/256.
NEARLY_EVEN = 0.05
RECORDED_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "tf2onnx", "onnx", "onnxruntime")


@dataclass(frozen=True)
class _Tried:
    """A file that was made in one way, and how it did."""

    attempt: Attempt
    path: Path
    agreement: float
    ran: Ran


def convert(bench: Workbench, target: Target, output: Path) -> dict[str, Any]:
    """Make one verified model file, and its report beside it.

    Parameters
    ----------
    bench : Workbench
        The network and what it is calibrated and judged with.
    target : Target
        What to make of it.
    output : Path
        Replaced as a whole when everything succeeded; else left as it was.

    Returns
    -------
    dict
        The report, as JSON types: what the file's provenance holds, and more.

    Raises
    ------
    NotQuantisableError
        When the network cannot be quantised so; `with_fallback` makes something else of it.
    SerEdgeError
        When conversion fails, a back end refuses the result, it loses more than it may, or it
        cannot be written.
    """
    bench.original.require(target)
    working = bench.folder / f"made{target.suffix}"
    backend, python = primary_backend(bench, target.suffix)
    chosen, log = _choose(bench, target, working, backend, python)
    ran = chosen.ran
    calibration = NONE
    if bench.held_out:
        own = split(bench, ran.scores)["validation"]
        calibration = fit_calibration(bench.held_out["validation"], own, ran.result["step"])
    full = {
        "file": str(output),
        "target": target.name,
        "device": bench.settings.device.name,
        "original": str(bench.original.path),
        "settings": str(chosen.attempt) if target.is_calibrated else "",
        "attempts": log,
        **_size_and_operators(bench, working),
        **compared(bench, ran, calibration.temperature),
        "backends": _backends(bench, working, backend, ran),
        "calibration": {
            "temperature": calibration.temperature,
            "rejection_threshold": calibration.rejection_threshold,
            **calibration.report,
        },
        "representative": bench.representative.report(bench.original.metadata.labels)
        if target.is_calibrated
        else {},
        "layers": layer_errors(bench) if target.name == "int8" else [],
        "versions": _versions(),
    }
    _describe(bench, working, full, calibration)
    read_metadata(working)  # as the device will
    full["size"] = working.stat().st_size
    _put(working, output, full)
    return full


def with_fallback(
    bench: Workbench, target: Target, output: Path | None
) -> tuple[dict[str, Any], str]:
    """`convert`, and where the network cannot be quantised, convert to a dynamic range instead.

    Parameters
    ----------
    bench, target
        See `convert`.
    output : Path or None
        By default beside the original, named after the target that is made.

    Returns
    -------
    report : dict
        Of the file that was made.
    reason : str
        Why it is of another target, in a line; empty where it is not.
    """
    try:
        return convert(bench, target, output or default_output(bench, target)), ""
    except (NotQuantisableError, ChildCrashedError) as error:
        other = TARGETS["dynamic"]
        may = target.suffix == other.suffix and other.name in POSSIBLE[bench.original.kind]
        if not may or not target.is_calibrated:
            raise
        report = convert(bench, other, output or default_output(bench, other))
        return report, f"{error}; made with a dynamic range instead"


def default_output(bench: Workbench, target: Target) -> Path:
    """Beside the original: MODEL.int8.tflite."""
    name = bench.original.name
    return name.with_name(name.name + target.ending)


def _choose(
    bench: Workbench, target: Target, working: Path, backend: str, python: str
) -> tuple[_Tried, list[dict[str, Any]]]:
    """Try one group of ways after the other until one loses no more on validation than it may.

    Within a group the one that gives the float model's label most often is taken.
    """
    bench.original_scores("validation")  # what is wrong with the original is said first
    log: list[dict[str, Any]] = []
    for group in attempts(bench, target):
        tried = []
        for attempt in group:
            made = working.with_name(f"tried{len(log)}{working.suffix}")
            make(bench, target, attempt, made)
            ran = run_in(bench, made, backend, python)
            lost = _loss(bench, ran)
            log.append({"settings": str(attempt), **lost, "bytes": made.stat().st_size})
            if _is_enough(bench, lost):
                tried.append(_Tried(attempt, made, lost["agreement"], ran))
        if tried:
            best = max(tried, key=lambda one: one.agreement)  # the first of equals
            best.path.replace(working)
            return best, log
    raise SerEdgeError(_too_lossy(bench, target, log))


def _loss(bench: Workbench, ran: Ran) -> dict[str, Any]:
    """What is lost on validation: label agreement of windows and, with labels, UAR in points.

    And of an embedding, how it correlates with the original's.
    """
    original, scores = bench.original_scores("validation"), split(bench, ran.scores)["validation"]
    lost = {"agreement": departure(original, scores)["agreement"]}
    if bench.held_out:
        recordings = bench.held_out["validation"]
        before, after = (judged(recordings, one)["uar"] for one in (original, scores))
        lost["uar_drop"] = round(100.0 * (before - after), 2)
    embedding = bench.original_embedding("validation")
    if embedding is not None and ran.embedding is not None:
        of_validation = split(bench, ran.embedding)["validation"]
        lost["embedding"] = embedding_departure(embedding, of_validation)["correlation"]
    return lost


def _is_enough(bench: Workbench, lost: dict[str, Any]) -> bool:
    if lost["agreement"] < LEAST_AGREEMENT or lost.get("embedding", 1.0) < LEAST_CORRELATION:
        return False
    return bool(lost.get("uar_drop", 0.0) <= bench.settings.max_uar_drop)


def _too_lossy(bench: Workbench, target: Target, log: list[dict[str, Any]]) -> str:
    best = min(log, key=lambda one: (one.get("uar_drop", 0.0), -one["agreement"]))
    where = ""
    if target.name == "int8":
        rows = layer_errors(bench)[:3]
        named = ", ".join(f"{row['layer']} ({row['sqnr_db']:.0f} dB)" for row in rows)
        where = f"; its noisiest layers: {named}"
    if best["agreement"] < LEAST_AGREEMENT:
        lost = (
            f"gives another label than the float model on {1 - best['agreement']:.0%} of the "
            f"validation windows{_evenness(bench)}"
        )
    elif best.get("embedding", 1.0) < LEAST_CORRELATION:
        lost = f"keeps too little of the embedding (a correlation of {best['embedding']:.2f})"
    else:
        lost = (
            f"loses {best['uar_drop']:.1f} points of validation UAR, more than --max-uar-drop "
            f"{bench.settings.max_uar_drop:g}"
        )
    return (
        f"{bench.original.path}: not written, for the {target.name} model {lost} "
        f"({len(log)} ways tried){where}; try --int16, --dynamic or --float32"
    )


def _evenness(bench: Workbench) -> str:
    """Say where labels hang by so little that quantisation changes them: training did not end."""
    ranked = np.sort(bench.original_scores("validation"), axis=1)
    lead = float(np.median(ranked[:, -1] - ranked[:, -2]))
    if lead >= NEARLY_EVEN:
        return ""
    return (
        f", whose scores are nearly even (in half of them the best leads by less than {lead:.3f}): "
        "train it longer"
    )


def _size_and_operators(bench: Workbench, path: Path) -> dict[str, Any]:
    if path.suffix == ".onnx":
        return {"network_bytes": path.stat().st_size, "operators": _onnx_operators(path)}
    operators = operators_of(path)
    require_known_operators(bench, operators)
    return {
        "network_bytes": path.stat().st_size,
        "operators": operators.counts,
        "float_operators": operators.float_share,
        "least_runtime": operators.least_runtime,
    }


def _onnx_operators(path: Path) -> dict[str, int]:
    import onnx

    model = onnx.load(str(path))
    names = [node.op_type for node in model.graph.node]
    opset = {one.domain or "ai.onnx": one.version for one in model.opset_import}["ai.onnx"]
    return {f"{name} v{opset}": names.count(name) for name in sorted(set(names))}


def _backends(bench: Workbench, path: Path, first: str, own: Ran) -> dict[str, dict[str, Any]]:
    """How the file runs in each back end, the first in full and the others compared with it."""
    original = np.concatenate([bench.original_scores(part) for part in ("validation", "test")])
    table = {first: {**_timed(own.result), **departure(original, own.scores)}}
    for name, ran in others(bench, path, first).items():
        if isinstance(ran, str):
            table[name] = {"ran": False, "why": ran}
            continue
        apart = float(np.abs(ran.scores - own.scores).max())
        table[name] = {
            **_timed(ran.result),
            **departure(original, ran.scores),
            f"largest_difference_to_{first}": round(apart, 6),
        }
        if own.result["step"]:
            table[name][f"steps_from_{first}"] = round(apart / own.result["step"])
    return table


def _timed(result: dict[str, Any]) -> dict[str, Any]:
    kept = ("backend", "python", "latency_ms_p50", "latency_ms_p90")
    return {"ran": True, **{name: result[name] for name in kept}}


def _versions() -> dict[str, str]:
    installed = {package: _version(package) for package in RECORDED_PACKAGES}
    return {package: number for package, number in installed.items() if number}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _describe(bench: Workbench, path: Path, full: dict[str, Any], calibration: Calibration) -> None:
    metadata = bench.original.metadata
    if "fitted_on" in calibration.report:
        metadata = replace(
            metadata,
            temperature=calibration.temperature,
            rejection_threshold=calibration.rejection_threshold,
        )
    outputs = OUTPUTS if "embedding" in full else OUTPUTS[:1]
    # No older ONNX Runtime was tried.
    least = full.get("least_runtime") or {"onnxruntime": version("onnxruntime")}
    write_metadata(
        path,
        replace(
            metadata,
            outputs=outputs,
            provenance={**metadata.provenance, "conversion": reports.for_the_file(full)},
            least_runtime=least,
        ),
    )


def _put(working: Path, output: Path, full: dict[str, Any]) -> None:
    """Write the model and its report beside it: all of them, or none."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            # The model is entered first and so replaced last.
            model = stack.enter_context(replacing(output, _hidden(output)))
            model.write_bytes(working.read_bytes())
            for path, write in reports.files(output).items():
                write(full, stack.enter_context(replacing(path, _hidden(path))))
    except OSError as error:
        raise SerEdgeError(f"{output}: cannot be written ({error.strerror or error})") from error


def _hidden(path: Path) -> Path:
    """Where a file is written first; of each process its own."""
    return path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
