"""``ser-edge profiles``: what is there, which is active, and away with it."""

from __future__ import annotations

import argparse
import json

from edge_runtime.errors import SerEdgeError
from edge_runtime.profiles.about import in_words
from edge_runtime.profiles.folder import ProfileFolder
from edge_runtime.profiles.names import NOBODY
from edge_runtime.quiet import say
from edge_runtime.settings import Settings


def list_profiles(_arguments: argparse.Namespace, settings: Settings) -> int:
    """Print a line for each profile; a damaged one does not hide the others."""
    folder = ProfileFolder(settings.profile.dir)
    active, n_damaged = folder.active(), 0
    names = folder.names()
    for name in names:
        try:
            profile, _ = folder.read(name)
        except SerEdgeError as error:
            n_damaged += 1
            say(f"ser-edge: {error}")
            continue
        if settings.output.format == "jsonl":
            print(json.dumps({**profile.to_dict(), "active": name == active}), flush=True)
            continue
        gain = profile.gain
        told = "gain unknown" if gain is None else f"UAR {gain.before:.2f} -> {gain.after:.2f}"
        mark = "*" if name == active else " "
        n_clips = sum(profile.clips.values())
        print(f"{mark} {name:<20} {n_clips:3d} clips  {told}  for {profile.model_id}")
    if not names:
        say(f"ser-edge: no profile in {folder.path}; ser-edge enrol NAME makes one")
    return 1 if n_damaged else 0


def show_profile(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print all that there is to say of a profile."""
    folder = ProfileFolder(settings.profile.dir)
    profile, _ = folder.read(arguments.name)
    is_active = folder.active() == profile.name
    if settings.output.format == "jsonl":
        print(json.dumps({**profile.to_dict(), "active": is_active}))
        return 0
    print(in_words(profile))
    print(f"For the model {profile.model_id}, made {profile.created}, {folder.file(profile.name)}")
    print("Active" if is_active else "Not active")
    return 0


def remove_profile(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete a profile."""
    ProfileFolder(settings.profile.dir).remove(arguments.name)
    say(f"ser-edge: removed the profile {arguments.name}")
    return 0


def use_profile(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make a profile the active one, or none."""
    name = None if arguments.name == NOBODY else arguments.name
    ProfileFolder(settings.profile.dir).activate(name)
    say(f"ser-edge: active: {name or NOBODY}; a service takes it over at its next reload")
    return 0
