"""What users look like from outside, by version: a module v1, v2, … for each, found by its name."""

from __future__ import annotations

from importlib import import_module

from rest_framework.settings import api_settings

from apps.users.api.v1 import UserPageV1, UserV1

_MODULES = {version: import_module(f"{__package__}.{version}") for version in api_settings.ALLOWED_VERSIONS or ()}
USER: dict[str, type[UserV1]] = {version: module.USER for version, module in _MODULES.items()}
USER_PAGE: dict[str, type[UserPageV1]] = {version: module.PAGE for version, module in _MODULES.items()}
