"""A microphone without a sound card: a sound server plays files into it, PortAudio records it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path

PROGRAMS = ("pulseaudio", "paplay", "parec", "pactl")
PIPEWIRE_PROGRAMS = ("dbus-daemon", "pipewire", "wireplumber", "pipewire-pulse")
SOCKETS = {"dbus-daemon": "bus", "pipewire": "pipewire-0"}  # which the next program needs
ALSA_PLUGIN = "alsa-lib/libasound_module_pcm_pulse.so"
START_SECONDS = 10.0


def missing() -> str | None:
    """What this machine lacks for a virtual microphone, None when nothing."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            return f"{program} is not installed (apt-get install pulseaudio pulseaudio-utils)"
    if find_library("portaudio") is None:
        return "PortAudio is not installed (apt-get install libportaudio2)"
    if not any(Path("/usr/lib").glob(f"*/{ALSA_PLUGIN}")):
        return "ALSA's PulseAudio plugin is not installed (apt-get install libasound2-plugins)"
    if importlib.util.find_spec("sounddevice") is None:
        return "the sounddevice package is not installed"
    return None


def pipewire_missing() -> str | None:
    """What this machine lacks for PipeWire in PulseAudio's place, None when nothing."""
    for program in PIPEWIRE_PROGRAMS:
        if shutil.which(program) is None:
            return (
                f"{program} is not installed "
                "(apt-get install pipewire pipewire-pulse wireplumber dbus)"
            )
    return missing()


class VirtualMicrophone:
    """A sound server of its own, PulseAudio or PipeWire, whose default source hears what is played.

    Child processes that are given `env` see the input devices "pulse" and "default"; this
    process, the user's home and a sound server that may be running are left alone.
    """

    def __init__(self, folder: Path, latency: int = 20, pipewire: bool = False) -> None:
        self._folder = folder
        self._latency = latency  # ms
        self._pipewire = pipewire
        self._log = (folder / "server.log").open("wb")
        server = f"unix:{folder}/runtime/native" if pipewire else f"unix:{folder}/pulse.sock"
        alsa = folder / "asound.conf"
        alsa.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\n")
        own = {"ALSA_CONFIG_PATH": alsa, "PULSE_COOKIE": folder / "cookie"}
        own["PULSE_RUNTIME_PATH"] = own["PULSE_STATE_PATH"] = folder / "runtime"
        self.env = {**os.environ, "PULSE_SERVER": server, **{k: str(v) for k, v in own.items()}}
        self._servers = self._start_servers()
        self._listener: subprocess.Popen[bytes] | None = None
        self.plug_in()

    def play(self, path: Path) -> subprocess.Popen[bytes]:
        """Start to play a sound file into the microphone; ``wait()`` for its end."""
        return subprocess.Popen(["paplay", "--device=mic", str(path)], env=self.env)

    def plug_in(self, rate: int = 16000, channels: int = 1) -> None:
        """Attach the microphone and make it the default."""
        self._control(
            "load-module",
            "module-null-sink",
            "sink_name=mic",
            f"rate={rate}",
            f"channels={channels}",
        )
        self._control("set-default-source", "mic.monitor")
        # A null sink that nobody needs at once works in steps of two seconds.
        self._listener = subprocess.Popen(
            ["parec", "--device=mic.monitor", f"--latency-msec={self._latency}"],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )

    def unplug(self) -> None:
        """Detach the microphone, as if its plug were pulled."""
        self._control("unload-module", "module-null-sink")
        self._end(self._listener)
        self._listener = None

    def hang(self) -> None:
        """Let the sound server hang."""
        for server in self._servers:
            server.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End what `hang` began."""
        for server in self._servers:
            server.send_signal(signal.SIGCONT)

    def kill_server(self) -> None:
        """End the sound server, and with it the microphone."""
        self._end(self._listener)
        self._listener = None
        self._end_servers()

    def start_server(self) -> None:
        """Start the sound server again, with the microphone."""
        self._servers = self._start_servers()
        self.plug_in()

    def restore(self) -> None:
        """Make the microphone as it was at first, whatever was done to it."""
        self.go_on()
        if not self._servers:
            self.start_server()
            return
        subprocess.run(
            ["pactl", "unload-module", "module-null-sink"], env=self.env, capture_output=True
        )
        self._end(self._listener)
        self.plug_in()

    def close(self) -> None:
        """Stop everything."""
        self._end(self._listener)
        self._end_servers()
        self._log.close()

    def _start_servers(self) -> list[subprocess.Popen[bytes]]:
        # A home of its own, so that it neither reads nor writes the user's settings.
        env = {**self.env, "HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)}
        del env["PULSE_SERVER"]
        commands = self._pulseaudio()
        if self._pipewire:
            bus = f"unix:path={self._folder}/bus"
            env["DBUS_SESSION_BUS_ADDRESS"] = bus
            commands = [
                ["dbus-daemon", "--session", f"--address={bus}", "--nofork"],
                ["pipewire"],
                ["wireplumber"],
                ["pipewire-pulse"],
            ]
        servers: list[subprocess.Popen[bytes]] = []
        for command in commands:
            servers.append(subprocess.Popen(command, env=env, stdout=self._log, stderr=self._log))
            if command[0] in SOCKETS:
                self._wait(servers, (self._folder / SOCKETS[command[0]]).exists)
        self._wait(servers, self._answers)
        return servers

    def _pulseaudio(self) -> list[list[str]]:
        protocol = f"module-native-protocol-unix auth-anonymous=1 socket={self._folder}/pulse.sock"
        options = "--daemonize=no --use-pid-file=no --disallow-exit --exit-idle-time=-1 -n -L"
        return [["pulseaudio", *options.split(), protocol]]

    def _answers(self) -> bool:
        answer = subprocess.run(["pactl", "info"], env=self.env, capture_output=True, text=True)
        # PipeWire answers before its session manager has begun to connect streams.
        return answer.returncode == 0 and "@DEFAULT_SINK@" not in answer.stdout

    def _wait(self, servers: list[subprocess.Popen[bytes]], condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            ended = any(server.poll() is not None for server in servers)
            if ended or time.monotonic() > deadline:
                for server in reversed(servers):
                    self._end(server)
                log = (self._folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"the sound server did not start: {log}")
            time.sleep(0.1)

    def _end_servers(self) -> None:
        for server in reversed(self._servers):
            self._end(server)
        self._servers = []
        # What says that a server is up must not be of the one before.
        for name in SOCKETS.values():
            (self._folder / name).unlink(missing_ok=True)

    def _control(self, *command: str) -> None:
        subprocess.run(["pactl", *command], env=self.env, check=True, capture_output=True)

    @staticmethod
    def _end(process: subprocess.Popen[bytes] | None) -> None:
        if process is not None:
            process.kill()
            process.wait()
