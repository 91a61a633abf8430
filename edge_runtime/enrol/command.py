"""``ser-edge enrol``: makes a profile of a speaker's own recordings."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from edge_runtime.classifier import Classifier
from edge_runtime.enrol.files import enrol_files, labelled_files
from edge_runtime.enrol.guided import Guide, StoppedError
from edge_runtime.enrol.prompts import Prompt, prompts
from edge_runtime.enrol.session import Session
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.about import described, in_words
from edge_runtime.profiles.folder import ProfileFolder, checked_name
from edge_runtime.profiles.making import make_profile
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
    name = checked_name(arguments.name)
    model = settings.model
    classifier = Classifier(model.file, model.backend, model.threads)
    require_embedding(classifier.path, classifier.metadata)
    emotions = _emotions(arguments.emotions, classifier.metadata.labels)
    folder = ProfileFolder(settings.profile.dir)
    session = Session(folder, name, classifier, arguments.again, _say)
    if arguments.from_folder is not None:
        n_refused = _take_files(arguments.from_folder, emotions, classifier, session)
    else:
        asked = prompts(emotions or classifier.metadata.labels, arguments.clips)
        n_refused = 0
        try:
            _lead(arguments, settings, classifier, session, asked)
        except (StoppedError, KeyboardInterrupt) as stop:
            if sys.stdout.isatty():
                print(flush=True)  # the level is still on the line
            _say(
                f"stopped: what was recorded of {name} is kept, {len(session.clips)} in all; go on "
                f"with: ser-edge enrol {name}"
            )
            return 1 if isinstance(stop, StoppedError) else EXIT_INTERRUPTED
    wanted = emotions or _enrolled(session, classifier)
    profile = make_profile(name, classifier, session.clips, wanted)
    folder.write(profile, session.clips)
    session.finish()
    _tell(profile, folder, arguments.activate, settings.output.format)
    return 1 if n_refused else 0


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
    source = settings.source
    guide = Guide(
        session,
        classifier,
        source.device,
        source.channel,
        settings.gate.kind,
        arguments.keep_audio,
    )
    print(
        f"{len(asked)} sentences, one at a time. Say each as it is asked for, in your own language "
        "if you like, and be silent then.\n"
        + (
            f"The recordings are stored in {arguments.keep_audio}."
            if arguments.keep_audio
            else "No sound is stored: of each only what the model makes of it."
        ),
        flush=True,
    )
    guide.lead(asked)


def _tell(profile: Profile, folder: ProfileFolder, activate: bool | None, form: str) -> None:
    """Make the profile active or not, and say so with what it gains."""
    helps = profile.gain is not None and profile.gain.helps
    is_active = helps if activate is None else activate
    if is_active:
        folder.activate(profile.name)
    elif folder.active() == profile.name:
        folder.activate(None)
    if form == "jsonl":
        print(json.dumps({**described(profile), "active": is_active}), flush=True)
        return
    print(in_words(profile))
    if is_active:
        print(f"Active: listen and classify use {profile.name} from now on.")
    else:
        reason = "" if helps else "it was not shown to help, so "
        print(
            f"Not active: {reason}nothing changes; use it with --profile {profile.name}, or "
            f"ser-edge profiles use {profile.name}"
        )


def _say(line: str) -> None:
    say(f"ser-edge: {line}")
