"""Sessions in the admin: where a user is logged in, and the buttons that end that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.core.backoffice.actions import CommandAction
from apps.core.backoffice.links import Link, anchor, list_of, page_of, related
from apps.core.backoffice.lists import by
from apps.core.backoffice.site import HistoryAdmin
from apps.users.commands import EndSession, EndSessions
from apps.users.models import Session, User
from apps.users.session_queries import live_sessions

LIVE, OVER = "live", "over"


def _is_live(session: Session) -> bool:
    return session.revoked_at is None and session.expires_at > timezone.now()


LOG_OUT = CommandAction[User](
    "log_out",
    "Log out everywhere",
    "Every session of each user ends at once, in the admin too. They can log in again with their password.",
    "logged out everywhere",
    lambda user, request: EndSessions(user.pk),
)
END = CommandAction[Session](
    "end",
    "End",
    "The tokens of each session stop at once; the user can log in again. Log-ins to the admin are not among these: "
    "“Log out everywhere” on the user's page ends those too.",
    "ended",
    lambda session, request: EndSession(session.user_id, session.pk),
    _is_live,
    lambda session: f"{session.user}, {session.user_agent or 'unknown client'}, {session.network or 'unknown network'}",
)


class StateFilter(SimpleListFilter):
    """Sessions that go on, or that are over."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(LIVE, LIVE), (OVER, OVER)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        if self.value() not in (LIVE, OVER):
            return queryset
        live = live_sessions().values("pk")
        return queryset.filter(pk__in=live) if self.value() == LIVE else queryset.exclude(pk__in=live)


@admin.register(Session)
class SessionAdmin(HistoryAdmin[Session]):
    """Log-ins to the API; each can be ended."""

    list_display = ("created_at", "whose", "state", "network", "user_agent", "last_used_at", "expires_at")
    list_filter = (StateFilter, by("user", "user"))
    # an index has this order; those of one user are few
    ordering = ("-expires_at",)
    list_select_related: ClassVar = ["user"]
    actions = (END,)
    fields = ("id", "whose", "state", "network", "user_agent", "created_at", "last_used_at", "expires_at", "revoked_at")
    readonly_fields = fields

    @admin.display(description="user")
    def whose(self, session: Session) -> object:
        return anchor(session.user, page_of("users.user", session.user_id))

    @admin.display(description="state")
    def state(self, session: Session) -> str:
        if session.revoked_at:
            return "ended"
        return LIVE if _is_live(session) else "expired"

    @admin.display(description="last log-in or refresh")
    def last_used_at(self, session: Session) -> object:
        return session.refreshed_at or session.created_at


@related("users.session")
def of_session(session: Session) -> Iterable[Link]:
    """Link a session to its user's others."""
    yield Link("All sessions of this user", list_of("users.session", user=session.user_id))
