"""What one interpreter makes of a model: run by every Python that the tests compare.

``answer.py FOLDER OUTPUT.npz``: the folder holds the model, windows, sound and single operators
that `interpreters.Subject` wrote.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime import Classifier
from edge_runtime.backends import INTERPRETER_MODULES, quantise


def main(folder: Path, output: Path) -> None:
    classifier = Classifier(folder / "model.tflite")
    module = importlib.import_module(INTERPRETER_MODULES[classifier.backend.name])
    windows, steps = np.load(folder / "windows.npy"), np.load(folder / "steps.npy")
    reference = _interpreter(module, folder / "model.tflite", module.OpResolverType.BUILTIN_REF)
    scale, zero_point = reference.get_output_details()[0]["quantization"]
    scores = np.stack([classifier.backend.run(window)[0] for window in windows])
    results = {
        "frames": classifier.extractor.frames(np.load(folder / "sound.npy")),
        "scores": quantise(scores, scale, zero_point, np.int8),
        "reference": np.stack([_invoke(reference, [step[None]])[0] for step in steps]),
    }
    for part in sorted(folder.glob("operators/*.tflite")):
        results[part.stem] = _operator(module, part)
    np.savez(output, **results)


def _operator(module: Any, part: Path) -> np.ndarray:
    interpreter = _interpreter(module, part, module.OpResolverType.AUTO)
    with np.load(part.with_suffix(".npz")) as archive:
        inputs = [archive[name] for name in archive.files]
    return np.stack([_invoke(interpreter, values) for values in zip(*inputs)])


def _interpreter(module: Any, path: Path, kernels: Any) -> Any:
    interpreter = module.Interpreter(str(path), experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    return interpreter


def _invoke(interpreter: Any, values: Any) -> np.ndarray:
    for details, value in zip(interpreter.get_input_details(), values):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    output: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return output.copy()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
