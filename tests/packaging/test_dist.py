"""The source distribution and the wheel are one project: the one builds the other."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from .conftest import ROOT, build


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(into, filter="data")
    (folder,) = into.iterdir()
    return folder


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_source_distribution_builds_the_same_wheel(
    wheel: Path, unpacked: Path, tmp_path: Path
) -> None:
    ours, theirs = contents(wheel), contents(build("wheel", unpacked, tmp_path / "again"))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_source_distribution_holds_what_a_build_and_a_user_need(unpacked: Path) -> None:
    for name in ("LICENSE", "README.md", "constraints.txt", "pyproject.toml"):
        assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes()
    assert not (unpacked / "tests").exists()
    assert not list(unpacked.rglob("*.keras"))


@pytest.mark.parametrize("name", ["edge_runtime/models/default.tflite", "edge_runtime/gates"])
def test_bundled_data_is_the_checkout_s(wheel: Path, name: str) -> None:
    path = ROOT / name
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    held = contents(wheel)
    assert files
    for file in files:
        assert held[file.relative_to(ROOT).as_posix()] == file.read_bytes()
