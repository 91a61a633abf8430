"""What the tests of all rooms share."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

# How long an example takes says nothing about whether it is right.
settings.register_profile(
    "ser-edge", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ser-edge")
# For `make mutation`, which runs each test thousands of times to see no more than whether it fails.
settings.register_profile(
    "mutation",
    settings.get_profile("ser-edge"),
    max_examples=30,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)

# Absolute, for some tests work in other folders.
if os.environ.get("SER_EDGE_CORPORA"):
    os.environ["SER_EDGE_CORPORA"] = str(Path(os.environ["SER_EDGE_CORPORA"]).resolve())

# Whoever runs the tests may have enrolled, and keep answers of their own.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="ser-edge-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_DATA_HOME"], ignore_errors=True)


# Files that take a minute or so, the longest first: begun last, they would be waited for alone.
LONGEST = (
    "train/test_own_recordings.py",
    "examples/test_notebooks.py",
    "device/test_enrol.py",
    "train/test_resume.py",
    "convert/test_recurrent.py",
    "train/test_cli.py",
    "train/test_evaluate.py",
    "benchmarks/test_conversions.py",
    "convert/test_originals.py",
    "benchmarks/test_accuracy.py",
    "packaging/test_documents.py",
    "device/test_live_source.py",
    "train/test_search.py",
    "train/test_cache.py",
    "convert/test_refusals.py",
    "benchmarks/test_peers.py",
    "benchmarks/test_arm64.py",
    "benchmarks/test_peer_models.py",
    "device/test_listen_to_microphone.py",
    "convert/test_convert.py",
    "convert/test_report.py",
    "train/test_teacher.py",
    "train/test_fit.py",
    "device/test_daemon_faults.py",
    "benchmarks/test_soak.py",
    "fuzz/test_fuzz.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    here = Path(__file__).parent
    places = {here / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder that holds TESS, RAVDESS and EmoDB; they may not be shipped."""
    folder = os.environ.get("SER_EDGE_CORPORA")
    if not folder:
        pytest.skip("set SER_EDGE_CORPORA to the folder of the speech corpora to run this")
    return Path(folder)
