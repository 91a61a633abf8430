"""What there is to say of a profile, for people."""

from __future__ import annotations

from edge_runtime.profiles.profile import Profile


def in_words(profile: Profile) -> str:
    """Say what it was made of and what it gains, in two lines."""
    clips = ", ".join(f"{label} {count}" for label, count in profile.clips.items())
    total = sum(profile.clips.values())
    return f"{profile.name}: {total} clips ({clips})\n{gain_in_words(profile)}"


def gain_in_words(profile: Profile) -> str:
    """Say what it gains, and how far that can be trusted."""
    gain = profile.gain
    if gain is None:
        return (
            "What it gains cannot be told from one clip of each emotion; record more: --clips 3 "
            "or, better, 5"
        )
    change = 100.0 * (gain.after - gain.before)
    deviations = abs(gain.after - gain.before) / max(gain.deviation, 1e-9)
    trust = "which chance alone may give: record more clips to know"
    if deviations > 2.0:
        trust = "more than chance gives"
    elif deviations > 1.0:
        trust = "probably more than chance: more clips would tell"
    return (
        f"On these clips, each left out in turn: UAR {gain.before:.2f} without the profile, "
        f"{gain.after:.2f} with it ({change:+.0f} points, +-{100.0 * gain.deviation:.0f} for "
        f"{gain.clips} clips, {trust})"
    )
