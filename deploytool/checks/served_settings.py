"""Which settings are served, where they are not those that are loaded here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploytool.checks.inference import infer
from deploytool.project.candidates import module_spec
from deploytool.project.settings_choice import VARIABLE

if TYPE_CHECKING:
    from deploytool.checks.case import Case
    from deploytool.project.facts import Location
    from deploytool.project.settings_choice import Choice


def served_debug(case: Case) -> bool | None:
    """DEBUG as the requests would have it; None where the entry point chooses other settings.

    The settings that are loaded may be those that manage.py names for development, where
    the entry point names others, without DEBUG: what is served then are not these.
    """
    entry = case.entry
    if entry.started and entry.settings_module != case.project.settings_module:
        return entry.started.debug
    if not case.project.debug or not (separate(case) or by_others(case)):
        return case.project.debug
    return None


def settings_of_files(case: Case) -> tuple[str, Location] | None:
    """The settings that the deployment files set for each server that they start, and where.

    None where one of them leaves it open.
    """
    found: dict[str, Location] = {}
    served = infer(case.project).served
    # What an image starts with is completed by the service that runs it.
    services = [(start, launch) for start, launch in served if start.kind != "image"]
    for start, launch in services or served:
        named = launch.env.get(VARIABLE) or start.environment.get(VARIABLE)
        for option in launch.options:
            if option.name in {"raw_env", "env"} and option.value:
                written = re.search(rf"{VARIABLE}=([\w.]+)", option.value)
                named = written[1] if written else named
        if named is None:
            return None
        found.setdefault(named, start.environment.places.get(VARIABLE, launch.place))
    return next(iter(found.items())) if len(found) == 1 else None


def by_others(case: Case) -> tuple[str, Location] | None:
    """The settings that the deployment files set, where others are loaded by manage.py."""
    choices = case.settings_choices
    found = settings_of_files(case)
    if found is None or found[0] == choices.loaded or choices.by != "manage.py":
        return None
    return found if module_spec(found[0]) else None


def separate(case: Case) -> Choice | None:
    """What the served entry point chooses, where manage.py chooses others for development."""
    choices = case.settings_choices
    chosen = choices.of(case.entry.interface)
    if chosen is None or chosen.module is None or choices.by != "manage.py":
        return None
    if choices.are_of(chosen):
        return None
    # Settings for production that cannot be loaded here, for want of a secret, are no worse.
    there = module_spec(chosen.module or "") is not None
    return chosen if there and not chosen.debug else None


def others_served(case: Case) -> str | None:
    """The settings that are served, where manage.py has loaded those for development."""
    if (found := by_others(case)) is not None:
        return found[0]
    entry, loaded = case.entry, case.project.settings_module
    if entry.started and entry.settings_module != loaded:
        # It assigns the variable; settings that are asked for by name are judged all the same.
        return entry.settings_module if case.settings_choices.by == "manage.py" else None
    chosen = separate(case)
    return chosen.module if chosen else None
