"""Writes tables from stored results between marks in Markdown documents.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; what is between the marks
is replaced, the rest of the document is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.ablation_tables import ablation_table
from benchmarks.accuracy_tables import conditions_table, streaming_labels_table, streaming_table
from benchmarks.adapt_tables import adaptation_table, adapted_classes_table
from benchmarks.arm64_tables import cheapest_list, counts_table, peers_list, suite_list
from benchmarks.conversion_tables import conversions_table
from benchmarks.coverage import coverage_table
from benchmarks.daemon_tables import listening_table, nonspeech_table, soak_table
from benchmarks.daemon_tables import targets_list as daemon_targets
from benchmarks.edge_int8_table import edge_int8_table
from benchmarks.edge_tables import cross_corpus_table, edge_table
from benchmarks.enrol_tables import cost_list, enrolment_table, pairs_table
from benchmarks.hardware_page import hardware_table
from benchmarks.installs.debian import package_list
from benchmarks.installs.exposure import exposure_table
from benchmarks.installs.tables import installs_table
from benchmarks.limit_text import limit_table, products_table
from benchmarks.markdown import markdown
from benchmarks.mutation.tables import mutation_table, survivors_list
from benchmarks.options_table import convert_table, train_table
from benchmarks.peers.report import clips_table, peers_table, peers_targets
from benchmarks.preparation_table import preparation_table, targets_list
from benchmarks.results import Results, of_kind
from benchmarks.settings_table import settings_table
from benchmarks.system_tables import NOTHING, classes_table, runs_table, systems_table
from benchmarks.tested import tested_table
from edge_runtime.errors import SerEdgeError
from train.output_files import write_bytes

MARKED = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def update_documents(documents: list[Path], results: Results, write: bool) -> list[Path]:
    """Bring the tables of documents up to date.

    Parameters
    ----------
    documents : list of Path
        Markdown files.
    results : dict
        What `benchmarks.results.load_all` gave.
    write : bool
        Whether to write, or only to compare.

    Returns
    -------
    list of Path
        The documents that were, or are, out of date.

    Raises
    ------
    SerEdgeError
        When a document cannot be read or written, has no mark, or asks for a table that is not
        known.
    """
    stale = []
    for path in documents:
        text = _text(path)
        if not MARKED.search(text):
            raise SerEdgeError(f"{path}: has no <!-- table: NAME --> mark")
        renewed = _renewed(text, results, path)
        if renewed != text:
            stale.append(path)
            if write:
                write_bytes(path, renewed.encode("utf-8"))
    return stale


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SerEdgeError(f"{path}: cannot be read ({reason})") from error


def _renewed(text: str, results: Results, path: Path) -> str:
    return MARKED.sub(lambda mark: f"{mark[1]}{_table(mark[2], results, path)}\n{mark[3]}", text)


def _table(name: str, results: Results, path: Path) -> str:
    if name not in TABLES:
        raise SerEdgeError(f"{path}: asks for the unknown table {name!r}")
    return TABLES[name](results)


def _bundled_table(results: Results) -> str:
    """UAR, WA and the recall of every class of the bundled model, per test corpus."""
    run = _bundled_run(results)
    rows = [["tested on", "model", "UAR", "WA", "utterances", *run["labels"]]]
    for name, model in run["models"].items():
        parts = {"all": model["figures"], **model["figures"]["by_corpus"]}
        for corpus, figures in parts.items():
            found = [figures["recall"].get(label) for label in run["labels"]]
            recalls = [NOTHING if recall is None else f"{recall:.2f}" for recall in found]
            rows.append(
                [
                    corpus,
                    _variant(name),
                    f"{figures['uar']:.3f}",
                    f"{figures['wa']:.3f}",
                    str(figures["utterances"]),
                    *recalls,
                ]
            )
    return markdown(rows)


def _bundled_file(results: Results) -> str:
    """Size, hash and conversion of the bundled file."""
    run = _bundled_run(results)
    name = next(name for name in run["models"] if ".int8." in name)
    model = run["models"][name]
    conversion = model["conversion"]
    calibration = conversion["calibration"]
    return "\n".join(
        [
            f"- {model['bytes'] / 1024:.1f} KB, SHA-256 `{model['sha256']}`",
            f"- int8 against float32: the same label on {conversion['agreement']:.1%} of "
            f"{conversion['windows']} windows of {conversion['windows_of']}; probabilities differ "
            f"by {conversion['mean_difference']:.4f} on average, at most "
            f"{conversion['largest_difference']:.4f}",
            f"- calibrated on {calibration['fitted_on']}: temperature "
            f"{calibration['temperature']:.2f}; below a score of "
            f"{calibration['rejection_threshold']:.2f} it says unsure, and of the "
            f"{calibration['accepted']:.0%} above it {calibration['right_when_accepted']:.0%} are "
            "right",
            f"- trained on {_listed(run['speakers']['train'])}",
            f"- selected on {_listed(run['speakers']['validation'])}",
            f"- tested on {_listed(run['speakers']['test'])}",
        ]
    )


def _features_table(results: Results) -> str:
    """Speed of the features against other libraries."""
    rows = [
        [
            "computation",
            "ms, p50",
            "ms, p90",
            "times slower than ours, whole clip",
            "than ours, new frames of a hop",
        ]
    ]
    for result in of_kind(results, "features"):
        clip, hop = result["times_faster"].values()
        for name, times in result["milliseconds"].items():
            rows.append(
                [
                    name,
                    f"{times['p50']:.3f}",
                    f"{times['p90']:.3f}",
                    _ratio(clip.get(name)),
                    _ratio(hop.get(name)),
                ]
            )
    return markdown(rows)


def _bundled_run(results: Results) -> dict[str, Any]:
    return of_kind(results, "bundled")[0]


def _ratio(percentiles: dict[str, float] | None) -> str:
    if percentiles is None:
        return ""
    return f"{percentiles['p50']:.1f} ({percentiles['p10']:.1f} - {percentiles['p90']:.1f})"


def _variant(file_name: str) -> str:
    """What stands between the dots of ``model.int8.tflite``."""
    return file_name.split(".")[-2]


def _listed(names: list[str]) -> str:
    return ", ".join(names)


TABLES: dict[str, Callable[[Results], str]] = {
    "edge": edge_table,
    "cross-corpus": cross_corpus_table,
    "bundled": _bundled_table,
    "bundled-file": _bundled_file,
    "coverage": coverage_table,
    "enrol": enrolment_table,
    "enrol-cost": cost_list,
    "enrol-pairs": pairs_table,
    "ablation": ablation_table,
    "adaptation": adaptation_table,
    "adaptation-classes": adapted_classes_table,
    "features": _features_table,
    "features-targets": partial(daemon_targets, "features"),
    "peers": peers_table,
    "peers-classify": clips_table,
    "peers-targets": peers_targets,
    "arm64": counts_table,
    "arm64-cheapest": cheapest_list,
    "arm64-peers": peers_list,
    "arm64-targets": partial(daemon_targets, "arm64"),
    "arm64-tests": suite_list,
    "installs": installs_table,
    "debian-package": package_list,
    "exposure": exposure_table,
    "tested": tested_table,
    "mutation": mutation_table,
    "mutation-survivors": survivors_list,
    "limit": limit_table,
    "limit-products": products_table,
    "hardware": hardware_table,
    "conditions": conditions_table,
    "streaming": streaming_table,
    "streaming-labels": streaming_labels_table,
    "systems": systems_table,
    "systems-runs": runs_table,
    "systems-classes": classes_table,
    "conversions": conversions_table,
    "conversions-edge": partial(edge_int8_table, protocol="ravdess-5fold"),
    "conversions-edge-tess": partial(edge_int8_table, protocol="tess-loso"),
    "conversions-edge-emodb": partial(edge_int8_table, protocol="emodb-loso"),
    "preparation": preparation_table,
    "preparation-targets": targets_list,
    "settings": settings_table,
    "options-train": train_table,
    "options-convert": convert_table,
    "listening": listening_table,
    "listening-targets": partial(daemon_targets, "listening"),
    "nonspeech": nonspeech_table,
    "soak": soak_table,
    "soak-targets": partial(daemon_targets, "soak"),
}
