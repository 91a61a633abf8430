"""Who may ask the web server, and for what address it answers."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from edge_runtime.errors import SerEdgeError

COOKIE = "ser_edge_page"
LEAST_TOKEN_LENGTH = 16
MAKE_TOKEN = "python3 -c 'import secrets; print(secrets.token_urlsafe())'"
# What a browser says of a request that a page of another site made it send.
FOREIGN = frozenset({"cross-site", "same-site"})


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered.

    Attributes
    ----------
    status : int
        Of the response.
    reason : str
        One line.
    """

    status: int
    reason: str


@dataclass(frozen=True)
class Access:
    """Decides which requests are answered.

    Without a token only this machine is served. Then a page that a browser here shows could still
    reach the server, under a name that its owner points to this machine (DNS rebinding), or by
    sending without reading the answer: so the name in the request must be this machine's, and
    requests that other sites' pages cause are refused in any case.

    Parameters
    ----------
    token : str
        What a client must know; "" for nothing.
    """

    token: str = field(default="", repr=False)

    @property
    def cookie(self) -> str:
        """What the page's cookie holds: proof of the token, not the token."""
        return hmac.new(self.token.encode(), b"ser-edge page", "sha256").hexdigest()

    def knows_token(self, given: str) -> bool:
        """Whether a text is the token, in the time that any text of its length takes."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def refusal(self, headers: Mapping[str, str]) -> Refusal | None:
        """Refuse what comes under another name, or from another site's page.

        Parameters
        ----------
        headers : mapping of str to str
            Of the request; names in any case.

        Returns
        -------
        Refusal or None
            None where the request may be answered to whoever knows the token.
        """
        host = headers.get("Host", "")
        if not self.token and not is_loopback(_host_name(host)):
            return Refusal(
                403, "without a token this is served as localhost, 127.0.0.1 or [::1] only"
            )
        origin = headers.get("Origin")
        if origin is not None and _network_part(origin) != host.lower():
            return Refusal(403, "another site's page may not ask this server")
        navigates = headers.get("Sec-Fetch-Mode") == "navigate"
        if headers.get("Sec-Fetch-Site") in FOREIGN and not navigates:
            return Refusal(403, "another site's page may not ask this server")
        return None

    def admits(self, headers: Mapping[str, str], cookie: str) -> bool:
        """Whether a request shows the token, or none is needed.

        Parameters
        ----------
        headers : mapping of str to str
            Of the request; names in any case.
        cookie : str
            The page's cookie; "" without one.
        """
        if not self.token:
            return True
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.knows_token(given.strip()):
            return True
        return hmac.compare_digest(cookie.encode(), self.cookie.encode())


def parse_address(text: str) -> tuple[str, int]:
    """Take an address and port apart.

    Parameters
    ----------
    text : str
        Such as "127.0.0.1:8765", "localhost:8765" or "[::1]:8765"; port 0 is any free one.

    Returns
    -------
    host : str
        An IP address.
    port : int
        0 to 65535.

    Raises
    ------
    SerEdgeError
        When it is something else.

    Examples
    --------
    >>> parse_address("[::1]:8765")
    ('::1', 8765)
    """
    example = "give an IP address and a port, such as 127.0.0.1:8765 or [::1]:8765"
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
        if host is None or port is None or parts.netloc != text or parts.username is not None:
            raise SerEdgeError(f"http: {text!r} is no address to serve on; {example}")
        if host == "localhost":
            return "127.0.0.1", port
        return str(ipaddress.ip_address(host)), port
    except ValueError as error:
        raise SerEdgeError(f"http: {text!r} is no address to serve on; {example}") from error


def is_loopback(host: str) -> bool:
    """Whether a name or IP address is this machine's own and reached from it alone.

    Examples
    --------
    >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "192.168.1.5", "a.com")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe(host: str, token: str) -> None:
    """Refuse to serve other machines without a token, and a token that is no secret.

    Parameters
    ----------
    host : str
        The IP address that is served.
    token : str
        The token; "" for none.

    Raises
    ------
    SerEdgeError
        With what to do.
    """
    if not token and not is_loopback(host):
        raise SerEdgeError(
            f"http: {host} can be reached from other machines, which needs a token; "
            f"set one, made by: {MAKE_TOKEN}"
        )
    if token and (len(token) < LEAST_TOKEN_LENGTH or not _fits_header(token)):
        raise SerEdgeError(
            f"http: the token must have at least {LEAST_TOKEN_LENGTH} letters, digits or other "
            f"ASCII characters without spaces; make one by: {MAKE_TOKEN}"
        )


def _fits_header(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token


def _host_name(host: str) -> str:
    """The name or address in a Host header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _network_part(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
