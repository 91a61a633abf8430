"""What a corpus' folder holds: counted, and on request timed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError
from train.corpora.registry import ADAPTERS, corpus_path, nothing_found, scan_corpus
from train.corpora.utterance import Utterance

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Summary:
    """One corpus in figures.

    Attributes
    ----------
    corpus : str
        Its name.
    folder : str
        Where it was looked for.
    utterances : int
        Number of recordings.
    speakers : int or None
        Number of speakers, None when they are unknown.
    classes : dict of str to int
        Recordings by emotion.
    skipped : dict of str to int
        Files that were left out, by reason.
    address : str
        Where to get the corpus, empty for one's own.
    hours : float or None
        Length of all recordings, None when it was not asked for.
    missing : str
        What to do when there are no recordings, else empty.
    """

    corpus: str
    folder: str
    utterances: int
    speakers: int | None
    classes: dict[str, int]
    skipped: dict[str, int]
    address: str
    hours: float | None
    missing: str

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        return dict(vars(self))

    def lines(self) -> list[str]:
        """The figures in words, the first line with the corpus' name."""
        if self.missing:
            lines = [f"{self.corpus}: {self.missing}"]
        else:
            hours = "" if self.hours is None else f", {self.hours:.2f} h"
            speakers = "speakers unknown" if self.speakers is None else f"{self.speakers} speakers"
            lines = [
                f"{self.corpus}: {self.utterances} utterances, {speakers}{hours}, {self.folder}",
                "  " + ", ".join(f"{label} {count}" for label, count in self.classes.items()),
            ]
        if self.skipped:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.skipped.items())
            lines.append(f"  skipped: {reasons}")
        return lines


def summarise(folder: Path, name: str, hours: bool = False) -> Summary:
    """Count what a corpus holds.

    Parameters
    ----------
    folder : Path
        Holds one subfolder per corpus.
    name : str
        A key of `ADAPTERS`, ``folder:DIR`` or ``table:FILE``.
    hours : bool, optional
        Also read the header of every file for its length.

    Returns
    -------
    Summary
        Of what is there, which may be nothing.

    Raises
    ------
    SerEdgeError
        When the corpus is unknown, its table wrong or a file's length cannot be read.
    """
    reading = scan_corpus(folder, name)
    found = reading.utterances
    speakers = {utterance.speaker for utterance in found}
    return Summary(
        corpus=name,
        folder=str(corpus_path(folder, name)),
        utterances=len(found),
        speakers=None if speakers == {name} else len(speakers),
        classes=_by_count(Counter(utterance.emotion for utterance in found)),
        skipped=_by_count(reading.skipped),
        address=ADAPTERS[name].address if name in ADAPTERS else "",
        hours=round(sum(map(_seconds, found)) / SECONDS_PER_HOUR, 4) if hours else None,
        missing="" if found else nothing_found(folder, name),
    )


def _by_count(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _seconds(utterance: Utterance) -> float:
    # It comes with the training packages and takes a moment; counts alone do without.
    import soundfile

    try:
        header = soundfile.info(str(utterance.path))
    except (soundfile.LibsndfileError, OSError) as error:
        raise SerEdgeError(
            f"{utterance.path}: is no sound file ({error}); copy or download it again"
        ) from error
    return float(header.frames / header.samplerate)
