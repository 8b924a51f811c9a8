"""Users on the admin's overview."""

from __future__ import annotations

from django.urls import reverse

from apps.core.backoffice.overview import Content, Figure, activity, panel
from apps.users.models import User


@panel("Users", route="admin:users_user_changelist", place=60)
def users() -> Content:
    """Registrations of the last 24 hours, and a link to the import."""
    bars = activity("Users made", User._meta.db_table, "created_at", "hour", 24)
    figures = [
        Figure("made in the last 24 hours", f"{bars.total:,}"),
        Figure("many at once", "Import users", reverse("admin:users_user_import")),
    ]
    return Content(figures, bars)
