"""``ser-edge enrol``: makes a profile of a speaker's own recordings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.classifier import Classifier
from edge_runtime.enrol.files import enrol_files, labelled_files
from edge_runtime.enrol.guided import Guide, StoppedError
from edge_runtime.enrol.prompts import CLIPS, Prompt, prompts
from edge_runtime.enrol.recordings import Recordings
from edge_runtime.enrol.session import Session, alone_in
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.about import in_words
from edge_runtime.profiles.folder import ProfileFolder
from edge_runtime.profiles.making import make_profile
from edge_runtime.profiles.names import checked_name
from edge_runtime.profiles.profile import Profile, require_embedding
from edge_runtime.program import EXIT_INTERRUPTED
from edge_runtime.quiet import say
from edge_runtime.settings import Settings


def enrol(arguments: argparse.Namespace, settings: Settings) -> int:
    """Record or read clips, make the profile, and say what it gains.

    Parameters
    ----------
    arguments : Namespace
        ``name``, ``from_folder``, ``clips``, ``emotions``, ``again``, ``activate``,
        ``keep_audio``.
    settings : Settings
        Model, microphone, gate and folder.

    Returns
    -------
    int
        1 when the speaker stopped early or a recording could not be used, else 0.
    """
    _check_usage(arguments, settings)
    name = checked_name(arguments.name)
    model = settings.model
    classifier = Classifier(model.file, model.backend, model.threads)
    require_embedding(classifier.path, classifier.metadata)
    emotions = _emotions(arguments.emotions, classifier.metadata.labels)
    folder = ProfileFolder(settings.profile.dir)
    with alone_in(folder):
        session = Session(folder, name, classifier, arguments.again, _say)

        def finish() -> None:
            wanted = emotions or _enrolled(session, classifier)
            profile = make_profile(name, classifier, session.clips, wanted)
            folder.write(profile, session.clips)
            session.finish()
            _tell(profile, folder, arguments.activate, settings.output.format)

        if arguments.from_folder is not None:
            n_refused = _take_files(arguments.from_folder, emotions, classifier, session)
            finish()
            return 1 if n_refused else 0
        with _kept_until_finished(session, arguments.again):
            asked = prompts(emotions or classifier.metadata.labels, arguments.clips or CLIPS)
            try:
                _lead(arguments, settings, classifier, session, asked)
            except (StoppedError, KeyboardInterrupt) as stop:
                _end_line()
                _say(f"stopped: {_what_is_kept(session, arguments.again)}")
                return EXIT_INTERRUPTED if isinstance(stop, KeyboardInterrupt) else 1
            finish()
    return 0


@contextmanager
def _kept_until_finished(session: Session, again: bool) -> Iterator[None]:
    """Where something fails, say what is kept of the recordings, too."""
    try:
        yield
    except SerEdgeError as error:
        if not session.n_kept:
            raise
        _end_line()
        raise SerEdgeError(f"{error}; {_what_is_kept(session, again)}") from error


def _check_usage(arguments: argparse.Namespace, settings: Settings) -> None:
    """Refuse what does not go together."""
    if arguments.from_folder is not None:
        for flag in ("clips", "keep_audio"):
            if getattr(arguments, flag) is not None:
                name = flag.replace("_", "-")
                raise SerEdgeError(f"--{name} goes with the microphone, not with --from")
    elif settings.gate.kind == "off":
        raise SerEdgeError(
            "gate off: enrol needs a gate, which finds the end of a sentence; --gate energy"
        )


def _end_line() -> None:
    if sys.stdout.isatty():
        print(flush=True)  # the level is still on the line


def _what_is_kept(session: Session, again: bool) -> str:
    but = "" if session.is_kept else ", but not the last, which could not be written"
    # With that flag it would begin anew.
    how = "the same command without --again" if again else "the same command"
    return (
        f"what was recorded of {session.name} is kept, {session.n_kept} in all{but}; {how} goes on"
    )


def _emotions(given: str | None, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Those asked for, in the order of the labels; none where none are named."""
    if given is None:
        return ()
    named = [one.strip().lower() for one in given.split(",") if one.strip()]
    unknown = [one for one in named if one not in labels]
    if unknown or len(set(named)) < 2:
        wrong = f"{unknown[0]!r} is none of them" if unknown else "name at least two"
        raise SerEdgeError(f"--emotions: the model knows {', '.join(labels)}; {wrong}")
    return tuple(label for label in labels if label in named)


def _enrolled(session: Session, classifier: Classifier) -> tuple[str, ...]:
    """All labels that there is a clip of."""
    return tuple(label for label in classifier.metadata.labels if session.clips.count(label))


def _take_files(
    path: Path, emotions: tuple[str, ...], classifier: Classifier, session: Session
) -> int:
    files = labelled_files(path, classifier.metadata.labels)
    if emotions:
        files = [(label, file) for label, file in files if label in emotions]
        if not files:
            raise SerEdgeError(f"{path}: holds no folder for {', '.join(emotions)}")
    n_refused = enrol_files(files, classifier, session.clips, _say)
    if n_refused == len(files):
        raise SerEdgeError(f"{path}: none of its {len(files)} recordings can be used")
    return n_refused


def _lead(
    arguments: argparse.Namespace,
    settings: Settings,
    classifier: Classifier,
    session: Session,
    asked: list[Prompt],
) -> None:
    source, rate = settings.source, classifier.metadata.features.sample_rate
    keep = arguments.keep_audio
    guide = Guide(
        session,
        classifier,
        source.device,
        source.channel,
        settings.gate.kind,
        None if keep is None else Recordings(keep, rate),
    )
    print(
        f"{len(asked)} sentences, one at a time. Say each as it is asked for, in your own language "
        "if you like, and be silent then.\n"
        + (
            f"The recordings are stored in {keep}."
            if keep
            else "No sound is stored: of each only what the model makes of it."
        ),
        flush=True,
    )
    guide.lead(asked)


def _tell(profile: Profile, folder: ProfileFolder, activate: bool | None, form: str) -> None:
    """Make the profile active or not, and say so with what it gains."""
    if form != "jsonl":
        print(in_words(profile), flush=True)  # said even where it cannot be made active
    helps = profile.gain is not None and profile.gain.helps
    was_active = folder.active() == profile.name
    if activate is False and was_active:
        folder.activate(None)
    # What somebody chose stays chosen, unless they say otherwise.
    is_active = activate if activate is not None else helps or was_active
    if is_active:
        folder.activate(profile.name)
    if form == "jsonl":
        print(json.dumps({**profile.to_dict(), "active": is_active}), flush=True)
    elif is_active:
        print(f"Active: listen and classify use {profile.name} from now on.")
    else:
        reason = "" if helps else "it was not shown to help, so "
        print(
            f"Not active: {reason}nothing changes; use it with --profile {profile.name}, or "
            f"ser-edge profiles use {profile.name}"
        )


def _say(line: str) -> None:
    say(f"ser-edge: {line}")
