"""The web server: live page, event stream, health, metrics and the classification of files."""

from edge_runtime.web.limits import Limits
from edge_runtime.web.server import WebServer

__all__ = ["Limits", "WebServer"]
