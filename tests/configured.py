"""A service with other settings than the suite's."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.conf import settings
from django.test import override_settings

from config.settings.base import from_env


def configured(**changes: Any) -> override_settings:
    """Override the typed settings by `changes`, and the Django settings that follow from them."""
    env = dataclasses.replace(settings.ENV, **changes)
    return override_settings(ENV=env, **from_env(env))
