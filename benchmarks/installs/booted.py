"""The service of an installed package in a Debian that systemd runs, in a container."""

from __future__ import annotations

import json
import shutil
import subprocess
import wave
from pathlib import Path
from typing import Any

from benchmarks.installs.checks import UnmetError
from benchmarks.installs.native import SkippedError
from edge_runtime.install import SYSTEM_CONFIG, SYSTEM_UNITS

SECONDS = 300.0
REPEATS = 40
EVENTS = Path("/var/log/private/ser-edge/events.jsonl")
SOUND = Path("/opt/demo.wav")
CONFIGURATION = f"""[source]
source = "{SOUND}"
realtime = true

[jsonl]
file = "/var/log/ser-edge/events.jsonl"
"""
# Each line that it writes is a name and what came of it.
SCRIPT = r"""
state() { echo "$1 $(systemctl is-active ser-edge)"; }
heard() { wc -l 2>/dev/null </var/log/ser-edge/events.jsonl || echo 0; }
wait_for() { n=0; until "$@" || [ $n -ge 60 ]; do sleep 1; n=$((n + 1)); done; }
has_heard() { [ "$(heard)" -ge 3 ]; }
# The number first: while the old process dies, the service is still "active", and of no process.
is_again() {
    now=$(pid)
    [ "$now" != 0 ] && [ "$now" != "$first" ] && [ "$(systemctl is-active ser-edge)" = active ]
}
pid() { systemctl show ser-edge -p MainPID --value; }

echo "install-service $(ser-edge install-service 2>&1 | grep -c 'Debian package has installed')"
systemctl start ser-edge
state started
first=$(pid)
echo "user $(stat -c %u /proc/$first)"
echo "writable $(nsenter -t $first -m sh -c 'touch /usr/x 2>/dev/null && echo yes || echo no')"
wait_for has_heard
systemctl reload ser-edge
state reloaded
systemctl kill -s KILL ser-edge
wait_for is_again
state restarted
apt-get remove -y -q ser-edge >/dev/null 2>&1
state removed
echo "processes $(pgrep -c -f 'ser-edge listen')"
"""
WANTED = {
    "install-service": "1",
    "started": "active",
    "writable": "no",
    "reloaded": "active",
    "restarted": "active",
    "removed": "inactive",
    "processes": "0",
}
CHECK = """[Unit]
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/bin/sh /root/check.sh
StandardOutput=file:/root/check.log
ExecStopPost=/bin/systemctl poweroff --no-block
"""


def boot_and_check(root: Path, sound: Path) -> dict[str, Any]:
    """Boot a Debian in which ser-edge is installed, and hold its service to what it promises.

    Parameters
    ----------
    root : Path
        Its folder, with systemd; it is changed.
    sound : Path
        A recording in which there is speech, which stands for a microphone.

    Returns
    -------
    dict
        As JSON types: the number of ``events`` that the service wrote, and the ``user`` it ran as.

    Raises
    ------
    SkippedError
        When there is no systemd-nspawn here, or nothing can be booted.
    UnmetError
        When the service does not start, reload, come again or go.
    """
    if not shutil.which("systemd-nspawn"):
        raise SkippedError("no systemd-nspawn here; apt-get install systemd-container")
    _prepare(root, sound)
    command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"]
    subprocess.run(
        [*command, f"--directory={root}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )
    log = root / "root" / "check.log"
    if not log.exists():
        raise SkippedError("systemd-nspawn cannot boot anything here")
    found = dict(line.split(" ", 1) for line in log.read_text(encoding="utf-8").splitlines())
    for name, wanted in WANTED.items():
        if found.get(name) != wanted:
            raise UnmetError(f"booted: {name}: {found.get(name, 'nothing')}, not {wanted}")
    if found["user"] == "0":
        raise UnmetError("booted: the service runs as root")
    return {"events": _events(root), "user": int(found["user"])}


def _prepare(root: Path, sound: Path) -> None:
    _repeat(sound, _below(root, SOUND))
    _below(root, SYSTEM_CONFIG).write_text(CONFIGURATION, encoding="utf-8")
    (root / "root" / "check.sh").write_text(SCRIPT, encoding="utf-8")
    unit = _below(root, SYSTEM_UNITS) / "check.service"
    unit.write_text(CHECK, encoding="utf-8")
    wants = unit.parent / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / unit.name).symlink_to(f"../{unit.name}")


def _repeat(sound: Path, into: Path) -> None:
    """Write a recording many times in a row: a microphone does not end within a test."""
    with wave.open(str(sound)) as once, wave.open(str(into), "wb") as often:
        often.setparams(once.getparams())
        often.writeframes(once.readframes(once.getnframes()) * REPEATS)


def _events(root: Path) -> int:
    path = _below(root, EVENTS)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if not lines or json.loads(lines[0])["kind"] != "start":
        raise UnmetError("booted: the service has written no event")
    return len(lines)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")
