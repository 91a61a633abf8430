"""At random: how well voices are told apart that the model may have heard before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge_runtime.errors import SerEdgeError
from train.corpora import Utterance
from train.splits.classes import Classes, classes_of, require_enough
from train.splits.hold_out import held_out_utterances
from train.splits.judged import is_judged
from train.splits.names import different, listed, merges
from train.splits.protocol import Protocol
from train.splits.split import Split, of_corpora, require_parts

SHARE = 0.2


def random_protocol(
    corpora: Sequence[str],
    labels: Sequence[str] | None = None,
    test_share: float = SHARE,
    validation_share: float = SHARE,
    validation_of: str = "rest",
    merge: Mapping[str, str] | None = None,
) -> Protocol:
    """Split the utterances of corpora at random, the same share of every class.

    Parameters
    ----------
    corpora : sequence of str
        What to split, as one whole.
    labels : sequence of str, optional
        The classes; by default the emotions that occur. Others are left out.
    test_share : float, optional
        Share of all utterances to test on, above 0 and below 1.
    validation_share : float, optional
        Share of utterances to select on, above 0 and below 1.
    validation_of : {"rest", "all"}, optional
        Whether `validation_share` is a share of what the test leaves over or of all utterances.
        0.2 and 0.2 of the rest are 64/16/20; 0.15 and 0.15 of all are 70/15/15.
    merge : mapping of str to str, optional
        Emotions that count as another.

    Returns
    -------
    Protocol
        With one split, another for every seed.

    Raises
    ------
    SerEdgeError
        When the shares leave nothing to train on or a corpus is named twice. The protocol's
        ``split`` raises it when a corpus is missing or a class has too few utterances.
    """
    of_rest = _of_rest(test_share, validation_share, validation_of)
    merge = dict(merge or {})

    def split(utterances: list[Utterance], seed: int) -> list[Split]:
        here = of_corpora(utterances, corpora)
        return [random_split(here, classes_of(here, labels, merge), seed, test_share, of_rest)]

    shares = ((1 - test_share) * (1 - of_rest), (1 - test_share) * of_rest, test_share)
    parts = "/".join(f"{100 * share:.4g}" for share in shares)
    return Protocol(
        different(corpora),
        f"{listed(corpora)}{merges(merge)}, "
        f"stratified random {parts} (training/validation/test, in %)",
        split,
        merge,
        by_data=True,
    )


def random_split(
    utterances: list[Utterance],
    classes: Classes,
    seed: int,
    test_share: float = SHARE,
    validation_share: float = SHARE,
) -> Split:
    """Draw a share of every class for the test, and of the rest for validation.

    Utterances that give their emotion away by their words are trained on only.

    Raises
    ------
    SerEdgeError
        When a class has too few utterances, or a part would be empty.
    """
    usable = classes.keep(utterances)
    require_enough(filter(is_judged, usable), classes)
    rng = np.random.default_rng(seed)
    known, test = held_out_utterances(usable, test_share, classes, rng)
    train, validation = held_out_utterances(known, validation_share, classes, rng)
    return require_parts(Split("random", classes.labels, train, validation, test))


def _of_rest(test_share: float, validation_share: float, validation_of: str) -> float:
    """Share of what the test leaves over that is for validation."""
    if validation_of not in ("rest", "all"):
        raise SerEdgeError(f"validation share: is of 'rest' or 'all', not of {validation_of!r}")
    for name, share in (("test", test_share), ("validation", validation_share)):
        if not 0 < share < 1:
            raise SerEdgeError(f"{name} share: must be above 0 and below 1, not {share}")
    if validation_of == "rest":
        return validation_share
    if test_share + validation_share >= 1:
        raise SerEdgeError(
            f"shares: {test_share} for the test and {validation_share} for validation "
            "leave nothing to train on; make them smaller"
        )
    return validation_share / (1 - test_share)
