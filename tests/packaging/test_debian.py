"""The Debian package's own files; that it works is for ser-bench debian-package to say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

DEBIAN = ROOT / "debian"
SCRIPTS = ("postinst", "prerm", "postrm")


@pytest.mark.parametrize("name", [*SCRIPTS, "build"])
def test_scripts_can_be_read_by_a_shell(name: str) -> None:
    shell = "bash" if name == "build" else "sh"
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    done = subprocess.run([shell, "-n", str(DEBIAN / name)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_build_without_a_python_that_makes_environments_says_so(tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("no dpkg-deb here")
    done = subprocess.run(
        [str(DEBIAN / "build"), str(tmp_path)],
        env={"PATH": "/usr/bin:/bin", "DEB_PYTHON": "/bin/false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "debian/build: /bin/false cannot make environments; "
        "run: sudo apt-get install python3-venv\n"
    )


@pytest.mark.parametrize(
    ("package", "complaint"), [("none.deb", "none.deb: there is no such file; make deb builds")]
)
def test_a_package_that_is_not_there_is_named(package: str, complaint: str) -> None:
    code = "import sys; from benchmarks.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "debian-package", package],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert complaint in line
