"""Profiles in the admin, read-only: what is in them comes from the people directory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core.backoffice.links import Link, anchor, list_of, page_of, related
from apps.core.backoffice.lists import by
from apps.core.backoffice.site import HistoryAdmin
from apps.profiles.models import Profile


@admin.register(Profile)
class ProfileAdmin(HistoryAdmin[Profile]):
    """Profiles."""

    list_display = ("user_id", "its_user", "display_name", "company", "enriched_at", "created_at")
    list_filter = (by("user", "user"),)
    search_fields = ("user__exact",)
    search_help_text = "The user's number or e-mail: the whole of it."
    list_select_related: ClassVar = ["user"]
    exclude = ("user",)
    readonly_fields = ("its_user",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Profile], search_term: str
    ) -> tuple[QuerySet[Profile], bool]:
        """Search by the user, through the indexes of users."""
        term = search_term.strip()
        if "@" in term:
            users = get_user_model().objects.with_email(term)
            return queryset.filter(user_id__in=users.values("pk")), False
        return (queryset.filter(user_id=int(term)) if term else queryset), False

    @admin.display(description="user")
    def its_user(self, profile: Profile) -> object:
        return anchor(profile.user, page_of("users.user", profile.pk))


@related("users.user")
def of_user(user: Any) -> Iterable[Link]:
    """Link a user to their profile."""
    yield Link("Profile", list_of("profiles.profile", user=user.pk))
