"""What users look like from outside, by version: a module v1, v2, … for each that settings.VERSIONS lists.

Each is tried once when this module is imported: one that reads a field it does not name, or names a field that the
queries do not have, stops the process instead of a request.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.settings import api_settings

from apps.users.api.v1 import UserPageV1, UserV1
from apps.users.reads import FIELDS

Shape = type[UserV1]
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
# a row as the queries give it, to try versions with
SAMPLE: dict[str, Any] = {
    "id": 1, "email": "ada@example.com", "name": "Ada", "is_active": True, "is_staff": False, "created_at": NOON,
    "updated_at": NOON, "version": 1, "email_verified_at": NOON,
    "profile_display_name": "Ada", "profile_company": "", "profile_avatar_url": "", "profile_enriched_at": NOON,
}  # fmt: skip


def checked(shape: Shape) -> Shape:
    """Return `shape` if it works on the rows it asks for. Raises ImproperlyConfigured if not."""
    fields = (*shape.shows, *shape.tagged_by)
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise ImproperlyConfigured(f"{shape.__name__} asks for {', '.join(unknown)}, which apps/users/reads.py lacks")
    row = {name: SAMPLE[name] for name in fields}
    try:
        shape.represent(row)
        shape.tag(row)
    except KeyError as error:
        raise ImproperlyConfigured(f"{shape.__name__} reads {error}; name it in `shows` or `tagged_by`") from error
    return shape


_MODULES = {version: import_module(f"{__package__}.{version}") for version in api_settings.ALLOWED_VERSIONS or ()}
USER: dict[str, Shape] = {version: checked(module.USER) for version, module in _MODULES.items()}
USER_PAGE: dict[str, type[UserPageV1]] = {version: module.PAGE for version, module in _MODULES.items()}
