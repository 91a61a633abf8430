"""Convert, describe, verify, and only then put the file in its place."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from convert.fitted import FittedModel
from convert.runtime_version import least_tflite_runtime
from convert.targets import convert_in_child
from convert.verify import Comparison, compare
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import write_metadata

# Below this a converted model is not the model that was trained.
LEAST_AGREEMENT = 0.9


def convert(fitted: FittedModel, target: str, output: Path) -> Comparison:
    """Make one verified model file.

    Parameters
    ----------
    fitted : FittedModel
        What to convert.
    target : {"int8", "float32", "onnx"}
        What to make of it.
    output : Path
        Replaced as a whole when everything succeeded; else left as it was.

    Returns
    -------
    Comparison
        How the file departs from the float model; it is in the file's provenance too.

    Raises
    ------
    SerEdgeError
        When conversion fails, the result does not agree with the original, or it cannot be
        written.
    """
    working = output.with_name(f".{output.stem}.{os.getpid()}{output.suffix}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SerEdgeError(f"{output}: cannot be written ({error.strerror or error})") from error
    try:
        convert_in_child(fitted, target, working)
        comparison = compare(fitted, working)
        if comparison.agreement < LEAST_AGREEMENT:
            raise SerEdgeError(
                f"{output}: not written, for the {target} model gives another label than the "
                f"float model on {1 - comparison.agreement:.0%} of the windows; try --float32"
            )
        _describe(fitted, target, working, comparison)
        working.replace(output)
    except OSError as error:
        raise SerEdgeError(f"{output}: cannot be written ({error.strerror or error})") from error
    finally:
        working.unlink(missing_ok=True)
    return replace(comparison, size=output.stat().st_size)


def _describe(fitted: FittedModel, target: str, path: Path, comparison: Comparison) -> None:
    metadata = fitted.metadata
    conversion = {"target": target, "comparison": comparison.to_dict()}
    name, _, version = comparison.backend.partition(" ")
    # No older ONNX Runtime was tried; a .tflite file states its own least version.
    least = {name: version} if target == "onnx" else least_tflite_runtime(path)
    write_metadata(
        path,
        replace(
            metadata,
            provenance={**metadata.provenance, "conversion": conversion},
            least_runtime=least,
        ),
    )
