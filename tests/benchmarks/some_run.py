"""A run folder as ser-train leaves it, for the tests of what measures one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_runtime.metadata import LABELS
from train.corpora import read_corpora

# Whom the bundled model never heard.
SPEAKERS = ("EmoDB-03", "EmoDB-16")


def write_run(corpora: Path, folder: Path) -> Path:
    """Write one below a folder, with two speakers of EmoDB as its test part and no model yet."""
    predictions = [
        {"corpus": "EmoDB", "name": u.name, "target": LABELS.index(u.emotion)}
        for u in read_corpora(corpora, ["EmoDB"])
        if u.speaker in SPEAKERS and u.emotion in LABELS
    ]
    run = folder / "cross-corpus" / "edge-seed0" / "test-EmoDB"
    run.mkdir(parents=True)
    described: dict[str, Any] = {
        "protocol": "two speakers",
        "split": "test-EmoDB",
        "seed": 0,
        "labels": list(LABELS),
        "speakers": {"test": list(SPEAKERS)},
        "versions": {},
        "recipe": {"name": "edge"},
        "predictions": predictions,
    }
    (run / "run.json").write_text(json.dumps(described))
    return run
