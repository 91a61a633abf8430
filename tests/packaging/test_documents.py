"""What the documents tell readers to type works, and what they show is what there is.

Commands are run with small stand-ins; what needs root, a broker, a microphone or hours is at least
read by the program's own parser. A command that nothing here knows fails.
"""

from __future__ import annotations

import argparse
import configparser
import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import benchmarks.cli
import convert.cli
import edge_runtime.cli
import train.cli
from edge_runtime import config
from edge_runtime.events import Event
from edge_runtime.install import SYSTEM_CONFIG
from edge_runtime.metadata import LABELS
from edge_runtime.settings import SECTIONS, options
from train.ablation import load_ablation
from train.recipe import load_recipe
from train.search.space import space_of

from ..train.tones import RECIPE
from .documents import DOCUMENTS, MARKDOWN, ROOT, Block, Command, blocks, commands
from .messages import can_be_said
from .stand_ins import RECIPES, furnish, furnish_with_another

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BLOCKS, COMMANDS = blocks(), commands()
PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "ser-edge": edge_runtime.cli.make_parser,
    "ser-train": train.cli.make_parser,
    "ser-convert": convert.cli.make_parser,
    "ser-bench": benchmarks.cli.make_parser,
}
MAIN = {
    "ser-edge": edge_runtime.cli.main,
    "ser-train": train.cli.main,
    "ser-convert": convert.cli.main,
    "ser-bench": benchmarks.cli.main,
}
OTHERS_FLAGS = {"--system-site-packages", "--upgrade"}  # of venv and pip
UNIT = "ser-edge"
SHIPPED_UNIT = (ROOT / "edge_runtime" / "deploy" / "ser-edge.service").read_text(encoding="utf-8")


def of_language(*languages: str) -> list:
    found = [block for block in BLOCKS if block.language in languages]
    return [pytest.param(block, id=block.place) for block in found]


# --- every command ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [pytest.param(one, id=str(one)) for one in COMMANDS])
def test_a_command_is_what_its_program_takes(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check = CHECKS.get(command.program)
    assert check is not None, f"{command}: no test knows this command; teach {__name__} to"
    for name, value in command.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(furnished_lightly(tmp_path))
    check(command)


def furnished_lightly(folder: Path) -> Path:
    for name in ("examples", "train", "constraints.txt"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def takes_its_parser(command: Command) -> None:
    parser = PARSERS[command.program]()
    try:
        arguments = parser.parse_args(command.words[1:])
    except SystemExit:
        pytest.fail(f"{command}: {command.program} does not take this")
    assert callable(arguments.work)
    known = {option.variable for option in options()} | {"SER_EDGE_CONFIG"}
    assert set(command.environment) <= known
    if command.program == "ser-edge":
        config.load(environment=command.environment)


def test_what_a_program_no_longer_takes_is_found() -> None:
    gone = dataclasses.replace(COMMANDS[0], environment={}, words=("ser-edge", "listen", "--gone"))
    with pytest.raises(pytest.fail.Exception, match="does not take this"):
        takes_its_parser(gone)


def taken(parser: argparse.ArgumentParser) -> set[str]:
    flags: set[str] = set()
    for action in parser._actions:
        flags.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            flags.update(*(taken(inner) for inner in action.choices.values()))
    return flags


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_flag_that_prose_names_is_taken(path: Path) -> None:
    inline = [one for token in MARKDOWN.parse(path.read_text()) for one in token.children or []]
    code = [one.content for one in inline if one.type == "code_inline"]
    named = {flag for text in code for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)}
    known = {flag for make_parser in PARSERS.values() for flag in taken(make_parser())}
    assert sorted(named - known - OTHERS_FLAGS) == []


def test_every_variable_is_in_the_documents() -> None:
    said = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    # Of a command that an output runs: its page has them.
    said += (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    settings = {option.variable for option in options()}
    folders = ("edge_runtime", "train", "convert", "benchmarks", "tests")
    read = {
        name
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in re.findall(r"SER_EDGE_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))
    }
    assert sorted(name for name in read - settings if name not in said) == []


def makes(command: Command) -> None:
    dry = ["make", "-n", *command.words[1:], *(f"{k}={v}" for k, v in command.environment.items())]
    done = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def installs(command: Command) -> None:
    words = list(command.words[1:])
    assert words.pop(0) == "install"
    extras = configured()["options.extras_require"]
    names = [word for word in words if not word.startswith("-")]
    if "-c" in words:
        names.remove("constraints.txt")
    for name in names:
        asked = Requirement(re.sub(r"^\.(?=\[|$)", "ser-edge", name))
        assert asked.extras <= set(extras), f"{command}: there is no such extra"


def installs_packages(command: Command) -> None:
    verb, *packages = command.words[1:]
    if verb in ("remove", "purge"):
        assert packages == ["ser-edge"]
        return
    assert verb in ("update", "install")
    tested = (ROOT / "Makefile").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^TEST_PACKAGES := (.*)$", tested, re.MULTILINE)
    built = (ROOT / "debian" / "control").read_text(encoding="utf-8")
    needed = re.findall(r"(?:python3|lib)[a-z0-9-]*", built)
    made = "./dist/ser-edge_*.deb"  # what `make deb` leaves
    assert set(packages) <= {*listed.split(), *needed, "python3-venv", "git", "make", made}


def controls_the_unit(command: Command) -> None:
    words = [word for word in command.words[1:] if word not in ("--user", "--now")]
    verbs = {"status", "show", "start", "stop", "restart", "reload", "enable", "disable", "edit"}
    if words == ["daemon-reload"]:
        return
    assert words[0] in verbs
    assert words[1] == UNIT
    if words[0] == "reload":
        assert "ExecReload=" in SHIPPED_UNIT


def reads_the_log(command: Command) -> None:
    assert command.words[1:3] == ("-u", UNIT)


def names_our_files(command: Command) -> None:
    paths = [word for word in command.words[1:] if word.startswith("/") and word != "/dev/null"]
    assert paths
    assert all("ser-edge" in path for path in paths)
    for path in paths:
        if path.endswith((".toml", ".env")):
            assert path == str(SYSTEM_CONFIG) or path in SHIPPED_UNIT


def links(command: Command) -> None:
    how, made, folder = command.words[1:]
    assert (how, folder) == ("-s", "/usr/local/bin/")
    environments = [one.words[-1] for one in COMMANDS if "venv" in one.words]
    assert made.removesuffix("/bin/ser-edge") in environments


def asks_the_server(command: Command) -> None:
    (address,) = [word for word in command.words if word.startswith("http://")]
    path = address.removeprefix("http://127.0.0.1:8765")
    assert f'"{path}"' in (ROOT / "edge_runtime" / "web" / "app.py").read_text(encoding="utf-8")


def subscribes(command: Command) -> None:
    topic = command.words[command.words.index("-t") + 1]
    default = next(option.default for option in options() if option.key == "mqtt.topic")
    assert topic == f"{default}/#"


def runs_python(command: Command) -> None:
    if command.words[1] == "-m":
        assert command.words[2] == "venv"
        return
    runs_here(command)


def runs_here(command: Command) -> None:
    # As a shell would, with ~ for a folder of the test.
    done = subprocess.run(
        ["sh", "-ec", command.text],
        env={**os.environ, "HOME": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"


def activates(command: Command) -> None:
    made = [one.words[-1] for one in COMMANDS if one.block == command.block and "venv" in one.words]
    assert command.words[1:] == (f"{made[0]}/bin/activate",)


def on_another_personality(command: Command) -> None:
    inner = dataclasses.replace(command, words=command.words[1:])
    CHECKS[inner.program](inner)


CHECKS: dict[str, Callable[[Command], None]] = {
    **dict.fromkeys(PARSERS, takes_its_parser),
    "make": makes,
    "pip": installs,
    "linux32": on_another_personality,
    "apt-get": installs_packages,
    "systemctl": controls_the_unit,
    "journalctl": reads_the_log,
    **dict.fromkeys(("sudoedit", "install", "rm"), names_our_files),
    "ln": links,
    "curl": asks_the_server,
    "mosquitto_sub": subscribes,
    **dict.fromkeys(("python3", "python3.11"), runs_python),
    ".": activates,
    **dict.fromkeys(("uname", "getconf", "export", "cp"), runs_here),
}


# --- those that run for real --------------------------------------------------------------------

# In this order, one after the other in one folder, as a reader goes through the pages. Recipes are
# tiny ones under the same names, and corpora are made of tones.
ON_CORPORA = (
    "ser-train corpora",
    "ser-train fit edge-1d",
    "ser-convert runs/edge-1d-seed0/model.keras --int8",
    "ser-edge info runs/edge-1d-seed0/model.int8.tflite",
    "ser-train report runs",
)
TRAINED = (
    "ser-edge listen --model runs/edge-1d-seed0/model.int8.tflite",
    "ser-bench accuracy runs/edge-1d-seed0/model.int8.tflite --data folder:mine",
)
ON_ONES_OWN = (
    "ser-train explore folder:mine",
    "ser-train fit edge --data folder:mine",
    "ser-train predict new.wav",
    "ser-train fit edge-1d --data folder:mine --start runs/edge-1d-seed0 --freeze body",
)
ON_THE_DEVICE = (
    "ser-edge listen --source examples/demo.wav --realtime",
    "ser-edge listen --config ser-edge.toml",
    "SER_EDGE_CONFIG=ser-edge.toml ser-edge listen",
    "ser-edge classify recording.wav",
    "ser-edge info",
    "ser-edge install-service --user --dry-run",
)
# Which hear a recording here in place of the microphone.
BEFORE_A_MICROPHONE = (
    "ser-edge listen --device usb",
    "ser-edge listen --device usb --format jsonl",
    "SER_EDGE_DEVICE=usb SER_EDGE_THRESHOLD=0.6 ser-edge listen",
)
ON_ANOTHERS_NETWORK = (
    "ser-convert their.keras --int8 --labels neutral,happy,sad,angry --features librosa "
    "--representative recordings/ --held-out labelled/"
)
PROFILES = (
    "ser-edge enrol anna --from recordings/",
    "ser-edge profiles list",
    "ser-edge profiles show anna",
    "ser-edge profiles use anna",
    "ser-edge listen --profile anna",
    "ser-edge classify --profile none recording.wav",
    "ser-edge profiles remove anna",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("reader"))


@pytest.fixture
def type_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Types a command of the documents and gives what it prints."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    for name in ("SER_EDGE_CORPORA", "SER_EDGE_TFLITE_PYTHON"):
        monkeypatch.delenv(name, raising=False)

    def type_in(text: str, **environment: str) -> str:
        command = next((one for one in COMMANDS if one.text == text), None)
        assert command is not None, f"no document has: {text}"
        words = [f"{word}.toml" if word in RECIPES else word for word in command.words[1:]]
        words = [word for word in words if word != "--realtime"]
        with monkeypatch.context() as patch:
            for name, value in {**command.environment, **environment}.items():
                patch.setenv(name, value)
            status = MAIN[command.program](words)
        printed, said = capsys.readouterr()
        assert status == 0, f"{text}: {said}"
        return printed

    return type_in


def test_the_way_from_corpora_to_a_profile(type_in: Callable[..., str], folder: Path) -> None:
    printed = [type_in(text, SER_EDGE_CORPORA="corpora") for text in ON_CORPORA]
    assert "TESS: 70 utterances" in printed[0]
    assert "same label as the float model" in printed[2]
    run = folder / "runs" / "edge-1d-seed0"
    for name in ("model.keras", "ser_edge.json", "representative.npz", "held_out.npz", "run.json"):
        assert (run / name).is_file()
    for ending in ("json", "md", "png"):
        assert (run / f"model.int8.tflite.report.{ending}").is_file()

    # The gate wants 16 kHz, which this model has not.
    heard = {"SER_EDGE_SOURCE": "recording.wav", "SER_EDGE_GATE": "off"}
    printed = [type_in(text, **heard) for text in TRAINED]
    assert "UAR" in printed[1]

    model = str(run / "model.int8.tflite")
    printed = [type_in(text, SER_EDGE_MODEL=model, **heard) for text in PROFILES]
    assert printed[0].startswith("anna: 15 clips (happy 5, sad 5, angry 5)")
    assert "anna" in printed[1]

    printed = [type_in(text) for text in ON_ONES_OWN]
    assert (folder / "runs" / "explore" / "explore.html").is_file()
    assert (folder / "runs" / "edge-mine-seed0" / "report.html").is_file()
    assert all(label in printed[2] for label in ("happy", "sad", "angry"))


@pytest.mark.parametrize("text", ON_THE_DEVICE)
def test_what_a_device_does_at_once(type_in: Callable[..., str], text: str) -> None:
    assert type_in(text).count("\n") >= 1


@pytest.mark.parametrize("text", BEFORE_A_MICROPHONE)
def test_what_needs_a_microphone_listens(type_in: Callable[..., str], text: str) -> None:
    assert "start" in type_in(text, SER_EDGE_SOURCE="recording.wav")


def test_an_onnx_model_listens(type_in: Callable[..., str]) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    assert "start" in type_in("ser-edge listen --model model.onnx", SER_EDGE_SOURCE="recording.wav")


def test_the_network_of_somebody_else(
    type_in: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish_with_another(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "same label as the float model" in type_in(ON_ANOTHERS_NETWORK)
    assert (tmp_path / "their.int8.tflite").is_file()


def test_the_pictures_of_how_it_works(type_in: Callable[..., str], folder: Path) -> None:
    type_in("ser-bench figures --out docs/images")
    drawn = {path.name for path in (folder / "docs" / "images").iterdir()}
    shown = re.findall(r"\(images/([\w-]+\.png)\)", (ROOT / "docs" / "how-it-works.md").read_text())
    assert drawn == set(shown)


def test_make_help_names_the_targets_of_the_documents() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    named = {word for one in COMMANDS if one.program == "make" for word in one.words[1:]}
    targets = {word for word in named if re.fullmatch(r"[a-z]+", word)} - {"help"}
    assert targets <= set(re.findall(r"^  ([a-z-]+)", done.stdout, re.MULTILINE))


# --- what is shown ------------------------------------------------------------------------------


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    tested = {"sh", "python", "toml", "json", "json-like", "yaml", "script", "text"}
    assert {block.language for block in BLOCKS} <= tested


@pytest.mark.parametrize("block", of_language("python"))
def test_python(block: Block) -> None:
    compile(block.text, block.place, "exec")
    if block.path.name == "README.md":  # needs a microphone: tests/device/test_readme_examples.py
        assert "listen(" in block.text or "Classifier(" in block.text
        return
    done = subprocess.run(
        [sys.executable, "-c", block.text], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("block", of_language("toml"))
def test_toml(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "block.toml"
    path.write_text(block.text, encoding="utf-8")
    tables = set(tomllib.loads(block.text))
    if tables <= set(SECTIONS):
        settings = config.load(path, environment={})
        for table, values in tomllib.loads(block.text).items():
            for key, value in values.items():
                assert str(getattr(getattr(settings, table), key)) == str(value)
    elif tables == {"search"}:
        path.write_text(RECIPE + block.text, encoding="utf-8")
        assert set(space_of(load_recipe(str(path)))) == set(tomllib.loads(block.text)["search"])
    else:
        named = [step["name"] for step in tomllib.loads(block.text)["steps"]]
        assert [step.name for step in load_ablation(path).steps][1:] == named


@pytest.mark.parametrize("block", of_language("json", "json-like"))
def test_json(block: Block) -> None:
    keys = set(re.findall(r'"(\w+)":', block.text))
    known = {field.name for field in dataclasses.fields(Event)} | set(LABELS)
    assert keys <= known | {"duration"}  # of a file that was classified
    if block.language == "json":
        assert json.loads(block.text)


@pytest.mark.parametrize("block", of_language("yaml"))
def test_yaml(block: Block) -> None:
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", of_language("script"))
def test_scripts(block: Block) -> None:
    done = subprocess.run(
        ["sh", "-n"], input=block.text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", of_language("text"))
def test_lines_are_what_the_programs_say(block: Block) -> None:
    said = [line for line in block.text.splitlines() if re.match(r"ser-[a-z]+: ", line)]
    unsaid = [line for line in said if not can_be_said(line)]
    assert not unsaid, f"{block.place}: no program says this"


def test_what_no_program_says_is_told_apart() -> None:
    assert can_be_said("ser-edge: FILE: no such model file")
    assert not can_be_said("ser-edge: FILE: this was never said by any program")


def configured() -> configparser.ConfigParser:
    parsed = configparser.ConfigParser()
    parsed.read(ROOT / "setup.cfg", encoding="utf-8")
    return parsed
