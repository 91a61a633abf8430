"""``ser-bench mutation``: what mutmut found is counted, and a survivor explained or named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.mutation.explanations import CLASSES, EXPLANATIONS, load_explanations
from benchmarks.mutation.tables import mutation_table, survivors_list

ROOT = Path(__file__).resolve().parents[2]
MUTMUT = ROOT / ".venv-mutation" / "bin" / "mutmut"
SOURCE = """class Sum:
    def __init__(self):
        self.total = 0

    def add(self, number):
        self.total += number
        return self.total


def is_large(number):
    return number > 9
"""
TESTS = """from small.sums import Sum, is_large

def test_sum():
    both = Sum()
    both.add(3)
    assert both.add(4) == 7

def test_large():
    assert is_large(100)
    assert not is_large(1)
"""
CONFIGURATION = """[tool.mutmut]
source_paths = ["small"]
only_mutate = ["small/sums.py"]
pytest_add_cli_args_test_selection = ["tests/test_sums.py"]
"""
LIMIT = """[[survivors]]
place = "sums.is_large"
class = "elsewhere"
why = "Nobody counts to ten."
changes = [
    ["return number > 9", "return number >= 9"],
    ["return number > 9", "return number > 10"],
]
"""
# Says of the project above what mutmut says, without trying anything.
STAND_IN = f"""#!{sys.executable}
import sys
from pathlib import Path
with Path("calls.txt").open("a") as file:
    print(*sys.argv[1:], file=file)
if sys.argv[1] == "--version":
    print("mutmut, version 3.8.1")
elif sys.argv[1] == "results":
    print(Path("verdicts.txt").read_text())
elif sys.argv[1] == "show":
    after = ">= 9" if sys.argv[2].endswith("_1") else "> 10"
    print("--- small/sums.py", "+++ small/sums.py", "@@ -1,2 +1,2 @@", sep="\\n")
    print(" def is_large(number):", "-    return number > 9", sep="\\n")
    print("+    return number " + after)
"""
VERDICTS = {
    "small.sums.xǁSumǁadd__mutmut_1": "killed",
    "small.sums.xǁSumǁadd__mutmut_2": "timeout",
    "small.sums.x_is_large__mutmut_1": "survived",
    "small.sums.x_is_large__mutmut_2": "no tests",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project, and in it the current folder."""
    for name, text in {
        "pyproject.toml": CONFIGURATION,
        "small/__init__.py": "",
        "small/sums.py": SOURCE,
        "tests/test_sums.py": TESTS,
        "why.toml": LIMIT,
        "mutmut": STAND_IN,
        "verdicts.txt": "".join(f"    {name}: {word}\n" for name, word in VERDICTS.items()),
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "mutmut").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mutation(capsys, *options: object, mutmut: object = "./mutmut") -> tuple[int, str, str]:
    words = ("--mutmut", mutmut, "--explanations", "why.toml", "--results", "results")
    status = main([str(word) for word in ("mutation", *words, *options)])
    return status, *capsys.readouterr()


def calls(project: Path) -> list[str]:
    """How mutants were tried."""
    lines = (project / "calls.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("run")]


def test_mutants_are_counted_and_survivors_explained(project: Path, capsys) -> None:
    status, out, err = mutation(capsys)
    assert (status, err) == (0, "")
    stored = json.loads((project / "results" / "mutation" / "sums.json").read_text("utf-8"))
    assert (stored["mutants"], stored["killed"], stored["timed_out"]) == (4, 1, 1)
    assert [one["place"] for one in stored["survivors"]] == ["sums.is_large"] * 2
    assert stored["mutmut"] == "3.8.1"
    assert out.strip() == mutation_table({"mutation": [stored]})
    assert "| `sums` | 4 | 1 | 1 | 2 | 0 | 0 | 0 | 0 | 2 | 0 | 50.0% | 50.0% |" in out
    assert survivors_list({"mutation": [stored]}).splitlines() == [
        "- `sums.is_large`, elsewhere: Nobody counts to ten.",
        "    - `return number > 9` becomes `return number >= 9`",
        "    - `return number > 9` becomes `return number > 10`",
    ]


def test_survivor_that_nobody_explained_is_named_and_fails(project: Path, capsys) -> None:
    whys = (project / "why.toml").read_text("utf-8").replace('"return number > 10"', '"else"')
    (project / "why.toml").write_text(whys, encoding="utf-8")
    status, out, err = mutation(capsys)
    assert status == 1
    assert "sums.is_large: return number > 9\n    return number > 10" in err
    assert "1 mutants survive, see above" in err
    assert "| 1 | 1 | 50.0% | 50.0% |" in out


def test_equivalent_mutants_do_not_count_against_the_tests(project: Path, capsys) -> None:
    whys = (project / "why.toml").read_text("utf-8").replace("elsewhere", "equivalent")
    (project / "why.toml").write_text(whys, encoding="utf-8")
    assert "| 50.0% | 100.0% |" in mutation(capsys)[1]


def test_explanation_of_a_mutant_that_is_found_is_named(project: Path, capsys) -> None:
    verdicts = (project / "verdicts.txt").read_text("utf-8")
    for word in ("survived", "no tests"):
        verdicts = verdicts.replace(word, "killed")
    (project / "verdicts.txt").write_text(verdicts, encoding="utf-8")
    status, _, err = mutation(capsys)
    assert status == 0
    assert "sums.is_large: no mutant survives any more that is explained with: Nobody" in err


def test_survivors_are_tried_again_when_the_tests_changed(project: Path, capsys) -> None:
    mutation(capsys)
    mutation(capsys)
    every = "run --max-children 1"
    assert calls(project) == [every, every]
    with (project / "tests" / "test_sums.py").open("a", encoding="utf-8") as file:
        file.write("\n# another\n")
    mutation(capsys, "--processes", 2)
    names = [name for name, word in VERDICTS.items() if word in ("survived", "no tests")]
    again = "run --max-children 2"
    assert calls(project)[2:] == [again, " ".join([again, *names])]
    mutation(capsys)
    assert calls(project)[4:] == [every]


def test_mutant_that_was_interrupted_is_tried_again(project: Path, capsys) -> None:
    verdicts = (project / "verdicts.txt").read_text("utf-8")
    verdicts = verdicts.replace("timeout", "check was interrupted by user")
    (project / "verdicts.txt").write_text(verdicts, encoding="utf-8")
    mutation(capsys)
    every = "run --max-children 1"
    assert calls(project) == [every, f"{every} small.sums.xǁSumǁadd__mutmut_2"]


def test_mutants_that_were_not_tried_make_no_result(project: Path, capsys) -> None:
    verdicts = (project / "verdicts.txt").read_text("utf-8").replace("timeout", "not checked")
    (project / "verdicts.txt").write_text(verdicts, encoding="utf-8")
    status, _, err = mutation(capsys)
    assert (status, err) == (1, "ser-bench: 1 of 4 mutants were not tried; run it again\n")
    assert not (project / "results").exists()


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (("why", "because"), "why.toml: entry 1 must have changes, class, place, why"),
        (('"elsewhere"', '"luck"'), "why.toml: entry 1: class must be one of equivalent, cost"),
    ],
)
def test_faulty_explanation_is_refused(
    change: tuple[str, str], wanted: str, project: Path, capsys
) -> None:
    (project / "why.toml").write_text(LIMIT.replace(*change, 1), encoding="utf-8")
    status, _, err = mutation(capsys)
    assert status == 1
    assert wanted in err


def test_what_is_missing_is_named(project: Path, capsys) -> None:
    assert mutation(capsys, mutmut="absent")[2] == (
        "ser-bench: absent: no mutmut there; run: make mutation\n"
    )
    (project / "pyproject.toml").write_text("", encoding="utf-8")
    assert "has no [tool.mutmut]" in mutation(capsys)[2]
    (project / "pyproject.toml").unlink()
    assert "run it in a checkout" in mutation(capsys)[2]


@pytest.mark.skipif(not MUTMUT.is_file(), reason="make mutation installs mutmut")
def test_mutmut_itself_is_understood(project: Path, capsys) -> None:
    status, _, err = mutation(capsys, mutmut=MUTMUT)
    assert (status, err) == (0, "")
    stored = json.loads((project / "results" / "mutation" / "sums.json").read_text("utf-8"))
    assert stored["killed"] + len(stored["survivors"]) == stored["mutants"] > 5
    assert {one["place"] for one in stored["survivors"]} == {"sums.is_large"}


def test_explanations_that_are_kept_can_be_read() -> None:
    kept = load_explanations(EXPLANATIONS)
    assert {one.kind for one in kept} <= set(CLASSES)
    assert all(one.why and one.changes for one in kept)
