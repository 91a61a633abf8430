"""A microphone without a sound card: PulseAudio plays files into it, PortAudio records it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from ctypes.util import find_library
from pathlib import Path

PROGRAMS = ("pulseaudio", "paplay", "parec", "pactl")
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


class VirtualMicrophone:
    """A PulseAudio server of its own, whose default source hears what `play` plays.

    Child processes that are given `env` see the input devices "pulse" and "default"; this
    process, the user's home and a sound server that may be running are left alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = (folder / "pulseaudio.log").open("wb")
        server = f"unix:{folder}/pulse.sock"
        alsa = folder / "asound.conf"
        alsa.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\n")
        own = {"ALSA_CONFIG_PATH": alsa, "PULSE_COOKIE": folder / "cookie"}
        own["PULSE_RUNTIME_PATH"] = own["PULSE_STATE_PATH"] = folder / "runtime"
        self.env = {**os.environ, "PULSE_SERVER": server, **{k: str(v) for k, v in own.items()}}
        self._server = self._start_server()
        self._listener: subprocess.Popen[bytes] | None = None
        self.plug_in()

    def play(self, path: Path) -> subprocess.Popen[bytes]:
        """Start to play a sound file into the microphone; ``wait()`` for its end."""
        return subprocess.Popen(["paplay", "--device=mic", str(path)], env=self.env)

    def plug_in(self) -> None:
        """Attach the microphone and make it the default."""
        self._control(
            "load-module", "module-null-sink", "sink_name=mic", "rate=16000", "channels=1"
        )
        self._control("set-default-source", "mic.monitor")
        # A null sink that nobody needs at once works in steps of two seconds.
        self._listener = subprocess.Popen(
            ["parec", "--device=mic.monitor", "--latency-msec=20"],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )

    def unplug(self) -> None:
        """Detach the microphone, as if its plug were pulled."""
        self._control("unload-module", "module-null-sink")
        self._end(self._listener)
        self._listener = None

    def close(self) -> None:
        """Stop everything."""
        self._end(self._listener)
        self._end(self._server)
        self._log.close()

    def _start_server(self) -> subprocess.Popen[bytes]:
        # A home of its own, so that it neither reads nor writes the user's settings.
        env = {**self.env, "HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)}
        del env["PULSE_SERVER"]
        protocol = f"module-native-protocol-unix auth-anonymous=1 socket={self._folder}/pulse.sock"
        options = "--daemonize=no --use-pid-file=no --disallow-exit --exit-idle-time=-1 -n -L"
        server = subprocess.Popen(
            ["pulseaudio", *options.split(), protocol],
            env=env,
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(["pactl", "info"], env=self.env, capture_output=True).returncode:
            if time.monotonic() > deadline or server.poll() is not None:
                self._end(server)
                log = (self._folder / "pulseaudio.log").read_text(errors="replace")
                raise RuntimeError(f"PulseAudio did not start: {log}")
            time.sleep(0.1)
        return server

    def _control(self, *command: str) -> None:
        subprocess.run(["pactl", *command], env=self.env, check=True, capture_output=True)

    @staticmethod
    def _end(process: subprocess.Popen[bytes] | None) -> None:
        if process is not None:
            process.kill()
            process.wait()
