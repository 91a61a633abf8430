"""The report: what a person reads, what a machine reads, what the file itself tells."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from edge_runtime.cli import main as ser_edge

from .conftest import Converted


def beside(converted: Converted, ending: str):
    return converted.path.with_name(f"{converted.path.name}.report.{ending}")


def test_json_is_the_report(converted: Converted):
    stored = json.loads(beside(converted, "json").read_text(encoding="utf-8"))
    printed = dict(converted.report)
    assert stored == printed


def test_markdown_has_the_figures(int8: Converted):
    text = beside(int8, "md").read_text(encoding="utf-8")
    test = int8.report["test"]
    assert text.startswith("# model.int8.tflite\n")
    assert f"| test | {test['utterances']} | float | {test['before']['uar']:.4f} |" in text
    assert f"{int8.report['size'] / 1024:.1f} KB" in text
    assert "litert 2" in text
    for row in int8.report["layers"]:
        assert f"| {row['layer']} |" in text
    for name in int8.report["operators"]:
        assert name in text


def test_picture_shows_something(converted: Converted):
    with Image.open(beside(converted, "png")) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        assert len(picture.convert("L").getcolors(256) or []) > 10


def test_layers_are_named_the_noisiest_first(int8: Converted):
    ratios = [row["sqnr_db"] for row in int8.report["layers"]]
    assert ratios == sorted(ratios)
    assert any("conv2d" in row["layer"] for row in int8.report["layers"])


def test_int8_tells_what_it_was_calibrated_with(int8: Converted):
    representative = int8.report["representative"]
    # One input each of the training utterances: of OAF, and of actors 1 and 4.
    assert representative["utterances"] == sum(representative["by_label"].values())
    assert representative["speakers"] == 3
    assert 0.5 < representative["coverage"]["least"] <= 1.0
    assert len(representative["coverage"]["by_feature"]) == 20


def test_info_prints_where_a_file_comes_from(converted: Converted, capsys):
    assert ser_edge(["info", str(converted.path)]) == 0
    told = capsys.readouterr().out
    wanted = ["recipe: tiny", "licence: test", "protocol: ", "split: ", "seed: 0", "commit: "]
    wanted += [f"target: {converted.report['target']}", "temperature: ", "rejection_threshold: "]
    wanted += ["operators:", "backends:", "uar_drop: ", "ece: ", "versions:", "least_runtime:"]
    for text in wanted:
        assert text in told


def test_too_few_recordings_to_calibrate_with_are_named(int8: Converted):
    """Validation is one actor of 16 recordings here."""
    assert int8.report["calibration"]["temperature"] == 1.0
    assert "16 validation utterances" in int8.report["calibration"]["not_fitted"]


@pytest.mark.parametrize("ending", ["json", "md", "png"])
def test_every_file_has_a_report_of_its_own(all_converted, ending):
    files = {beside(one, ending) for one in all_converted.values()}
    assert len(files) == len(all_converted)
    assert all(path.is_file() for path in files)
