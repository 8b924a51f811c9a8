"""Profiles in the admin: to look at; the people directory writes them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from apps.core.admin import HistoryAdmin
from apps.profiles.models import Profile


@admin.register(Profile)
class ProfileAdmin(HistoryAdmin[Profile]):
    """Profiles."""

    list_display = ("user", "display_name", "company", "enriched_at", "created_at")
    list_filter = ("enriched_at",)
    search_fields = ("user__email", "display_name", "company")
    list_select_related: ClassVar = ["user"]
