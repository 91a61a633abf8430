"""Certificates for servers on this machine, from an authority that nobody else trusts."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NEW = ["req", "-newkey", "rsa:2048", "-nodes", "-sha256"]


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form: of the authority, and of a server that it vouches for."""

    authority: Path
    server: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """What a Python server encrypts with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.key)
        return context


def make_certificates(folder: Path, names: str = "DNS:localhost,IP:127.0.0.1") -> Certificates:
    """Make an authority and a certificate for a server of these names; skip without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (apt-get install openssl)")

    def openssl(*arguments: object) -> None:
        command = ["openssl", *map(str, arguments)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    (folder / "extensions").write_text(f"subjectAltName={names}\n")
    openssl(*NEW, "-x509", "-days", 2, "-subj", "/CN=tests", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*NEW, "-subj", "/CN=server", "-keyout", "key.pem", "-out", "server.csr")
    signs = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions"]
    openssl("x509", "-req", "-days", 2, "-in", "server.csr", *signs, "-out", "server.pem")
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "key.pem")
