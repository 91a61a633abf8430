"""Makes a profile of enrolled clips, and says what it gains on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.clips import Clips
from edge_runtime.profiles.fit import fit
from edge_runtime.profiles.profile import Gain, Profile

LEAST_EMOTIONS = 2


def make_profile(
    name: str, classifier: Classifier, clips: Clips, emotions: Sequence[str]
) -> Profile:
    """Make a profile.

    Parameters
    ----------
    name : str
        Whose it is.
    classifier : Classifier
        The model that the clips were given to.
    clips : Clips
        Those of other emotions are left aside.
    emotions : sequence of str
        What the profile is to tell apart.

    Returns
    -------
    Profile
        With what it gains on the clips.

    Raises
    ------
    SerEdgeError
        When an emotion has no clip, or there are fewer than two.
    """
    labels = classifier.metadata.labels
    wanted = [label for label in labels if label in emotions]
    missing = [emotion for emotion in wanted if not clips.count(emotion)]
    if missing:
        rest = [emotion for emotion in wanted if emotion not in missing]
        raise SerEdgeError(
            f"no clip of {', '.join(missing)}: record some, or do without: "
            f"--emotions {','.join(rest) or 'A,B'}"
        )
    if len(wanted) < LEAST_EMOTIONS:
        raise SerEdgeError(
            f"a profile tells at least two emotions apart, and here are clips of {len(wanted)}; "
            "record more, or name more with --emotions"
        )
    kept = [clip for clip in clips.items if clip.emotion in wanted]
    classes = np.array([wanted.index(clip.emotion) for clip in kept])
    places = [labels.index(emotion) for emotion in wanted]
    scores = np.stack([clip.scores for clip in kept])[:, places]
    fitted = fit(np.stack([clip.embedding for clip in kept]), scores, classes, len(wanted))
    return Profile(
        name=name,
        model=classifier.hash,
        model_id=classifier.model_id,
        labels=labels,
        emotions=tuple(wanted),
        weights=fitted.weights,
        bias=fitted.bias,
        prior_weight=fitted.prior_weight,
        created=datetime.now(timezone.utc).isoformat(timespec="microseconds"),
        clips={emotion: clips.count(emotion) for emotion in wanted},
        gain=gain_of(scores.argmax(axis=1), fitted.left_out.argmax(axis=1), classes),
    )


def gain_of(
    before: NDArray[np.int64], after: NDArray[np.int64], classes: NDArray[np.int64]
) -> Gain | None:
    """Compare answers before and after, on the clips of classes that have more than one.

    Parameters
    ----------
    before, after : ndarray of int, shape (n_clips,)
        The answers to each clip.
    classes : ndarray of int, shape (n_clips,)
        What it is.

    Returns
    -------
    Gain or None
        None where no class has a second clip.
    """
    counts = np.bincount(classes)
    judged = np.flatnonzero(counts > 1)
    if not len(judged):
        return None
    was_right, is_right = before == classes, after == classes
    difference = is_right.astype(np.float64) - was_right
    recalls = [
        (was_right[classes == one].mean(), is_right[classes == one].mean()) for one in judged
    ]
    uar_before, uar_after = np.mean(recalls, axis=0)
    # Of each class' mean, by the differences of all clips, for a class has a handful.
    variance = np.square(difference[np.isin(classes, judged)]).mean() / counts[judged]
    return Gain(
        clips=int(counts[judged].sum()),
        emotions=len(judged),
        before=float(uar_before),
        after=float(uar_after),
        deviation=float(np.sqrt(variance.sum()) / len(judged)),
    )
