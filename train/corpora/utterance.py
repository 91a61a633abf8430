"""One labelled recording, and a table of many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("path", "emotion", "speaker", "text", "corpus")


@dataclass(frozen=True)
class Utterance:
    """One labelled recording.

    Attributes
    ----------
    path : Path
        The sound file.
    emotion : str
        The label in the project's terms.
    speaker : str
        Unique over all corpora.
    text : str
        What is said, as the corpus numbers or names it.
    corpus : str
        Name of the corpus.
    key : str
        Unique within the corpus; empty where the file's name is.
    """

    path: Path
    emotion: str
    speaker: str
    text: str
    corpus: str
    key: str = ""

    @property
    def name(self) -> str:
        """The key or, without one, the file's name without its suffix: unique within the corpus."""
        return self.key or self.path.stem


def to_frame(utterances: Iterable[Utterance]) -> pd.DataFrame:
    """Return a table with a row for every utterance.

    Parameters
    ----------
    utterances : iterable of Utterance
        What to list.

    Returns
    -------
    pandas.DataFrame
        Columns path, emotion, speaker, text and corpus, all of them text.
    """
    # Only who asks for a table waits for pandas.
    import pandas as pd

    rows = [(str(u.path), u.emotion, u.speaker, u.text, u.corpus) for u in utterances]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")
