"""Chooses the settings module of a process, and with it the form of all it writes."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from config import streams

VARIABLE = "DJANGO_SETTINGS_MODULE"
PRODUCTION = "config.settings.production"


def choose_settings(default: str) -> None:
    """Take `default` if DJANGO_SETTINGS_MODULE is not set; ends the process if it names no module.

    In production whatever the process writes is JSON from here on, unless LOG_STREAM=stderr says that a person uses it.
    """
    name = os.environ.setdefault(VARIABLE, default)
    if name == PRODUCTION and os.environ.get("LOG_STREAM") != "stderr":
        streams.capture()
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None:
        known = "config.settings.development, config.settings.test or config.settings.production"
        sys.exit(f"{VARIABLE} names no module: set it to {known}")
