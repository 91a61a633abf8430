"""What the tests of all rooms share."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says nothing about whether it is right.
settings.register_profile(
    "ser-edge", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ser-edge")

# Absolute, for some tests work in other folders.
if os.environ.get("SER_EDGE_CORPORA"):
    os.environ["SER_EDGE_CORPORA"] = str(Path(os.environ["SER_EDGE_CORPORA"]).resolve())

# Whoever runs the tests may have enrolled, and keep answers of their own.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="ser-edge-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_DATA_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder that holds TESS, RAVDESS and EmoDB; they may not be shipped."""
    folder = os.environ.get("SER_EDGE_CORPORA")
    if not folder:
        pytest.skip("set SER_EDGE_CORPORA to the folder of the speech corpora to run this")
    return Path(folder)
