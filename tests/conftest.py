"""What the tests of all rooms share."""

from __future__ import annotations

import os
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


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder that holds TESS, RAVDESS and EmoDB; they may not be shipped."""
    folder = os.environ.get("SER_EDGE_CORPORA")
    if not folder:
        pytest.skip("set SER_EDGE_CORPORA to the folder of the speech corpora to run this")
    return Path(folder)
