"""The protocol that a name and its options ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_runtime.errors import SerEdgeError
from train.splits.at_random import random_protocol
from train.splits.cross_corpus import cross_corpus_protocol, leave_one_corpus_out
from train.splits.hold_out import FOLDS
from train.splits.protocol import Protocol
from train.splits.protocols import PROTOCOLS
from train.splits.speakers import speaker_protocol

# Each with the options that it has a use for, and whether it cannot do without.
OPTIONS: dict[str, dict[str, bool]] = {
    "random": {"--data": True},
    "speaker": {"--data": True, "--folds": False},
    "loso": {"--data": True},
    "cross-corpus": {"--data": True, "--test-on": True},
    "leave-one-corpus-out": {"--data": True},
}
OWN_LABELS = {*PROTOCOLS, "leave-one-corpus-out"} - {"cross-corpus"}
NAMES = (*OPTIONS, *(name for name in PROTOCOLS if name not in OPTIONS))


def protocol_of(
    name: str,
    data: Sequence[str] | None = None,
    test_on: Sequence[str] | None = None,
    folds: int | None = None,
    merge: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
) -> Protocol:
    """Give the protocol of a name.

    Parameters
    ----------
    name : str
        One of `NAMES`. ``cross-corpus`` without any option is the one of `PROTOCOLS`.
    data, test_on : sequence of str, optional
        Corpora to split or to train on, and to test on.
    folds : int, optional
        Number of folds of speakers (default: 5).
    merge : mapping of str to str, optional
        Emotions that count as another; those of `PROTOCOLS` have their own.
    labels : sequence of str, optional
        The classes (default: the emotions that occur), where the protocol has not its own.

    Raises
    ------
    SerEdgeError
        When the name is unknown, or an option is missing or of no use; it is named as on the
        command line.
    """
    if name not in NAMES:
        raise SerEdgeError(f"--protocol: unknown {name!r}; known are {', '.join(NAMES)}")
    given = {
        "--data": bool(data),
        "--test-on": bool(test_on),
        "--folds": folds is not None,
    }
    named = name in PROTOCOLS and not any(given.values())
    if labels is not None and (named or name in OWN_LABELS):
        raise SerEdgeError(f"labels: protocol {name} has its own; leave them out")
    if named:
        return PROTOCOLS[name]
    _require_options(name, given)
    data, test_on = data or (), test_on or ()
    if name == "random":
        return random_protocol(data, labels, merge=merge)
    if name == "speaker":
        return speaker_protocol(data, FOLDS if folds is None else folds, labels, merge)
    if name == "loso":
        return speaker_protocol(data, "loso", labels, merge)
    if name == "cross-corpus":
        return cross_corpus_protocol(data, test_on, labels, merge)
    return leave_one_corpus_out(data, merge)


def _require_options(name: str, given: Mapping[str, bool]) -> None:
    options = OPTIONS.get(name, {})
    for option in given:
        if given[option] and option not in options:
            known = f"it takes {', '.join(options)}" if options else "it takes no option"
            raise SerEdgeError(f"{option}: protocol {name} has no use for it; {known}")
    for option, needed in options.items():
        if needed and not given[option]:
            raise SerEdgeError(f"protocol {name}: needs {option} NAME, a corpus; give at least one")
