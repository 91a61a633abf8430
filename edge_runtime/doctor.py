"""``ser-edge doctor``: looks at what ser-edge needs, and says what to mend."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import Counter
from pathlib import Path

from edge_runtime import config
from edge_runtime.checks import Check
from edge_runtime.quiet import say

WIDTH = 26  # of the names
FORMAT_KEY = "output.format"


def doctor(arguments: argparse.Namespace) -> int:
    """Print a line for each check.

    Parameters
    ----------
    arguments : Namespace
        ``config``, and by their keys "source.device", "model.file" and "output.format".

    Returns
    -------
    int
        1 when something is amiss that keeps ser-edge from running, else 0.
    """
    counts: Counter[str] = Counter()
    given = vars(arguments)
    # Not of the configuration, which is looked at, and may have a fault.
    form = config.load(flags={FORMAT_KEY: given[FORMAT_KEY]}).output.format
    for check in _checks(given["config"], given["source.device"], given["model.file"]):
        counts[check.outcome] += 1
        if form == "jsonl":
            print(json.dumps(dataclasses.asdict(check)), flush=True)
        else:
            print(_as_text(check), flush=True)
    summary = f"{counts['ok']} ok, {counts['warn']} to better, {counts['fail']} to mend"
    say(f"ser-edge: {summary}")
    return 1 if counts["fail"] else 0


def _checks(path: Path | None, device: str | None, model: Path | None) -> list[Check]:
    from edge_runtime.checks import machine, software, sound

    settings, configured = software.configuration(path)
    source = settings.source
    if model is not None:
        chosen = dataclasses.replace(settings.model, file=model)
        settings = dataclasses.replace(settings, model=chosen)
    found = [configured, *software.checks(settings), *machine.checks()]
    if source.source == "mic":
        found += sound.checks(device or source.device)
    return found


def _as_text(check: Check) -> str:
    line = f"{check.outcome:<6}{check.name:<{WIDTH}}{check.found}"
    return f"{line}\n{'':<{6 + WIDTH}}-> {check.advice}" if check.advice else line
