"""Encrypted connections: whom to trust, and what went wrong in a few words."""

from __future__ import annotations

import os
import ssl

from edge_runtime.errors import SerEdgeError


def client_context(ca_file: str | os.PathLike[str] | None) -> ssl.SSLContext:
    """Make the context of connections to servers that prove who they are.

    Parameters
    ----------
    ca_file : str, Path or None
        Certificate of the authority that signed the server's; those of the system by default.

    Raises
    ------
    SerEdgeError
        When the file cannot be read or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError as error:
        raise SerEdgeError(f"{ca_file}: holds no certificate in PEM form") from error
    except OSError as error:
        raise SerEdgeError(f"{ca_file}: cannot be read: {error.strerror}") from error


def tls_reason(error: ssl.SSLError) -> str:
    """Why no encrypted connection came about, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        return f"its certificate is not trusted ({reason}); give its authority's as ca_file"
    if "WRONG_VERSION_NUMBER" in str(error):
        return "answers without encryption; is this its port for TLS?"
    return f"no encrypted connection ({error.reason or error.strerror or error})"
