"""Says in words what about a collection of recordings will hurt a model trained on it."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from train.listing import first_of

FEW_UTTERANCES = 30  # of a class
FEW_OF_LARGEST = 0.25  # share of the largest class
SHORT_SECONDS = 0.25
SILENT_DBFS = -60.0  # of the peak
CLIPPED_SHARE = 0.001
LEAST_SAMPLE_RATE = 16000  # Hz
EXAMPLES = 3


def warnings_about(files: pd.DataFrame) -> list[str]:
    """Say what about labelled recordings will hurt.

    Parameters
    ----------
    files : pandas.DataFrame
        A row for each recording with corpus, name, emotion, speaker, error (None where it can be
        read) and the fields of `train.recording.Recording`.

    Returns
    -------
    list of str
        A sentence or more for each kind of trouble; none where there is no trouble.
    """
    return [
        *_about_files(files),
        *_about_duplicates(files[files.error.isna()]),
        *_about_classes(files),
        *_about_speakers(files),
    ]


def duplicates(files: pd.DataFrame) -> list[list[int]]:
    """Rows of recordings whose files hold the same bytes, a list for each content."""
    return [
        [int(row) for row in rows]
        for rows in files[files.error.isna()].groupby("sha256", sort=False).groups.values()
        if len(rows) > 1
    ]


def _about_files(files: pd.DataFrame) -> Iterable[str]:
    troubles = (
        (files.error.notna(), "Cannot be read, which will stop a training (mend or remove them)"),
        (
            files.seconds < SHORT_SECONDS,
            f"Shorter than {SHORT_SECONDS:g} s, too short to hear an emotion in",
        ),
        (
            files.peak_dbfs < SILENT_DBFS,
            f"Silent, with nothing above {SILENT_DBFS:g} dBFS, so that no label can be heard",
        ),
        (
            files.clipped > CLIPPED_SHARE,
            f"Clipped, with more than {CLIPPED_SHARE:.1%} of the samples at full scale (a model "
            "may learn the distortion)",
        ),
        (
            files.sample_rate < LEAST_SAMPLE_RATE,
            f"Sampled below {LEAST_SAMPLE_RATE / 1000:g} kHz, which a 16 kHz recipe refuses",
        ),
    )
    for affected, trouble in troubles:
        if affected.any():
            names = _names(files[affected])
            yield f"{trouble}: {_counted(len(names), 'recording')}, {_listed(names)}."


def _about_duplicates(readable: pd.DataFrame) -> Iterable[str]:
    groups = [readable.loc[rows] for rows in duplicates(readable)]
    if groups:
        same = _listed([" = ".join(_names(group)) for group in groups])
        yield (
            "Duplicates by content, which may end up on both sides of a split: "
            f"{_counted(sum(map(len, groups)), 'recording')}, {same}."
        )
    differing = [group for group in groups if group.emotion.nunique() > 1]
    if differing:
        same = _listed([" = ".join(_labelled(group)) for group in differing])
        yield f"Duplicates by content that are labelled differently, so one is wrong: {same}."


def _about_classes(files: pd.DataFrame) -> Iterable[str]:
    counts = files.emotion.value_counts()
    for emotion, count in counts.items():
        if count < FEW_UTTERANCES:
            yield (
                f"The class {emotion} has only {_counted(count, 'utterance')}: "
                "too few to judge it on."
            )
        elif count < FEW_OF_LARGEST * counts.max():
            yield (
                f"The class {emotion} has only {_counted(count, 'utterance')}, "
                f"{counts.idxmax()} has {counts.max()}: weight the classes, and judge by UAR."
            )
    if len(counts) == 1:
        yield f"There is a single class, {counts.index[0]}: nothing can be told apart."
    corpora = files.groupby("emotion").corpus.nunique()
    alone = [str(emotion) for emotion, count in corpora.items() if count == 1]
    if files.corpus.nunique() > 1 and alone:
        yield (
            f"Only one of the corpora has {_listed(alone)}: a model may take the sound of its "
            "recordings for the class."
        )
    known = files[files.speaker != files.corpus]
    # A class without any speaker's name is not spoken by one; who speaks it is unknown.
    voices = known.groupby("emotion").speaker.nunique().reindex(counts.index)
    unknown = files[files.speaker == files.corpus].emotion.unique()
    single = [str(e) for e, n in voices.items() if n == 1 and e not in unknown]
    if single and known.speaker.nunique() > 1:
        yield (
            f"Only one speaker speaks {_listed(single)}: the class cannot be told from the voice, "
            "and there is nobody else to test it on."
        )


def _about_speakers(files: pd.DataFrame) -> Iterable[str]:
    unknown = files[files.speaker == files.corpus]
    if len(unknown):
        yield (
            f"The speakers of {_counted(len(unknown), 'utterance')} are unknown "
            f"({_listed(sorted(unknown.corpus.unique()))}): no split can keep a voice out of the "
            "training, so figures will be too good."
        )
    known = files[files.speaker != files.corpus]
    if known.speaker.nunique() == 1 and not len(unknown):
        yield (
            f"There is a single speaker, {known.speaker.iloc[0]}: nothing can be said about others."
        )
    by_name = known.groupby(known.speaker.str.casefold()).speaker.unique()
    alike = [" = ".join(sorted(names)) for names in by_name if len(names) > 1]
    if alike:
        yield (
            "Speakers whose names differ in upper and lower case alone count as several, and one "
            f"voice may end up on both sides of a split: {_listed(alike)}."
        )
    emotions = known.groupby("speaker").emotion.agg(["nunique", "first"])
    single = emotions[emotions["nunique"] == 1]
    if len(single) and files.emotion.nunique() > 1:
        named = _listed([f"{speaker} ({first})" for speaker, first in single["first"].items()])
        yield (
            "With recordings of a single class, so that a model can take the voice for the class: "
            f"{_counted(len(single), 'speaker')}, {named}."
        )


def _names(files: pd.DataFrame) -> list[str]:
    return [f"{corpus}/{name}" for corpus, name in zip(files["corpus"], files["name"])]


def _labelled(files: pd.DataFrame) -> list[str]:
    return [f"{name} ({emotion})" for name, emotion in zip(_names(files), files["emotion"])]


def _listed(names: list[str]) -> str:
    return first_of(names, EXAMPLES)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
