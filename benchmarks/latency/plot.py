"""Draws the result of ``ser-bench latency``, as a picture or as a page that holds it."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.latency.stages import STAGES
from benchmarks.latency.text import as_text, label, machine_line
from train.output_files import write_bytes
from train.plots import BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, in_house_style, to_png

COLOURS = dict(zip(STAGES, (GREY, SKY, BLUE, VERMILLION, GREEN)))
BAR_INCHES = 0.42
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }}
img {{ max-width: 100%; }}
pre {{ white-space: pre-wrap; }}
.warning {{ color: #a33c00; font-weight: bold; }}
</style>
</head>
<body>
<h1>What a decision costs</h1>
<p>{machine}; {made}</p>
{warnings}<img alt="Stages of a decision by configuration" src="data:image/png;base64,{picture}">
<pre>{text}</pre>
</body>
</html>
"""


def write_plot(result: dict[str, Any], path: Path) -> None:
    """Draw a result into a file.

    Parameters
    ----------
    result : dict
        See `benchmarks.latency.measure.bench_latency`.
    path : Path
        A .png, or a .html that holds the picture, the tables and the warnings; its folder is made.

    Raises
    ------
    SerEdgeError
        When it cannot be written.
    """
    picture = stacked_stages(result)
    content = picture if path.suffix == ".png" else _page(result, picture).encode("utf-8")
    write_bytes(path, content)


@in_house_style
def stacked_stages(result: dict[str, Any]) -> bytes:
    """Draw the median of every stage as a part of a bar, and the 99th percentile of the whole.

    Returns
    -------
    bytes
        A PNG.
    """
    rows = result["configurations"]
    figure = Figure(figsize=(9.0, 1.8 + BAR_INCHES * len(rows)))
    axes = figure.add_subplot()
    places = np.arange(len(rows))
    left = np.zeros(len(rows))
    for stage in STAGES:
        width = np.array([one["milliseconds"][stage]["p50"] for one in rows])
        axes.barh(places, width, left=left, color=COLOURS[stage], label=stage, height=0.65)
        left += width
    p99 = [one["milliseconds"]["whole"]["p99"] for one in rows]
    axes.plot(p99, places, "|", color="black", markersize=12, label="whole, p99")
    p50 = [one["milliseconds"]["whole"]["p50"] for one in rows]
    axes.plot(p50, places, "o", color=ORANGE, markersize=4, label="whole, p50")
    axes.set_yticks(places, [label(one) for one in rows])
    axes.invert_yaxis()
    axes.set(xlabel="milliseconds", title=f"A decision on {result['machine']['model']}")
    axes.set_xlim(left=0.0)
    axes.grid(axis="x")
    figure.legend(loc="outside lower center", ncols=len(STAGES) + 2)
    return to_png(figure)


def _page(result: dict[str, Any], picture: bytes) -> str:
    lines = (f'<p class="warning">{html.escape(line)}</p>\n' for line in result["warnings"])
    return PAGE.format(
        title=html.escape(f"ser-edge on {result['machine']['model']}"),
        machine=html.escape(machine_line(result)),
        made=html.escape(result["made"]),
        warnings="".join(lines),
        picture=base64.b64encode(picture).decode("ascii"),
        text=html.escape(as_text(result)),
    )
