"""A table of one's own, CSV or TSV, that lists recordings and their labels."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import SerEdgeError
from train.corpora.labels import emotion_of
from train.corpora.scan import Reading
from train.corpora.utterance import Utterance

if TYPE_CHECKING:
    import pandas as pd

TAB_SUFFIXES = {".tsv", ".tab"}


def scan_table(table: Path, corpus: str) -> Reading:
    """Read a table with the columns path and label (or emotion), and optionally speaker and text.

    Parameters
    ----------
    table : Path
        UTF-8 text with a header, tab-separated when it ends in .tsv, else comma-separated. Its
        relative paths start from its own folder. Where it names no speaker, the speakers are
        unknown and count as one, named after the corpus.
    corpus : str
        What to call it.

    Raises
    ------
    SerEdgeError
        When it cannot be read, lacks a column, or names a file that does not exist or of which it
        has said something else before.
    """
    found: dict[str, Utterance] = {}
    skipped: Counter[str] = Counter()
    rows = _checked(_load(table), table).to_dict("records")
    for number, row in enumerate(rows, start=1):
        if not row["path"] or not row["label"]:
            skipped["row without path or label"] += 1
            continue
        utterance = _utterance({str(key): str(value) for key, value in row.items()}, table, corpus)
        # However it is written: a file that counted twice could be on both sides of a split.
        known = found.setdefault(os.path.normpath(utterance.path), utterance)
        if not utterance.path.is_file():
            raise SerEdgeError(f"{table}: row {number} names {utterance.path}, which is no file")
        if known is not utterance:
            skipped["row listed before"] += 1
        if known.emotion != utterance.emotion:
            raise SerEdgeError(
                f"{table}: row {number} labels {row['path']} {utterance.emotion}, "
                f"an earlier one {known.emotion}; keep one of them"
            )
        if known.speaker != utterance.speaker:
            raise SerEdgeError(
                f"{table}: row {number} names another speaker of {row['path']} than an earlier "
                "one; keep one of them"
            )
    return Reading(list(found.values()), skipped)


def _load(table: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(
            table,
            sep="\t" if table.suffix.lower() in TAB_SUFFIXES else ",",
            encoding="utf-8-sig",
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
        )
    # pandas' own errors are ValueErrors.
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise SerEdgeError(f"{table}: not a table ({reason}); save it as UTF-8 CSV") from error
    except OSError as error:
        raise SerEdgeError(f"{table}: cannot be read ({error.strerror or error})") from error


def _checked(frame: pd.DataFrame, table: Path) -> pd.DataFrame:
    """Give the four columns of a table under their names, empty where it lacks an optional one."""
    import pandas as pd

    # pandas takes the first column for row names when rows have more fields than the header.
    if not isinstance(frame.index, pd.RangeIndex):
        raise SerEdgeError(
            f"{table}: rows have more fields than the header; quote values that hold the separator"
        )
    frame = frame.rename(columns=lambda column: str(column).strip().lower())
    if "label" not in frame and "emotion" in frame:
        frame = frame.rename(columns={"emotion": "label"})
    if not frame.columns.is_unique:
        raise SerEdgeError(f"{table}: has two columns of one name: {', '.join(frame.columns)}")
    missing = [column for column in ("path", "label") if column not in frame]
    if missing:
        raise SerEdgeError(
            f"{table}: lacks the column {' and '.join(missing)}; it has {', '.join(frame.columns)}"
        )
    frame = frame.reindex(columns=["path", "label", "speaker", "text"], fill_value="")
    return frame.fillna("").apply(lambda column: column.str.strip())


def _utterance(row: dict[str, str], table: Path, corpus: str) -> Utterance:
    speaker = f"{corpus}-{row['speaker']}" if row["speaker"] else corpus
    path = table.parent / row["path"]
    return Utterance(path, emotion_of(row["label"]), speaker, row["text"], corpus, row["path"])
