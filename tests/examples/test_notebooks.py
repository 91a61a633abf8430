"""The notebooks run from top to bottom, each in a kernel of its own, and hold no results."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import listen
from edge_runtime.sources import AudioFile

from ..device.broker import missing

nbformat = pytest.importorskip("nbformat", reason="the nbformat package reads the notebooks")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
CELL_SECONDS = 240
# The library says "latency" of each event, which is another one each time.
UP_TO_LATENCY = len("   0.00 -   2.54 s  start   unsure     31%")

Notebook = Any


def read(path: Path) -> Notebook:
    return nbformat.read(path, as_version=4)


class Results:
    """What the cells of an executed notebook have put out."""

    def __init__(self, notebook: Notebook) -> None:
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        outputs = [output for cell in code for output in cell.outputs]
        streams = [output for output in outputs if output.output_type == "stream"]
        shown = [output.data for output in outputs if output.output_type != "stream"]
        self.text = "".join(stream.text for stream in streams if stream.name == "stdout")
        self.complaints = "".join(stream.text for stream in streams if stream.name != "stdout")
        self.tables = [data["text/html"] for data in shown if "<table" in data.get("text/html", "")]
        self.n_pictures = sum("image/png" in data for data in shown)

    def figures(self, pattern: str) -> list[float]:
        """The numbers in the one line that a pattern describes."""
        (found,) = re.findall(pattern, self.text)
        return [float(number) for number in found]


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Notebook], Results]:
    """Execute a notebook where it lies, with the packages of the tests, and nobody's settings."""
    nbclient = pytest.importorskip("nbclient", reason="the nbclient package runs the notebooks")
    pytest.importorskip("ipykernel", reason="the ipykernel package runs the notebooks")
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / "jupyter" / name.lower()))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SER_EDGE_")}
    environment = {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "TMPDIR": str(temporary),
    }

    def run(notebook: Notebook) -> Results:
        before = sorted(EXAMPLES.iterdir())
        client = nbclient.NotebookClient(
            notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": str(EXAMPLES)}}
        )
        client.execute(env=environment)
        assert sorted(EXAMPLES.iterdir()) == before
        # TensorFlow leaves files of its own.
        assert [path for path in temporary.iterdir() if path.is_dir()] == []
        results = Results(notebook)
        assert results.complaints == ""
        return results

    return run


def needs_command(program: str) -> None:
    if not Path(sys.executable).with_name(program).exists():
        pytest.skip(f"{program} is not installed beside this Python: pip install -e '.[dev]'")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_results(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}
    for cell in notebook.cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_linked_and_links_to_what_there_is(path: Path) -> None:
    assert f"(examples/{path.name})" in (ROOT / "README.md").read_text(encoding="utf-8")
    prose = " ".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    targets = re.findall(r"\]\(([^)]+)\)", prose)
    assert targets
    assert [target for target in targets if not (EXAMPLES / target).exists()] == []


def test_listening(execute) -> None:
    results = execute(read(EXAMPLES / "listen_in_three_lines.ipynb"))
    events = list(listen(AudioFile(EXAMPLES / "demo.wav", 16000).chunks()))
    told = [event.to_text()[:UP_TO_LATENCY] for event in events]
    assert told
    assert [line[:UP_TO_LATENCY] for line in results.text.splitlines()[: len(told)]] == told
    assert results.figures(r"(\d+) hops, (\d+) events")[1] == len(told)
    assert results.n_pictures == 1


def test_training_and_enrolling(execute) -> None:
    pytest.importorskip("keras", reason="Keras trains the network")
    needs_command("ser-train")
    results = execute(read(EXAMPLES / "train_on_your_own_voice.ipynb"))
    (uar, judged_on) = results.figures(r"UAR (\S+) on (\d+) recordings of the speaker in test")
    assert uar > 0.5  # chance is 0.25
    assert judged_on == 20
    assert "('scores', 'embedding')" in results.text
    assert "me: 20 clips (neutral 5, happy 5, sad 5, angry 5)" in results.text
    before, after = results.figures(r"UAR without a profile (\S+), with 5 of each emotion (\S+)\n")
    assert after >= before + 0.2
    assert re.search(r"mine/angry/02\.wav: \w+ +\(", results.text)
    assert results.n_pictures == 3


def test_converting(execute) -> None:
    pytest.importorskip("keras", reason="Keras trains the network")
    needs_command("ser-convert")
    results = execute(read(EXAMPLES / "convert_and_compare.ipynb"))
    for kind in ("float32", "int8"):
        assert re.search(rf"model\.{kind}\.tflite: .* same label as the float model", results.text)
    (table,) = results.tables
    assert "UAR on test, after" in table
    same, recordings = results.figures(r"the same label on (\d+)% of (\d+) recordings")
    assert same >= 90
    assert recordings == 20
    assert results.n_pictures == 2


def test_events_over_mqtt(execute) -> None:
    pytest.importorskip("paho.mqtt", reason="the paho-mqtt package is not installed")
    if missing():
        pytest.skip(f"no broker: {missing()}")
    needs_command("ser-edge")
    results = execute(read(EXAMPLES / "events_over_mqtt.ipynb"))
    events = list(listen(AudioFile(EXAMPLES / "demo.wav", 16000).chunks()))
    heard = re.findall(r"(start|update|end) +(\w+) +\d\.\d\d$", results.text, re.MULTILINE)
    assert heard == [(event.kind, event.label) for event in events]
    assert "> silent" in results.text
    assert results.n_pictures == 1


def test_without_a_broker_it_says_so_and_publishes_nothing(execute) -> None:
    pytest.importorskip("paho.mqtt", reason="the paho-mqtt package is not installed")
    notebook = read(EXAMPLES / "events_over_mqtt.ipynb")
    for cell in notebook.cells:
        cell.source = cell.source.replace('which("mosquitto"', 'which("mosquitto-not-there"')
    results = execute(notebook)
    assert "There is no mosquitto here" in results.text
    assert "0 messages" in results.text
    assert results.n_pictures == 0
