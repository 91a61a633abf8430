"""The tables of what was tried, and what each step gained or lost."""

from __future__ import annotations

from benchmarks.markdown import markdown
from benchmarks.results import Results, of_kind
from train.ablation_table import HEAD, rows


def ablation_table(results: Results) -> str:
    """Every stored ablation, with what it was judged on above it."""
    parts = []
    for stored in of_kind(results, "ablation"):
        cells = stored["results"]
        parts.append(f"{cells[0]['about']}\n\n{markdown([HEAD, *rows(cells)])}")
    return "\n\n".join(parts)
