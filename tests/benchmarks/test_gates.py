"""``ser-bench gates`` says how surely gates open for speech, and what they cost."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks.gates import CORPORA, LEVELS_DBFS, SNRS_DB, add_parser, as_text
from edge_runtime.errors import SerEdgeError


def run(*arguments: object) -> int:
    """What ``ser-bench gates`` does."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["gates", *map(str, arguments)])
    return int(parsed.work(parsed))


def test_opening_and_cost_are_measured(
    corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = tmp_path / "gates.json"
    arguments = ("--corpora", corpora, "--utterances", 3, "--format", "jsonl", "--store", stored)
    assert run(*arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads(stored.read_text())
    assert result["utterances"] == dict.fromkeys(CORPORA, 3)
    assert len(result["opened"]) == len(CORPORA) * len(LEVELS_DBFS) * len(SNRS_DB)
    clean = [one for one in result["opened"] if one["noise"] == "clean"]
    assert all(one["opened"] == 1.0 and 0.0 < one["delay_p50"] < 1.5 for one in clean)
    cost = result["cost"]["energy"]
    assert 0.0 < cost["silence"] < cost["speech"]
    lines = as_text(result).splitlines()
    assert len(lines) == 2 + len(result["opened"]) + 1 + 2 + 1
    assert lines[-1].startswith("| energy |")


def test_no_utterances_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SerEdgeError, match="--utterances must be at least 1, not 0"):
        run("--corpora", tmp_path, "--utterances", 0)
