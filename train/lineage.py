"""What a training inherits from the run that it starts from, and whom that one knows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import ENTRY, ModelMetadata
from train.corpora import Utterance
from train.listing import first_of
from train.recipe import Transfer

# In the provenance of a model that started from another: whom the ones before it knew.
INHERITED = "inherited_speakers"
# In that of one with a teacher: whom it was trained on without labels, or by their labels beside
# the one voice of its split.
UNLABELLED = "unlabelled_speakers"
BESIDE = "other_speakers"


@dataclass(frozen=True)
class Start:
    """What a training starts from.

    Attributes
    ----------
    digest : str
        Of the model's file; empty where there is none.
    speakers : tuple of str or None
        Whom that model, or one that it started from itself, was trained or selected on, sorted;
        None where it does not say.
    """

    digest: str = ""
    speakers: tuple[str, ...] | None = ()

    def warnings(self, test: list[Utterance]) -> list[str]:
        """Say in whole sentences what the start makes of the figure on a test part."""
        if self.speakers is None:
            return [
                "The model that it starts from does not say whose voices it was trained on: "
                "this figure may say nothing about unknown voices."
            ]
        known = sorted(set(self.speakers) & {utterance.speaker for utterance in test})
        if not known:
            return []
        return [
            "The model that it starts from was trained or selected on speakers of the test part "
            f"({first_of(known)}): this figure says nothing about unknown voices."
        ]


def start_of(transfer: Transfer | None) -> Start:
    """Read what a training starts from.

    Parameters
    ----------
    transfer : Transfer or None
        Names the run, if any.

    Returns
    -------
    Start
        Blank without a run and for one that cannot be read, which `train.transfer` refuses.
    """
    if transfer is None:
        return Start()
    run = Path(transfer.start)
    try:
        digest = hashlib.sha256((run / "model.keras").read_bytes()).hexdigest()
        provenance = ModelMetadata.from_json((run / ENTRY).read_text(encoding="utf-8")).provenance
    except (OSError, UnicodeDecodeError, SerEdgeError):
        return Start()
    try:
        return Start(digest, tuple(sorted(known_speakers(provenance))))
    except (KeyError, TypeError):
        return Start(digest, None)


def known_speakers(provenance: dict[str, Any]) -> set[str]:
    """Whom a model was trained or selected on, by its own account.

    Parameters
    ----------
    provenance : dict
        Of its metadata.

    Raises
    ------
    KeyError, TypeError
        When it does not say.
    """
    own = provenance["speakers"]
    keys = (INHERITED, UNLABELLED, BESIDE)
    more = {speaker for key in keys for speaker in provenance.get(key, ())}
    return {*own["train"], *own["validation"], *more}
