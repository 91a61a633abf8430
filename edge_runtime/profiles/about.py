"""What there is to say of a profile, for people and for programs."""

from __future__ import annotations

from typing import Any

from edge_runtime.profiles.profile import Profile


def described(profile: Profile) -> dict[str, Any]:
    """Everything but its weights, as JSON types."""
    return {
        "profile": profile.name,
        "model": profile.model_id,
        "model_hash": profile.model,
        "created": profile.created,
        "emotions": list(profile.emotions),
        "clips": profile.clips,
        "prior_weight": profile.prior_weight,
        "gain": None if profile.gain is None else profile.gain.to_dict(),
    }


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
    trust = (
        "more than chance gives"
        if abs(gain.after - gain.before) > 2.0 * gain.deviation
        else "which chance alone may give: record more clips to know"
    )
    return (
        f"On these clips, each left out in turn: UAR {gain.before:.2f} without the profile, "
        f"{gain.after:.2f} with it ({change:+.0f} points, +-{100.0 * gain.deviation:.0f} for "
        f"{gain.clips} clips, {trust})"
    )
