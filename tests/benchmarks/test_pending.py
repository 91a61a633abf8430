"""``ser-bench pending`` lists what ``make systems`` has still to do."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.pending import Pending, pending

from .test_tables import ser_bench


def stored(protocol: str, recipe: str, seed: int, splits: int) -> list[dict]:
    run = {"protocol_name": protocol, "recipe": recipe, "seed": seed}
    return [{**run, "split": f"split{number}"} for number in range(splits)]


def test_what_lacks_a_split_is_pending_first_seeds_first():
    runs = [
        *stored("tess-random", "a", 0, 1),
        *stored("tess-loso", "a", 0, 2),
        *stored("ravdess-5fold", "a", 0, 4),
        *stored("emodb-loso", "a", 0, 10),
        *stored("tess-random", "a", 1, 1),
        *stored("tess-random", "b", 1, 1),
    ]
    assert pending({"systems": runs}, ["a"], range(2)) == [
        Pending("ravdess-5fold", "a", 0),
        Pending("tess-loso", "a", 1),
        Pending("ravdess-5fold", "a", 1),
        Pending("emodb-loso", "a", 1),
    ]


def test_nothing_is_stored_yet():
    assert len(pending({}, ["a", "b"], range(3))) == 2 * 3 * 4


def test_command_gives_a_line_for_each(tmp_path: Path) -> None:
    folder = tmp_path / "systems" / "tess-random"
    folder.mkdir(parents=True)
    (run,) = stored("tess-random", "edge", 5, 1)
    (folder / "edge-seed5-random.json").write_text(json.dumps(run), encoding="utf-8")
    result = ser_bench("pending", "edge", "--seed", 5, "--seeds", 1, "--results", tmp_path)
    assert result.stdout.splitlines() == [
        "tess-loso edge 5",
        "ravdess-5fold edge 5",
        "emodb-loso edge 5",
        "cross-corpus edge 5",
    ]
