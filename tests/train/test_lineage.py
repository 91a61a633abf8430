"""A start whose model has heard the tested voices before is told of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from train.evaluate import fit_recipe
from train.lineage import start_of
from train.recipe import Training, Transfer

KNOWN = ("RAVDESS-01", "RAVDESS-02", "RAVDESS-04", "TESS-OAF")
STEPS = Training(steps=2, batch_size=4)


def stored(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def test_start_knows_whom_it_was_trained_and_selected_on(tiny_run):
    start = start_of(Transfer(str(tiny_run)))
    assert start.speakers == KNOWN
    assert len(start.digest) == 64


def test_same_split_says_nothing_about_a_leak(tiny_run, tiny_recipe, place, tmp_path, capfd):
    recipe = replace(tiny_recipe, training=STEPS).starting_from(str(tiny_run), "nothing")
    fit_recipe(recipe, place, 0, tmp_path / "run")
    assert stored(tmp_path / "run")["warnings"] == []
    assert "warning" not in capfd.readouterr().err


def test_tested_on_voices_that_the_start_knows(tiny_run, tiny_recipe, place, tmp_path, capfd):
    recipe = replace(
        tiny_recipe,
        training=STEPS,
        validation_speakers=("RAVDESS-03",),
        test_speakers=("RAVDESS-02", "TESS-OAF", "TESS-YAF"),
        corpora=("RAVDESS", "TESS"),
    ).starting_from(str(tiny_run), "nothing")
    fit_recipe(recipe, place, 0, tmp_path / "run")
    (warning,) = stored(tmp_path / "run")["warnings"]
    assert warning == (
        "The model that it starts from was trained or selected on speakers of the test part "
        "(RAVDESS-02, TESS-OAF): this figure says nothing about unknown voices."
    )
    assert f"warning: {warning}\n" in capfd.readouterr().err
    assert warning in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    # Whoever starts from this run inherits what the first one knew.
    again = start_of(Transfer(str(tmp_path / "run")))
    assert again.speakers == tuple(sorted({*KNOWN, "RAVDESS-03"}))


def test_start_that_does_not_say(tiny_run, tmp_path):
    fields = json.loads((tiny_run / "ser_edge.json").read_text(encoding="utf-8"))
    fields["provenance"] = {}
    (tmp_path / "ser_edge.json").write_text(json.dumps(fields), encoding="utf-8")
    (tmp_path / "model.keras").write_bytes(b"any")
    start = start_of(Transfer(str(tmp_path)))
    assert start.speakers is None
    (warning,) = start.warnings([])
    assert "does not say whose voices" in warning


@pytest.mark.parametrize("transfer", [None, Transfer("nowhere")])
def test_no_start(transfer):
    start = start_of(transfer)
    assert (start.digest, start.speakers, start.warnings([])) == ("", (), [])
