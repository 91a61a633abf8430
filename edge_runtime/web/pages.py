"""The answers that are there at once: the page and its files, history, health, metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_runtime.web.access import COOKIE
from edge_runtime.web.answer import Answer
from edge_runtime.web.metrics import exposition

PAGE = Path(__file__).parent / "page"
PAGE_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/static/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/static/chart.js": ("chart.js", "text/javascript; charset=utf-8"),
    "/static/page.css": ("page.css", "text/css; charset=utf-8"),
    "/static/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEALTHY_SECONDS = 10.0
HEALTHY_HOPS = 3.0  # for hops that are longer than that


class PageFile(Answer):
    """The page and its parts: files named in `PAGE_FILES`, and no others."""

    def knows_token(self) -> bool:
        """Take the token from the page's address too, and then put it into a cookie."""
        if super().knows_token():
            return True
        if not self.site.access.knows_token(self.get_query_argument("token", "")):
            return False
        self.set_cookie(COOKIE, self.site.access.cookie, httponly=True, samesite="Strict")
        return True

    def get(self) -> None:
        """Answer with the file."""
        name, content_type = PAGE_FILES[self.request.path]
        self.set_header("Content-Type", content_type)
        self.finish((PAGE / name).read_bytes())

    head = get


class History(Answer):
    """The state, the hops of the last minutes and the last events."""

    def get(self) -> None:
        """Answer with all that is kept."""
        self.write_json({"status": self.site.status.snapshot(), **self.site.status.history()})

    head = get


class Health(Answer):
    """Whether the daemon hears."""

    needs_token = False

    def get(self) -> None:
        """Answer 200 when a hop came lately or the source is being recovered, else 503."""
        snapshot = self.site.status.snapshot()
        reason = why_unhealthy(snapshot)
        self.set_status(503 if reason else 200)
        self.write_json(
            {
                "ok": not reason,
                "reason": reason,
                "source": snapshot["source"],
                "seconds_since_hop": snapshot["seconds_since_hop"],
            }
        )

    head = get


class Metrics(Answer):
    """Everything that can be counted, for Prometheus."""

    def get(self) -> None:
        """Answer with all metrics."""
        accept = self.request.headers.get("Accept", "")
        body, content_type = exposition(self.site.registry, accept)
        self.set_header("Content-Type", content_type)
        self.finish(body)

    head = get


class Nothing(Answer):
    """Answers for all other addresses."""

    def prepare(self) -> None:
        """Answer 404 to whoever may ask at all."""
        super().prepare()
        if not self._finished:
            self.refuse(404, "there is nothing at this address")


def why_unhealthy(snapshot: dict[str, Any]) -> str:
    """Say what keeps the daemon from hearing; "" when it hears or works at it.

    Parameters
    ----------
    snapshot : dict
        See `Status.snapshot`.
    """
    if snapshot["source"]["state"] != "listening":
        return ""
    seconds = snapshot["seconds_since_hop"]
    if seconds <= max(HEALTHY_SECONDS, HEALTHY_HOPS * snapshot["about"]["hop_seconds"]):
        return ""
    return f"no hop for {seconds:.0f} s although the source is open"
