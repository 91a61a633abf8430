"""What an installation brings: the right interpreter per device, and nothing heavy."""

import configparser
import os
import re
import shutil
import subprocess
import wave
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"tensorflow", "keras", "librosa", "scipy", "numba", "onnx", "sklearn", "pandas"}
INTERPRETERS = {"ai-edge-litert", "tflite-runtime"}
ENVIRONMENTS = {
    "base": "SER_EDGE_BASE_PYTHON",
    "onnx": "SER_EDGE_ONNX_PYTHON",
    "tflite": "SER_EDGE_TFLITE_PYTHON",
}


# --- which requirement applies where ------------------------------------------------------------


def device(python, machine, platform="linux"):
    """Return the marker environment of a device."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": machine,
        "sys_platform": platform,
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[platform],
        "os_name": "nt" if platform == "win32" else "posix",
        "extra": "",
    }


def applying(requirements, environment):
    """Return the requirements whose marker holds in the environment."""
    return [r for r in requirements if r.marker is None or r.marker.evaluate(environment)]


def read_requirements(text):
    lines = (line.strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def setup_cfg():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


@pytest.fixture(scope="module")
def base(setup_cfg):
    return read_requirements(setup_cfg["options"]["install_requires"])


@pytest.fixture(scope="module")
def constraints():
    return read_requirements((ROOT / "constraints.txt").read_text(encoding="utf-8"))


PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]
LITERT, TFLITE, NOTHING = "ai-edge-litert", "tflite-runtime", None
MATRIX = [
    *[
        (python, machine, "linux", LITERT)
        for python in PYTHONS
        for machine in ("x86_64", "aarch64")
    ],
    # armv8l: a 32-bit system on a 64-bit kernel, as pip sees it under linux32
    *[(python, arm, "linux", TFLITE) for python in PYTHONS[:3] for arm in ("armv7l", "armv8l")],
    *[(python, arm, "linux", NOTHING) for python in PYTHONS[3:] for arm in ("armv7l", "armv8l")],
    *[
        (python, machine, "linux", NOTHING)
        for python in PYTHONS
        for machine in ("armv6l", "riscv64")
    ],
    *[(python, "arm64", "darwin", LITERT) for python in PYTHONS],
    ("3.12", "x86_64", "darwin", NOTHING),
    ("3.9", "AMD64", "win32", NOTHING),
    *[(python, "AMD64", "win32", LITERT) for python in PYTHONS[1:]],
]


@pytest.mark.parametrize(("python", "machine", "platform", "interpreter"), MATRIX)
def test_markers_choose_the_interpreter(base, python, machine, platform, interpreter):
    chosen = applying(base, device(python, machine, platform))
    names = [r.name for r in chosen]
    assert [name for name in names if name in INTERPRETERS] == (
        [interpreter] if interpreter else []
    )
    reads_toml = {"tomli"} if python in ("3.9", "3.10") else set()  # later ones do without
    assert set(names) - INTERPRETERS == {"numpy", "sounddevice"} | reads_toml

    numpy = [r.specifier for r in chosen if r.name == "numpy"]
    assert all(s.contains("1.26.4") for s in numpy)
    assert all(s.contains("2.4.6") for s in numpy) == (interpreter != TFLITE)


@pytest.mark.parametrize(
    ("python", "machine"),
    [(p, m) for p in PYTHONS for m in ("x86_64", "aarch64")] + [(p, "armv7l") for p in PYTHONS[:3]],
)
def test_constraints_pin_the_base_install_once(base, constraints, python, machine):
    environment = device(python, machine)
    pins = {}
    for constraint in applying(constraints, environment):
        name = re.sub(r"[-_.]+", "-", constraint.name).lower()
        assert name not in pins, f"two pins of {name} apply to Python {python} on {machine}"
        (specifier,) = constraint.specifier
        assert specifier.operator == "=="
        pins[name] = Version(specifier.version)
    for requirement in applying(base, environment):
        assert requirement.specifier.contains(pins[requirement.name]), str(requirement)


def test_constraints_satisfy_every_extra_but_tflite(setup_cfg, constraints):
    environment = device("3.11", "x86_64")
    pins = {
        re.sub(r"[-_.]+", "-", c.name).lower(): next(iter(c.specifier)).version
        for c in applying(constraints, environment)
    }
    for extra, text in setup_cfg["options.extras_require"].items():
        if extra == "tflite":  # numpy 1: an environment of its own
            continue
        for requirement in applying(read_requirements(text), environment):
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            if name != "ser-edge":
                assert requirement.specifier.contains(pins[name]), f"{extra}: {requirement}"


# --- what an installation loads and holds -------------------------------------------------------


@pytest.fixture(params=ENVIRONMENTS)
def python(request):
    """Return the Python of one of the light environments that `make test` builds."""
    path = os.environ.get(ENVIRONMENTS[request.param])
    if not path:
        pytest.skip(f"{ENVIRONMENTS[request.param]} is not set; `make test` sets it")
    return path


def run(*command, cwd=None):
    # No PYTHONPATH: only what is installed counts.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}:\n{done.stderr}"
    return done


def test_importing_the_runtime_loads_nothing_heavy(python, tmp_path):
    timing = run(python, "-X", "importtime", "-c", "import edge_runtime", cwd=tmp_path).stderr
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in timing.splitlines()}
    assert "edge_runtime" in loaded
    assert not loaded & HEAVY


def test_nothing_heavy_is_even_installed(python, tmp_path):
    code = (
        "import importlib.util as u\n"
        f"print(*[name for name in {sorted(HEAVY)} if u.find_spec(name)])"
    )
    assert run(python, "-c", code, cwd=tmp_path).stdout.split() == []


def test_console_scripts_exist(python):
    scripts = Path(python).parent
    for name in ("ser-edge", "ser-train", "ser-convert", "ser-bench"):
        assert shutil.which(name, path=str(scripts)), f"{name} is missing in {scripts}"


def test_help_runs_in_every_environment(python, tmp_path):
    script = Path(python).parent / "ser-edge"
    assert "listen" in run(script, "--help", cwd=tmp_path).stdout


def test_base_install_can_load_its_interpreter(tmp_path):
    python = os.environ.get(ENVIRONMENTS["base"])
    if not python:
        pytest.skip("SER_EDGE_BASE_PYTHON is not set; `make test` sets it")
    code = (
        "try:\n"
        "    from ai_edge_litert.interpreter import Interpreter\n"
        "except ModuleNotFoundError:\n"
        "    from tflite_runtime.interpreter import Interpreter\n"
        "print(Interpreter.__name__)"
    )
    assert run(python, "-c", code, cwd=tmp_path).stdout.strip() == "Interpreter"


def test_tflite_environment_has_the_other_interpreter_and_numpy_1(tmp_path):
    python = os.environ.get(ENVIRONMENTS["tflite"])
    if not python:
        pytest.skip("SER_EDGE_TFLITE_PYTHON is not set; `make test` sets it")
    code = "import tflite_runtime.interpreter, numpy; print(numpy.__version__)"
    assert run(python, "-c", code, cwd=tmp_path).stdout.startswith("1.")


# --- what is published --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def names(wheel):
    """Return the names in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_wheel_holds_the_packages_and_only_them(names):
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    packages = {"edge_runtime", "train", "convert", "benchmarks"}
    assert tops == packages
    assert not [name for name in names if name.endswith((".wav", ".flac", ".keras", ".npz"))]


def test_wheel_holds_the_data(names):
    data = [
        path.relative_to(ROOT).as_posix()
        for pattern in (
            "edge_runtime/py.typed",
            "edge_runtime/models/*.tflite",
            "edge_runtime/models/*.md",
            "edge_runtime/gates/*.json",
            "edge_runtime/deploy/*.service",
            "edge_runtime/deploy/user/*.service",
            "edge_runtime/web/page/*",
            "train/recipes/*.toml",
            "train/templates/*.html",
        )
        for path in ROOT.glob(pattern)
    ]
    assert "edge_runtime/py.typed" in data
    assert any(name.endswith(".tflite") for name in data), "no bundled model"
    assert set(data) <= set(names)


def test_demo_recording_is_small_and_fits_the_model():
    path = ROOT / "examples" / "demo.wav"
    assert path.stat().st_size < 400_000
    with wave.open(str(path)) as recording:
        assert (recording.getframerate(), recording.getnchannels(), recording.getsampwidth()) == (
            16000,
            1,
            2,
        )
        assert 8 <= recording.getnframes() / recording.getframerate() <= 13
