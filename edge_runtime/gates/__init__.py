"""Gates: what tells when there is speech, so that nothing else is classified."""

from edge_runtime.gates.choice import GATE_NAMES, make_gate
from edge_runtime.gates.gate import Gate

__all__ = ["GATE_NAMES", "Gate", "make_gate"]
