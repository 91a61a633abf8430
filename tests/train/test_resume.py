"""A training that was killed goes on, and ends as if it had not been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .tones import RECIPE, write_tess

ROOT = Path(__file__).parents[2]
SER_TRAIN = "import sys; from train.cli import main; sys.exit(main())"
# What the time between checkpoints is set to, so that a test need not wait for one.
AT_EVERY_ROUND = f"import train.loop; train.loop.SECONDS_BETWEEN_CHECKPOINTS = -1.0; {SER_TRAIN}"
ON_WINDOWS = RECIPE.replace("steps = 20", "steps = 400").replace(
    "validation_interval = 10", "validation_interval = 8\naverage = 0.95"
)
ON_CLIPS = """
name = "clips"
architecture = "lstm"
corpora = ["TESS"]
split = "random"
examples = "clips"
window_frames = 40

[model]
units = 16
dropout = 0.5

[features]
kinds = ["mfcc", "rms", "zcr"]
sample_rate = 8000
frame_length = 256
hop_length = 128
fft_size = 256
n_mels = 24
n_mfcc = 13

[training]
epochs = 60
batch_size = 8
learning_rate = 3e-3
monitor = "accuracy"
patience = 40
reduce_patience = 3
reduce_factor = 0.7

[augmentation]
time_mask = 0.2
mixup = 0.2
"""


def command(recipe: Path, corpora: Path, out: str, code: str) -> list[str]:
    words = ("evaluate", recipe, "--protocol", "tess-random", "--corpora", corpora, "--out", out)
    return [sys.executable, "-c", code, *map(str, words), "--seed", "5"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@pytest.mark.parametrize("text", [ON_WINDOWS, ON_CLIPS], ids=["windows", "clips"])
def test_killed_training_ends_with_the_same_figure(tmp_path, text):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(text, encoding="utf-8")
    corpora = tmp_path / "corpora"
    write_tess(corpora / "TESS", words=("back", "bar", "base", "bath", "bean", "beg"))
    whole = command(recipe, corpora, "whole", SER_TRAIN)
    subprocess.run(whole, cwd=tmp_path, env=environment(), check=True, capture_output=True)

    killed = command(recipe, corpora, "killed", AT_EVERY_ROUND)
    kill_in_mid_training(killed, tmp_path)
    folder = tmp_path / "killed" / "tess-random" / f"{name_of(text)}-seed5" / "random"
    assert (folder / "checkpoint.npz").is_file()
    assert not (folder / "run.json").exists()
    resumed = subprocess.run(
        killed, cwd=tmp_path, env=environment(), check=True, capture_output=True, text=True
    )
    assert "resumed after round" in resumed.stderr
    assert not (folder / "checkpoint.npz").exists()

    one, other = (
        json.loads((path / "run.json").read_text())
        for path in (folder, Path(str(folder).replace("/killed/", "/whole/")))
    )
    assert one["predictions"] == other["predictions"]
    assert one["figures"] == other["figures"]
    assert one["history"] == other["history"]
    if text is ON_CLIPS:
        rates = [look["learning_rate"] for look in one["history"]]
        assert rates[-1] < rates[0], "the learning rate was never reduced: nothing is proved"


def name_of(text: str) -> str:
    return text.partition('name = "')[2].partition('"')[0]


def kill_in_mid_training(arguments: list[str], folder: Path) -> None:
    """SIGKILL when some rounds are done and many are not."""
    process = subprocess.Popen(
        arguments, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("round 12 of "):
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()


def test_damaged_checkpoint_is_said_and_training_begins_anew(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(ON_CLIPS.replace("epochs = 60", "epochs = 2"), encoding="utf-8")
    write_tess(tmp_path / "corpora" / "TESS")
    folder = tmp_path / "runs" / "tess-random" / "clips-seed5" / "random"
    folder.mkdir(parents=True)
    np.savez(folder / "checkpoint.npz", state=np.zeros(3))
    whole = (folder / "checkpoint.npz").read_bytes()
    (folder / "checkpoint.npz").write_bytes(whole[: len(whole) // 2])
    result = subprocess.run(
        command(recipe, tmp_path / "corpora", "runs", SER_TRAIN),
        cwd=tmp_path,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    assert "checkpoint.npz: is damaged" in result.stderr
    assert "training begins anew" in result.stderr
    assert (folder / "run.json").is_file()


def test_checkpoint_of_another_seed_is_left_alone(tmp_path):
    """The name of the folder is no proof of what is in it."""
    recipe = tmp_path / "mine.toml"
    recipe.write_text(ON_CLIPS, encoding="utf-8")
    write_tess(tmp_path / "corpora" / "TESS")
    arguments = command(recipe, tmp_path / "corpora", "runs", AT_EVERY_ROUND)
    kill_in_mid_training(arguments, tmp_path)
    runs = tmp_path / "runs" / "tess-random"
    (runs / "clips-seed5").rename(runs / "clips-seed6")
    result = subprocess.run(
        [*arguments[:-1], "6"],
        cwd=tmp_path,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    assert "resumed" not in result.stderr
