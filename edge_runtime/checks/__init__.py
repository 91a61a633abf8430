"""What ``ser-edge doctor`` looks at: the software, the sound and the machine, each in its file."""

from __future__ import annotations

from edge_runtime.checks.check import Check, fail, ok, warn

__all__ = ["Check", "fail", "ok", "warn"]
