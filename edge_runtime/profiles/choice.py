"""The classifier that settings ask for, with the profile that they ask for."""

from __future__ import annotations

from collections.abc import Callable

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.folder import ProfileFolder
from edge_runtime.profiles.names import NOBODY
from edge_runtime.settings import ProfileSettings, Settings


def make_classifier(settings: Settings, say: Callable[[str], None]) -> Classifier:
    """Load the model and use the profile.

    Parameters
    ----------
    settings : Settings
        Which model, and whose profile: the one named, or the folder's active one.
    say : callable
        Takes a line: an active profile that cannot be used is left aside with one, for nobody
        asked for it, and a daemon that is started again after an upgrade shall hear.

    Returns
    -------
    Classifier
        Ready to classify.

    Raises
    ------
    SerEdgeError
        When the model cannot be used, or the profile that was named.
    """
    model = settings.model
    classifier = Classifier(model.file, model.backend, model.threads)
    try:
        use_profile(classifier, settings.profile)
    except SerEdgeError as error:
        if settings.profile.name is not None:
            raise
        say(f"the active profile is not used: {error}")
    return classifier


def use_profile(classifier: Classifier, chosen: ProfileSettings) -> None:
    """Use the profile that is named, else the active one, if there is one.

    Raises
    ------
    SerEdgeError
        When it cannot be read, or is of another model.
    """
    if chosen.name == NOBODY:
        return
    folder = ProfileFolder(chosen.dir)
    name = chosen.name or folder.active()
    if name is not None:
        classifier.use(folder.read(name)[0])
