"""``ser-bench exposure``: how far systemd finds the service exposed."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.arguments import add_outcome, give
from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind
from edge_runtime.errors import SerEdgeError
from edge_runtime.install import DEPLOY, UNIT

PROTOCOL = (
    "systemd-analyze security --offline=true on the unit that install-service writes; 0 is the "
    "least exposed and 10 the most"
)
OVERALL = re.compile(r"Overall exposure level for \S+: ([\d.]+) (\w+)")


def add_parser(commands: Any) -> None:
    """Add ``exposure`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "exposure", help="how far systemd-analyze finds the service exposed, and by what"
    )
    add_outcome(parser)
    parser.set_defaults(work=exposure)


def exposure(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench exposure``."""
    result = bench_exposure(DEPLOY / UNIT)
    return give(result, as_text, arguments)


def bench_exposure(unit: Path) -> dict[str, Any]:
    """Let systemd judge a unit.

    Parameters
    ----------
    unit : Path
        A file ``NAME.service``.

    Returns
    -------
    dict
        As JSON types: the overall ``exposure`` and what systemd calls it (``verdict``); systemd's
        ``version``; and ``findings``, what adds to it, the worst first.

    Raises
    ------
    SerEdgeError
        When systemd-analyze is not there, too old, or cannot read the unit.
    """
    if not shutil.which("systemd-analyze"):
        raise SerEdgeError("no systemd-analyze here; on a Debian system, apt-get install systemd")
    with TemporaryDirectory(prefix="ser-edge-exposure-") as folder:
        # It judges whether the program exists, too.
        copy = Path(shutil.copy(unit, folder))
        overall = OVERALL.search(_analyze("security", "--offline=true", str(copy)))
        listed = _analyze("security", "--offline=true", "--json=short", str(copy))
    if overall is None:
        raise SerEdgeError("systemd-analyze names no exposure; its output has changed")
    findings = [one for one in json.loads(listed) if float(one.get("exposure") or 0) > 0]
    findings.sort(key=lambda one: -float(one["exposure"]))
    return {
        "protocol": PROTOCOL,
        "version": _analyze("--version").splitlines()[0],
        "exposure": float(overall[1]),
        "verdict": overall[2],
        "findings": [
            {"name": one["name"] or one["json_field"], "what": one["description"]}
            | {"exposure": float(one["exposure"])}
            for one in findings
        ],
    }


def as_text(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [f"{one['exposure']:.1f}  {one['name']}: {one['what']}" for one in result["findings"]]
    return "\n".join([*lines, _overall(result)])


def exposure_table(results: Results) -> str:
    """The overall exposure in a line, and what adds to it."""
    blocks = []
    for result in of_kind(results, "exposure"):
        rows = [["what adds to it", "by", "what systemd says"]]
        rows += [
            [f"`{one['name']}`", f"{one['exposure']:.1f}", one["what"]]
            for one in result["findings"]
        ]
        blocks.append(f"{_overall(result)}:\n\n{markdown(rows)}")
    return "\n\n".join(blocks)


def _overall(result: dict[str, Any]) -> str:
    return f"exposure {result['exposure']} of 10 ({result['verdict']}), {result['version']}"


def _analyze(*arguments: str) -> str:
    environment = {**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_EMOJI": "0", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise SerEdgeError(f"systemd-analyze {arguments[0]}: {said[0]}")
    return done.stdout
