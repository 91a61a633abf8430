"""``ser-bench figures``: the pictures of docs/how-it-works.md, from real runs of the code."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.walkthrough import Walkthrough, walk_through
from benchmarks.walkthrough_plot import FIGURES

from ..train.tones import tone, write_wav
from .test_tables import ROOT, ser_bench

DEMO = ROOT / "examples" / "demo.wav"


@pytest.fixture(scope="module")
def walkthrough() -> Walkthrough:
    return walk_through(DEMO)


def test_it_keeps_what_the_device_computes(walkthrough: Walkthrough) -> None:
    heard = [hop for hop in walkthrough.hops if hop.scores is not None]
    assert heard
    assert {event.kind for event in walkthrough.events} == {"start", "update", "end"}
    # The daemon computes chunk by chunk what is computed here of the whole recording.
    first = walkthrough.hops[0]
    assert first.scores is not None
    at = round((first.end - walkthrough.window_seconds) / walkthrough.frame_seconds)
    np.testing.assert_allclose(walkthrough.int8_scores[at], list(first.scores.values()), atol=1e-3)


def test_the_float_scores_are_those_of_the_same_network(walkthrough: Walkthrough) -> None:
    before, after = walkthrough.float_scores, walkthrough.int8_scores
    assert before.shape == after.shape == (len(before), len(walkthrough.labels))
    assert np.any(before != after)
    assert np.mean(before.argmax(axis=1) == after.argmax(axis=1)) > 0.9


def test_the_command_draws_what_the_page_shows(tmp_path: Path) -> None:
    done = ser_bench("figures", "--out", tmp_path / "images")
    assert (done.returncode, done.stderr) == (0, "")
    page = (ROOT / "docs" / "how-it-works.md").read_text()
    shown = set(re.findall(r"\]\(images/([\w-]+\.png)\)", page))
    assert {path.name for path in (tmp_path / "images").iterdir()} == set(FIGURES) == shown
    for name in FIGURES:
        drawn = Image.open(tmp_path / "images" / name)
        assert drawn.size == Image.open(ROOT / "docs" / "images" / name).size


def test_the_same_run_gives_the_same_bytes(walkthrough: Walkthrough) -> None:
    for draw in FIGURES.values():
        picture = draw(walkthrough)
        assert picture == draw(walkthrough)
        assert Image.open(io.BytesIO(picture)).format == "PNG"


def test_a_recording_that_is_not_there_gets_one_line(tmp_path: Path) -> None:
    done = ser_bench("figures", "--sound", tmp_path / "none.wav", "--out", tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"ser-bench: {tmp_path / 'none.wav'}: there is no such file\n"


def test_a_recording_shorter_than_the_window_gets_one_line(tmp_path: Path) -> None:
    short = write_wav(tmp_path / "short.wav", tone(3, 0, seconds=1.0), rate=16000)
    done = ser_bench("figures", "--sound", short, "--out", tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"ser-bench: {short}: is shorter than the model's window of 2.05 s\n"
