"""``ser-edge install-service``: writes what systemd needs to run ser-edge from boot to shutdown."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.quiet import say

UNIT = "ser-edge.service"
DEPLOY = Path(__file__).parent / "deploy"
SYSTEM_UNITS = Path("/etc/systemd/system")
SYSTEM_CONFIG = Path("/etc/ser-edge/ser-edge.toml")
# Where the Debian package puts the unit; one in SYSTEM_UNITS would hide and outlive it.
PACKAGED = Path("/usr/lib/systemd/system") / UNIT
BOOTED = Path("/run/systemd/system")  # is there where systemd runs the machine; sd_booted(3)
# What ProtectHome and PrivateTmp in the unit take out of the service's sight.
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
SYSTEMCTL_SECONDS = 120.0  # a start may wait for a slow device


@dataclass(frozen=True)
class Plan:
    """What is to be installed.

    Attributes
    ----------
    template : Path
        The unit as it is in the package.
    unit, config : Path
        Where the unit and the configuration file are, as the service will see them.
    root : Path
        What stands before both of them while they are written.
    manager : tuple of str
        The options of ``systemctl`` that name the service's manager.
    """

    template: Path
    unit: Path
    config: Path
    root: Path
    manager: tuple[str, ...]


def install_service(arguments: argparse.Namespace) -> int:
    """Write the unit, and an example of the configuration where there is none.

    Parameters
    ----------
    arguments : Namespace
        ``user``, ``root``, ``config``, ``enable`` and ``dry_run``.

    Returns
    -------
    int
        0.

    Raises
    ------
    SerEdgeError
        When this is not the user who may, the machine is not run by systemd, the service could not
        read the program, or a file cannot be written.
    """
    plan = _plan(arguments.user, arguments.root, arguments.config)
    if arguments.root is None:
        _require_readable(plan, arguments.user)
    if arguments.dry_run:
        _show(plan)
        return 0
    if arguments.root is None:
        _require_systemd(arguments.user)
        _require_not_packaged(arguments.user)
    elif arguments.enable:
        raise SerEdgeError("--enable starts a service of this machine; it does not go with --root")
    _write_config(plan)
    _write_unit(plan)
    if arguments.root is None:
        _systemctl(plan, "daemon-reload")
        if arguments.enable:
            _start(plan)
        else:
            _say_how_to_start(plan)
    return 0


def program() -> list[str]:
    """Words of the command that starts this very installation of ser-edge."""
    script = Path(sysconfig.get_path("scripts")) / "ser-edge"
    if script.is_file():
        return [str(script)]
    return [sys.executable, "-m", "edge_runtime.cli"]


def unit_text(template: str, command: Iterable[str]) -> str:
    r"""Put a command into a unit.

    Parameters
    ----------
    template : str
        A unit with one line ``ExecStart=``.
    command : iterable of str
        Its words, as the program shall get them.

    Returns
    -------
    str
        The unit, with the command in place of the one that was there.

    Examples
    --------
    >>> unit_text("[Service]\nExecStart=/bin/true\n", ["/opt/a b", "50%"])
    '[Service]\nExecStart="/opt/a b" "50%%"\n'
    """
    line = "ExecStart=" + " ".join(map(_quoted, command))
    return re.sub(r"^ExecStart=.*$", lambda _: line, template, flags=re.MULTILINE)


def hidden_from_service(paths: Iterable[Path]) -> list[Path]:
    """Find what a service of the machine cannot read.

    Parameters
    ----------
    paths : iterable of Path
        Absolute.

    Returns
    -------
    list of Path
        Those below a home or a folder for temporary files; where it is not the path itself but
        what it links to, that.

    Examples
    --------
    >>> hidden_from_service([Path("/opt/ser-edge/bin/ser-edge"), Path("/home/pi/ser-edge")])
    [PosixPath('/home/pi/ser-edge')]
    """
    return [
        seen
        for path in paths
        for seen in dict.fromkeys((path, path.resolve()))
        if any(Path(folder) in seen.parents for folder in HIDDEN)
    ]


def _plan(user: bool, root: Path | None, config: Path | None) -> Plan:
    root = (root or Path("/")).absolute()
    if not user:
        place = SYSTEM_UNITS / UNIT
        return Plan(DEPLOY / UNIT, place, (config or SYSTEM_CONFIG).absolute(), root, ())
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    config = (config or own / "ser-edge" / "ser-edge.toml").absolute()
    return Plan(DEPLOY / "user" / UNIT, own / "systemd" / "user" / UNIT, config, root, ("--user",))


def _require_readable(plan: Plan, user: bool) -> None:
    needed = [Path(program()[0]), Path(sys.executable), DEPLOY, plan.config]
    hidden = [] if user else hidden_from_service(needed)
    if hidden:
        raise SerEdgeError(
            f"{hidden[0]}: a service of the machine sees no home and no temporary folder; install "
            "ser-edge below /opt, with a Python that is not in a home either, "
            "or say --user for a service of yours"
        )


def _require_systemd(user: bool) -> None:
    if not BOOTED.is_dir():
        raise SerEdgeError(
            "install-service: this machine is not run by systemd; let its own service manager "
            f"start: {' '.join(program())} listen"
        )
    if not user and os.geteuid() != 0:
        raise SerEdgeError(
            f"install-service: only root may: sudo {' '.join(program())} install-service; "
            "or say --user for a service of yours"
        )


def _require_not_packaged(user: bool) -> None:
    if not user and PACKAGED.exists():
        raise SerEdgeError(
            f"{PACKAGED}: the Debian package has installed the service already; "
            "start it: sudo systemctl enable --now ser-edge"
        )


def _unit(plan: Plan) -> str:
    template = plan.template.read_text(encoding="utf-8")
    return unit_text(template, [*program(), "listen", "--wait", "--config", str(plan.config)])


def _show(plan: Plan) -> None:
    print(f"# {plan.unit}\n{_unit(plan)}", end="")
    if not _below(plan.root, plan.config).exists():
        print(f"\n# {plan.config}\n{_example()}", end="")


def _write_config(plan: Plan) -> None:
    path = _below(plan.root, plan.config)
    if path.exists():
        _say(f"kept {path}")
        return
    _write(path, _example())
    _say(f"wrote {path}: an example, with the defaults")


def _write_unit(plan: Plan) -> None:
    path = _below(plan.root, plan.unit)
    old, new = _existing(path), _unit(plan)
    if old == new:
        _say(f"kept {path}: it is up to date")
    else:
        _write(path, new)
        _say(f"wrote {path}" if old is None else f"replaced {path}, where it differed:")
        for line in _difference(old or new, new):
            say(f"    {line}")
    for drop_in in sorted(Path(f"{path}.d").glob("*.conf")):
        _say(f"kept {drop_in}: it still changes the service")


def _existing(path: Path) -> str | None:
    if path.is_symlink() and not path.is_file():  # a mask is a link to /dev/null
        raise SerEdgeError(f"{path}: the service is masked; systemctl unmask {path.name}")
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be read: {error.strerror}") from error


def _difference(old: str, new: str) -> list[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return [line for line in list(lines)[2:] if not line.startswith("@@")]


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
            temporary.chmod(0o644)  # the service's user is nobody's group
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written: {error.strerror}") from error


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to(path.anchor)


def _start(plan: Plan) -> None:
    _systemctl(plan, "enable", UNIT)
    # One that runs already shall run what was just installed.
    _systemctl(plan, "restart", UNIT)
    _say(f"{UNIT} runs, now and after every boot")


def _say_how_to_start(plan: Plan) -> None:
    sudo = "" if plan.manager else "sudo "
    options = " ".join(["", *plan.manager])
    print(f"start it, now and at every boot:  {sudo}systemctl{options} enable --now ser-edge")
    print(f"look at it:                       systemctl{options} status ser-edge")


def _systemctl(plan: Plan, *words: str) -> None:
    import subprocess  # not at the top: every start of ser-edge would wait for it

    command = ["systemctl", *plan.manager, *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SYSTEMCTL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SerEdgeError(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise SerEdgeError(f"{' '.join(command)}: {said[0]}")


def _example() -> str:
    from edge_runtime import config

    return config.example()


def _quoted(word: str) -> str:
    """Write a word as systemd.service(5) reads it."""
    if re.fullmatch(r"[\w@+=:,./-]+", word, flags=re.ASCII):
        return word
    for one, other in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(one, other)
    return f'"{word}"'


def _say(line: str) -> None:
    say(f"ser-edge: {line}")
