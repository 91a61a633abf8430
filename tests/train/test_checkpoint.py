"""Checkpoints: what was kept comes back, and what does not fit is not gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from train import checkpoint
from train.checkpoint import CHECKPOINT, Checkpoint, remove_checkpoint

from ..disks import small_disk

NAMES = ("best", "average")
STATE = {"done": 3, "history": [{"loss": 0.5}]}


def network(units: int = 4, optimizer: str = "adam") -> keras.Model:
    """A small network after a step of training."""
    keras.utils.set_random_seed(units)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units), keras.layers.Dense(2)])
    model.compile(optimizer=optimizer, loss="mse")
    model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    return model


def variables(model: keras.Model) -> list[np.ndarray]:
    every = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in every]


def kept(folder: Path) -> keras.Model:
    model = network()
    kept = {"best": [weight + 1 for weight in model.get_weights()], "average": []}
    Checkpoint(folder, "mine").save(model, kept, STATE)
    return model


def assert_left_as_it_is(folder: Path, model: keras.Model, fingerprint: str = "mine") -> None:
    before = variables(model)
    assert Checkpoint(folder, fingerprint).load(model, NAMES, STATE) is None
    for one, two in zip(before, variables(model)):
        np.testing.assert_array_equal(one, two)


def changed(folder: Path, **changes: object) -> None:
    """Write other things about a checkpoint into it."""
    with np.load(folder / CHECKPOINT) as archive:
        arrays = dict(archive)
    described = {**json.loads(str(arrays["described"])), **changes}
    np.savez(folder / CHECKPOINT, **{**arrays, "described": np.array(json.dumps(described))})


def test_what_was_kept_comes_back(tmp_path):
    model = kept(tmp_path)
    other = network()
    other.fit(np.ones((2, 3)), np.zeros((2, 2)), epochs=3, verbose=0)
    loaded = Checkpoint(tmp_path, "mine").load(other, NAMES, STATE)
    assert loaded is not None
    others, state = loaded
    assert state == STATE
    assert others["average"] == []
    for one, two in zip(variables(model), variables(other)):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(model.get_weights(), others["best"]):
        np.testing.assert_array_equal(one + 1, two)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_without_a_file_or_for_another_training_nothing_is_said(tmp_path, capfd):
    assert_left_as_it_is(tmp_path, network())
    kept(tmp_path)
    assert_left_as_it_is(tmp_path, network(), "another's")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": None},
        {"state": {**STATE, "momentum": 1}},
        {"state": {"done": 3}},
        {"state": {}},
    ],
    ids=str,
)
def test_other_version_is_said(tmp_path, capfd, change):
    kept(tmp_path)
    changed(tmp_path, **change)
    assert_left_as_it_is(tmp_path, network())
    said = capfd.readouterr().err
    assert said == f"{tmp_path / CHECKPOINT}: is of another version; training begins anew\n"


def test_version_of_this_program_is_kept(tmp_path, capfd, monkeypatch):
    kept(tmp_path)
    monkeypatch.setattr(checkpoint, "CHECKPOINT_VERSION", checkpoint.CHECKPOINT_VERSION + 1)
    assert_left_as_it_is(tmp_path, network())
    assert "is of another version" in capfd.readouterr().err


@pytest.mark.parametrize("model", [(5, "adam"), (4, "sgd")], ids=["network", "optimizer"])
def test_other_arrays_are_said(tmp_path, capfd, model):
    kept(tmp_path)
    assert_left_as_it_is(tmp_path, network(*model))
    assert "is of another version; training begins anew" in capfd.readouterr().err


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"no archive", b'\x93NUMPY\x01\x00v\x00{"descr": "<f4"}', "array", "described"],
)
def test_damage_is_one_line(tmp_path, capfd, content):
    path = tmp_path / CHECKPOINT
    if content == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif content == "described":
        np.savez(path, described=np.array("[3]"))
    else:
        path.write_bytes(content)
    assert_left_as_it_is(tmp_path, network())
    (said,) = capfd.readouterr().err.splitlines()
    assert said.startswith(f"{path}: is damaged (")
    assert said.endswith("); training begins anew")


def test_flipped_bytes_never_break_a_training(tmp_path, capfd):
    kept(tmp_path)
    path = tmp_path / CHECKPOINT
    whole = path.read_bytes()
    model = network()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 200):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        Checkpoint(tmp_path, "mine").load(model, NAMES, STATE)
    said = capfd.readouterr().err.splitlines()
    assert len(said) > 100
    assert all(line.endswith("training begins anew") for line in said)


def test_full_disk_is_said_once_and_leaves_nothing(tmp_path, capfd):
    with small_disk(tmp_path / "disk", 4) as disk:
        model = network()
        keeper = Checkpoint(disk, "mine")
        for _ in range(2):
            keeper.save(model, {"best": model.get_weights(), "average": []}, STATE)
        assert list(disk.iterdir()) == []
    (said,) = capfd.readouterr().err.splitlines()
    assert "checkpoint.npz: cannot be written (No space left on device)" in said


def test_removed_with_what_a_killed_process_left(tmp_path):
    kept(tmp_path)
    (tmp_path / f".{CHECKPOINT}").write_bytes(b"half")
    remove_checkpoint(tmp_path)
    remove_checkpoint(tmp_path)
    assert list(tmp_path.iterdir()) == []
