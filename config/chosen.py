"""Which settings module a process uses."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

VARIABLE = "DJANGO_SETTINGS_MODULE"


def choose_settings(default: str) -> None:
    """Take `default` where DJANGO_SETTINGS_MODULE is not set; ends the process where it names no module."""
    name = os.environ.setdefault(VARIABLE, default)
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None:
        known = "config.settings.development, config.settings.test or config.settings.production"
        sys.exit(f"{VARIABLE} names no module: set it to {known}")
